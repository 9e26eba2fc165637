/// \file Originals: finds any of many strings in a text, as they are or encoded, in one pass each.
#pragma once

#include <array>
#include <cstdint>
#include <memory_resource>
#include <span>
#include <string_view>
#include <vector>

namespace hearth::privacy {

/// The automaton of Aho and Corasick ("Efficient string matching", CACM 18(6), 1975), about 20 bytes for each byte of
/// the values, in memory of the owner's. Values under kShort bytes count only as whole words: they would be found in
/// every other word. Linear in the text. Threads: const and shareable.
class Originals {
 public:
  static constexpr std::size_t kShort = 4;

  /// `values` are sorted, distinct and not empty. Throws std::bad_alloc.
  Originals(std::span<const std::string_view> values, std::pmr::memory_resource* memory);

  struct Range {
    std::size_t begin = 0;
    std::size_t end = 0;
  };
  /// At each place where values end, the longest of them. May overlap.
  std::vector<Range> all_in(std::string_view text) const;

  /// Whether any stands in `body`: as it is; after JSON's escapes or percent-encoding are undone; and, not the short
  /// ones, in base64 (RFC 4648, both alphabets, at any offset, over line ends) or hexadecimal digits.
  bool in_encoded(std::string_view body) const;

 private:
  struct Node {
    std::uint32_t first_child = 0;
    std::uint32_t fail = 0;     ///< Where to go on when no child fits.
    std::uint32_t length = 0;   ///< Of the value that ends here; 0 when none does.
    std::uint32_t shorter = 0;  ///< The next node on the way of failures at which a value ends.
    std::uint16_t children = 0;
    std::uint8_t byte = 0;
  };
  std::uint32_t child_of(std::uint32_t node, std::uint8_t byte) const;
  std::uint32_t step(std::uint32_t node, std::uint8_t byte) const;
  /// Calls `found` with the range of each match until it says false.
  template <typename Found>
  void search(std::string_view text, bool short_too, const Found& found) const;
  bool any_in(std::string_view text, bool short_too) const;

  std::pmr::vector<Node> nodes_;
  std::array<std::uint32_t, 256> roots_{};  ///< Children of node 0, by byte.
};

}  // namespace hearth::privacy
