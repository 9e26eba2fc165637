// Goal: what is read is what was hashed. Method: real files, read in random pieces, and changed meanwhile.
#include "runtime/edge/hashed_file.h"

#include <rapidcheck.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>

#include "tests/support/temp_folder.h"

using namespace hearth;
using edge::HashedFile;

namespace {

constexpr std::uint64_t kSizeMax = 1 << 20;

std::string some_bytes(std::size_t count) {
  std::string bytes(count, '\0');
  for (std::size_t i = 0; i < count; ++i) bytes[i] = static_cast<char>(i * 131 + i / 251);
  return bytes;
}

void put(const std::string& file, const std::string& bytes) { std::ofstream(file, std::ios::binary) << bytes; }

}  // namespace

TEST_CASE("A file read in any pieces, in any order, gives its bytes, and its SHA-256 is that of the whole") {
  test::TempFolder folder;
  const std::string file = folder.path() / "model";
  const bool held = rc::check([&] {
    const auto size = *rc::gen::inRange<std::size_t>(1, 300'000);
    const std::string bytes = some_bytes(size);
    put(file, bytes);
    auto opened = HashedFile::open(file, kSizeMax);
    RC_ASSERT(opened.ok());
    RC_ASSERT(opened->sha256() == sha256_hex(bytes));
    RC_ASSERT(opened->size() == size);
    for (int i = 0; i < 8; ++i) {
      const auto begin = *rc::gen::inRange<std::size_t>(0, size + 10);
      const auto count = *rc::gen::inRange<std::size_t>(0, 200'000);
      std::string got(count, '?');
      got.resize(opened->read(begin, got.data(), count));
      RC_ASSERT(got == (begin < size ? bytes.substr(begin, count) : ""));
    }
    RC_ASSERT_FALSE(opened->changed());
  });
  CHECK(held);
}

TEST_CASE("What was written to a file, or cut off it, after it was hashed is never handed out") {
  test::TempFolder folder;
  const std::string file = folder.path() / "model";
  const std::string bytes = some_bytes(200'000);
  std::string got(bytes.size(), '?');
  put(file, bytes);
  auto written = HashedFile::open(file, kSizeMax);
  REQUIRE(written.ok());
  std::fstream(file, std::ios::binary | std::ios::in | std::ios::out).seekp(100'000).put('!');
  CHECK(written->read(0, got.data(), 65'536) == 65'536);  // This part is as it was.
  CHECK_FALSE(written->changed());
  CHECK(written->read(99'990, got.data(), 20) == 0);
  CHECK(written->read(0, got.data(), got.size()) == 0);
  CHECK(written->changed());

  put(file, bytes);
  auto cut = HashedFile::open(file, kSizeMax);
  REQUIRE(cut.ok());
  std::filesystem::resize_file(file, 150'000);
  CHECK(cut->read(140'000, got.data(), 100) == 0);
  CHECK(cut->changed());

  put(file, bytes);
  auto replaced = HashedFile::open(file, kSizeMax);
  REQUIRE(replaced.ok());
  put(file + ".new", some_bytes(7));
  std::filesystem::rename(file + ".new", file);  // The file that was opened is still there.
  CHECK(replaced->read(0, got.data(), got.size()) == got.size());
  CHECK(got == bytes);
}

TEST_CASE("What is no file, empty or too large is refused") {
  test::TempFolder folder;
  const std::string file = folder.path() / "model";
  CHECK(HashedFile::open(file, kSizeMax).error().message == file + ": no such file");
  CHECK(HashedFile::open(folder.path(), kSizeMax).error().message ==
        folder.path().string() + ": is a folder, not a file");
  CHECK(HashedFile::open("/dev/null", kSizeMax).error().message == "/dev/null: is not a file that can be read");
  put(file, "");
  CHECK(HashedFile::open(file, kSizeMax).error().code == ErrorCode::kCorrupt);
  put(file, some_bytes(101));
  CHECK(HashedFile::open(file, 100).error().message == file + ": larger than the limit of 100 bytes");
  CHECK(HashedFile::open(file, 101).ok());
}
