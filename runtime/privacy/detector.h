/// \file TextDetector: counts personal data with a fixed shape in a text: e-mail addresses, phone and card numbers.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "policies/policy.h"
#include "runtime/privacy/span.h"

namespace hearth::privacy {

/// What was found. Counts end at 65535. When `understood` is false the counts say nothing.
struct Detections {
  std::array<std::uint16_t, policies::kDetectorSlots> counts{};
  bool understood = true;  ///< False: not UTF-8, longer than kTextBytesMax, or the search failed.
};

/// Where it was found.
struct Findings {
  std::vector<Span> spans;  ///< Sorted, not overlapping.
  bool understood = true;
};

/// Reads text in time linear in its length. Full-width and non-Latin digits, invisible characters, odd spaces and
/// dashes are read as what they look like. It errs towards finding: a wrong hit keeps a request home.
/// Phone numbers: international (`+` or `00`), grouped or bare ten-digit North American, with a leading zero and 9 to
/// 12 digits, or seven and more digits after a word such as "call"; numbers that stand together may count as fewer,
/// never as none. Not counted: dates with a four-digit year, 12 digits without a gap (UPC) unless they begin with 015
/// to 017, bare numbers right behind a letter. Card numbers: 13 to 19 digits of a known network that pass Luhn's check
/// (ISO/IEC 7812-1), between any two other characters; up to three spaces, tabs, line ends, dots or dashes between
/// groups. Not found: numbers in words, "name at example dot com", text in pictures. Threads: const and shareable.
class TextDetector {
 public:
  static constexpr std::size_t kTextBytesMax = 256 * 1024;

  TextDetector(std::span<const policies::OwnDetector> own = {}, std::size_t text_bytes_max = kTextBytesMax);
  ~TextDetector();
  TextDetector(TextDetector&&) noexcept;
  TextDetector& operator=(TextDetector&&) noexcept;

  Detections detect(std::string_view text) const noexcept;
  Findings find(std::string_view text) const noexcept;

 private:
  std::size_t text_bytes_max_;
  struct Patterns;
  std::unique_ptr<const Patterns> patterns_;
};

}  // namespace hearth::privacy
