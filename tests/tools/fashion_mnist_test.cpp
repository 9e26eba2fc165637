#include "tools/hearth/fashion_mnist.h"

#include <zlib.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <numeric>
#include <set>

#include "tests/support/temp_folder.h"

using namespace hearth;
using namespace hearth::tool;
using Catch::Matchers::Contains;
using Catch::Matchers::EndsWith;

namespace {

std::string word(std::uint32_t value) {
  return {static_cast<char>(value >> 24), static_cast<char>(value >> 16), static_cast<char>(value >> 8),
          static_cast<char>(value)};
}

std::string images_idx(std::uint32_t count, std::uint32_t magic = 0x803, std::uint32_t rows = 28) {
  std::string bytes = word(magic) + word(count) + word(rows) + word(28);
  for (std::uint32_t i = 0; i < count * rows * 28; ++i) bytes += static_cast<char>(i % 256);
  return bytes;
}

std::string labels_idx(const std::vector<std::uint8_t>& labels) {
  return word(0x801) + word(static_cast<std::uint32_t>(labels.size())) + std::string(labels.begin(), labels.end());
}

struct Files {
  test::TempFolder folder;
  std::string images = folder.path() / "images.gz";
  std::string labels = folder.path() / "labels.gz";

  Files() {
    zip(images, images_idx(3));
    zip(labels, labels_idx({0, 9, 5}));
  }
  static void zip(const std::string& file, const std::string& bytes) {
    const gzFile out = gzopen(file.c_str(), "wb");
    gzwrite(out, bytes.data(), static_cast<unsigned>(bytes.size()));
    gzclose(out);
  }
  /// The refusal, which names `file`.
  Error refusal(const std::string& file) const {
    const auto read = read_idx(images, labels);
    REQUIRE_FALSE(read.ok());
    CHECK_THAT(read.error().message, Catch::Matchers::StartsWith(file + ": "));
    return read.error();
  }
};

}  // namespace

TEST_CASE("Two good files give images, their labels, and floats from 0 to 1") {
  const Files files;
  const auto read = read_idx(files.images, files.labels);
  REQUIRE(read.ok());
  CHECK(read.value().count() == 3);
  CHECK(read.value().labels == std::vector<std::uint8_t>{0, 9, 5});
  CHECK(read.value().image(1)[0] == 784 % 256);
  CHECK(read.value().scaled(0).size() == 784);
  CHECK(read.value().scaled(0)[255] == 1.0f);
  CHECK(read.value().scaled(0)[51] == Approx(0.2));
}

TEST_CASE("A missing file names the package that brings it") {
  const Files files;
  std::filesystem::remove(files.labels);
  const auto error = files.refusal(files.labels);
  CHECK(error.code == ErrorCode::kNotFound);
  CHECK_THAT(error.message, Contains("apt-get install dataset-fashion-mnist"));
}

TEST_CASE("A gzip file cut anywhere is refused") {
  const Files files;
  const auto size = std::filesystem::file_size(files.images);
  for (const auto cut : {size - 1, size - 8, size / 2, std::uintmax_t{12}}) {
    Files again;
    std::filesystem::resize_file(again.images, cut);
    const auto error = again.refusal(again.images);
    INFO(cut);
    CHECK(error.code == ErrorCode::kCorrupt);
    CHECK_THAT(error.message, Contains("damaged or cut gzip data"));
  }
}

TEST_CASE("A file that is not gzip, of another kind, or of another size is refused by what is wrong") {
  Files files;
  std::filesystem::copy_file("README.md", files.images, std::filesystem::copy_options::overwrite_existing);
  CHECK_THAT(files.refusal(files.images).message, EndsWith("not a gzip file"));
  Files::zip(files.images, labels_idx({1, 2, 3, 4, 5, 6, 7, 8, 9}));
  CHECK_THAT(files.refusal(files.images).message, EndsWith("IDX magic number 2049, expected 2051"));
  Files::zip(files.images, images_idx(3, 0x803, 27));
  CHECK_THAT(files.refusal(files.images).message, EndsWith("dimension 1 is 27, expected 28"));
  Files::zip(files.images, "abc");
  CHECK_THAT(files.refusal(files.images).message, EndsWith("holds 3 bytes, an IDX header alone has 16"));
  Files::zip(files.images, images_idx(3).substr(0, 1000));
  CHECK_THAT(files.refusal(files.images).message, EndsWith("holds 984 bytes after its header, which promises 2352"));
}

TEST_CASE("Labels that do not fit their images are refused") {
  Files files;
  Files::zip(files.labels, labels_idx({0, 9}));
  CHECK_THAT(files.refusal(files.labels).message, EndsWith("holds 2 labels for 3 images"));
  Files::zip(files.labels, labels_idx({0, 9, 10}));
  CHECK_THAT(files.refusal(files.labels).message, EndsWith("holds a label above 9"));
}

TEST_CASE("The validation split takes each image once, mixes them, and is always the same") {
  LabelledImages all;
  for (int i = 0; i < 200; ++i) {
    all.labels.push_back(static_cast<std::uint8_t>(i));
    all.pixels.insert(all.pixels.end(), kImagePixels, static_cast<std::uint8_t>(i));
  }
  const auto [train, validation] = split_validation(all, 50);
  CHECK(train.count() == 150);
  CHECK(validation.count() == 50);
  std::set<int> seen(train.labels.begin(), train.labels.end());
  seen.insert(validation.labels.begin(), validation.labels.end());
  CHECK(seen.size() == 200);
  for (std::size_t i = 0; i < validation.count(); ++i) CHECK(validation.image(i)[783] == validation.labels[i]);
  const double mean = std::accumulate(validation.labels.begin(), validation.labels.end(), 0.0) / 50;
  CHECK(mean > 70);  // 25 when it were the first fifty, 175 when the last.
  CHECK(mean < 130);
  CHECK(split_validation(all, 50).second.labels == validation.labels);
}
