// Secrets: which pages they lie in, and what is left of them afterwards.
#include <algorithm>
#include <cstdint>
#include <fstream>
#include <sstream>
#include <string>

#include <catch2/catch.hpp>

#include "runtime/base/secret_memory.h"

namespace hearth {
namespace {

/// The flags of the mapping that holds `place`, as the kernel tells them: "rd wr ... dd ".
std::string flags_of(const void* place) {
  std::ifstream maps("/proc/self/smaps");
  const auto address = reinterpret_cast<std::uintptr_t>(place);
  bool inside = false;
  for (std::string line; std::getline(maps, line);) {
    std::uintptr_t begin = 0, end = 0;
    char dash = 0;
    std::istringstream head(line);
    if (head >> std::hex >> begin >> dash >> end && dash == '-') inside = begin <= address && address < end;
    if (inside && line.starts_with("VmFlags:")) return line.substr(8) + " ";
  }
  return {};
}

bool all_zero(std::string_view bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](char c) { return c == 0; });
}

TEST_CASE("what is kept lies in pages that no core dump holds") {
  SecretMemory memory;
  const auto small = memory.keep("ann@example.com");
  const auto large = memory.keep(std::string(100'000, 'x'));
  CHECK(small == "ann@example.com");
  CHECK(large == std::string(100'000, 'x'));
  for (const auto kept : {small, large}) {
    const std::string flags = flags_of(kept.data());
    REQUIRE_FALSE(flags.empty());
    CHECK(flags.find(" dd ") != std::string::npos);
  }
  const std::string ordinary(1000, 'x');
  CHECK(flags_of(ordinary.data()).find(" dd ") == std::string::npos);
}

TEST_CASE("what is released is zero, in every block") {
  SecretMemory memory;
  const auto small = memory.keep("ann@example.com");
  const auto large = memory.keep(std::string(100'000, 'x'));
  memory.clear();
  CHECK(all_zero(small));
  CHECK(all_zero(large));
  CHECK(memory.keep("again") == "again");
}

TEST_CASE("a container that grows leaves nothing of its smaller self behind") {
  SecretMemory memory;
  std::pmr::vector<char> grown({'s', 'e', 'c', 'r', 'e', 't'}, &memory);
  const std::string_view before(grown.data(), grown.size());
  grown.resize(10'000, '.');
  REQUIRE(grown.data() != before.data());
  CHECK(all_zero(before));
  CHECK(std::string_view(grown.data(), 6) == "secret");
}

TEST_CASE("places are aligned as asked, and nothing is kept of nothing") {
  SecretMemory memory;
  CHECK(memory.keep("").empty());
  memory.keep("x");
  CHECK(reinterpret_cast<std::uintptr_t>(memory.allocate(8, 64)) % 64 == 0);
  CHECK_THROWS_AS(memory.allocate(SIZE_MAX / 2, 1), std::bad_alloc);
}

}  // namespace
}  // namespace hearth
