#include "tools/hearth/fashion_mnist.h"

#include <zlib.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <numeric>
#include <utility>

#include <hearth/random.h>

namespace hearth::tool {
namespace {

constexpr std::size_t kValidationCount = 5'000;
constexpr std::size_t kFileBytesMax = 256u << 20;  // Unpacked; the largest real one is 47 MB.
constexpr std::uint32_t kImagesMagic = 0x803;      // IDX: unsigned bytes, three dimensions.
constexpr std::uint32_t kLabelsMagic = 0x801;      // IDX: unsigned bytes, one dimension.

struct CloseGzip {
  void operator()(gzFile_s* file) const { gzclose(file); }
};

Error corrupt(const std::string& file, const std::string& what) { return {ErrorCode::kCorrupt, file + ": " + what}; }

Result<std::vector<std::uint8_t>> gunzip(const std::string& file) {
  std::error_code ignored;
  if (!std::filesystem::exists(file, ignored)) {
    return Error{ErrorCode::kNotFound, file + ": no such file (apt-get install dataset-fashion-mnist)"};
  }
  if (!std::filesystem::is_regular_file(file, ignored)) {
    return Error{ErrorCode::kInvalidArgument, file + ": not a file"};
  }
  const std::unique_ptr<gzFile_s, CloseGzip> in(gzopen(file.c_str(), "rb"));
  if (!in) return Error{ErrorCode::kInvalidArgument, file + ": cannot be opened"};
  std::vector<std::uint8_t> bytes;
  for (std::size_t chunk = 1u << 20;;) {
    const std::size_t before = bytes.size();
    bytes.resize(before + chunk);
    const int got = gzread(in.get(), bytes.data() + before, static_cast<unsigned>(chunk));
    if (got < 0) return corrupt(file, "damaged or cut gzip data");
    bytes.resize(before + static_cast<std::size_t>(got));
    if (bytes.size() > kFileBytesMax) return corrupt(file, "unpacks to more than 256 MiB");
    if (got == 0) break;
  }
  if (gzdirect(in.get()) != 0) return corrupt(file, "not a gzip file");
  int status = Z_OK;
  gzerror(in.get(), &status);  // A cut file ends like a whole one; only this tells.
  if (status != Z_OK && status != Z_STREAM_END) return corrupt(file, "damaged or cut gzip data");
  return bytes;
}

std::uint32_t big_endian(const std::vector<std::uint8_t>& bytes, std::size_t at) {
  return std::uint32_t{bytes[at]} << 24 | std::uint32_t{bytes[at + 1]} << 16 | std::uint32_t{bytes[at + 2]} << 8 |
         bytes[at + 3];
}

/// The elements behind an IDX header of `sizes.size()` dimensions; a size of 0 in `sizes` takes any and receives it.
Result<std::vector<std::uint8_t>> read_one(const std::string& file, std::uint32_t magic, std::span<std::size_t> sizes) {
  auto bytes = gunzip(file);
  if (!bytes.ok()) return bytes;
  const std::size_t header = 4 + 4 * sizes.size();
  if (bytes->size() < header) {
    return corrupt(
        file, "holds " + std::to_string(bytes->size()) + " bytes, an IDX header alone has " + std::to_string(header));
  }
  const std::uint32_t found = big_endian(bytes.value(), 0);
  if (found != magic) {
    return corrupt(file, "IDX magic number " + std::to_string(found) + ", expected " + std::to_string(magic));
  }
  std::size_t elements = 1;
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    const std::size_t size = big_endian(bytes.value(), 4 + 4 * i);
    if (sizes[i] != 0 && size != sizes[i]) {
      return corrupt(file, "dimension " + std::to_string(i) + " is " + std::to_string(size) + ", expected " +
                               std::to_string(sizes[i]));
    }
    sizes[i] = size;
    elements *= size;
  }
  if (bytes->size() - header != elements) {
    return corrupt(file, "holds " + std::to_string(bytes->size() - header) +
                             " bytes after its header, which promises " + std::to_string(elements));
  }
  bytes->erase(bytes->begin(), bytes->begin() + static_cast<std::ptrdiff_t>(header));
  return bytes;
}

Result<LabelledImages> read_counted(const std::string& folder, const std::string& prefix, std::size_t expected) {
  const std::string images_file = folder + "/" + prefix + "-images-idx3-ubyte.gz";
  auto read = read_idx(images_file, folder + "/" + prefix + "-labels-idx1-ubyte.gz");
  if (read.ok() && read->count() != expected) {
    return corrupt(images_file,
                   "holds " + std::to_string(read->count()) + " images, expected " + std::to_string(expected));
  }
  return read;
}

LabelledImages pick(const LabelledImages& all, std::span<const std::uint32_t> which) {
  LabelledImages picked;
  picked.pixels.reserve(which.size() * kImagePixels);
  picked.labels.reserve(which.size());
  for (const std::uint32_t i : which) {
    const auto image = all.image(i);
    picked.pixels.insert(picked.pixels.end(), image.begin(), image.end());
    picked.labels.push_back(all.labels[i]);
  }
  return picked;
}

}  // namespace

std::vector<float> LabelledImages::scaled(std::size_t i) const {
  std::vector<float> values(kImagePixels);
  std::ranges::transform(image(i), values.begin(),
                         [](std::uint8_t pixel) { return static_cast<float>(pixel) / 255.f; });
  return values;
}

Result<LabelledImages> read_idx(const std::string& images_file, const std::string& labels_file) {
  std::array<std::size_t, 3> image_sizes = {0, 28, 28};
  auto pixels = read_one(images_file, kImagesMagic, image_sizes);
  if (!pixels.ok()) return pixels.error();
  std::array<std::size_t, 1> label_sizes = {0};
  auto labels = read_one(labels_file, kLabelsMagic, label_sizes);
  if (!labels.ok()) return labels.error();
  if (image_sizes[0] != label_sizes[0]) {
    return corrupt(labels_file, "holds " + std::to_string(label_sizes[0]) + " labels for " +
                                    std::to_string(image_sizes[0]) + " images");
  }
  const auto worst = std::ranges::max_element(labels.value());
  if (worst != labels->end() && *worst >= kFashionLabels.size()) {
    return corrupt(labels_file, "holds a label above 9");
  }
  return LabelledImages{std::move(pixels).value(), std::move(labels).value()};
}

std::pair<LabelledImages, LabelledImages> split_validation(const LabelledImages& all, std::size_t count) {
  std::vector<std::uint32_t> order(all.count());
  std::iota(order.begin(), order.end(), 0u);
  RandomStream random(20'170'825, "fashion-mnist validation split");  // One split for everybody, whatever the seed.
  for (std::size_t left = order.size(); left > 1; --left) std::swap(order[left - 1], order[random.below(left)]);
  const std::span<std::uint32_t> shuffled(order);
  std::ranges::sort(shuffled.first(count));
  std::ranges::sort(shuffled.subspan(count));
  return {pick(all, shuffled.subspan(count)), pick(all, shuffled.first(count))};
}

Result<FashionMnist> load_fashion_mnist(const std::string& folder) {
  auto published = read_counted(folder, "train", 60'000);
  if (!published.ok()) return published.error();
  auto test = load_fashion_mnist_test(folder);
  if (!test.ok()) return test.error();
  auto [train, validation] = split_validation(published.value(), kValidationCount);
  return FashionMnist{std::move(train), std::move(validation), std::move(test).value()};
}

Result<LabelledImages> load_fashion_mnist_test(const std::string& folder) {
  return read_counted(folder, "t10k", 10'000);
}

}  // namespace hearth::tool
