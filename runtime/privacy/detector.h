/// \file TextDetector: finds personal data and secrets in a text.
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
  std::array<std::uint16_t, policies::kDetectorSlots> counts{};  ///< By slot: Detected, then the policy's own.
  bool understood = true;  ///< False: not UTF-8, too long, a detector that cannot be made, or out of memory.
};

/// Where it was found: ascending, not overlapping. A place that two types claim goes to the one that begins first, then
/// to the longer; of two that overlap in part the later one keeps the rest, so that every byte of both is covered. (For
/// counts an own type and a built-in one both count.)
struct Findings {
  std::vector<Span> spans;
  bool understood = true;
};

/// Reads text in time linear in its length. Look-alikes are read as what they look like (see fold()). It errs towards
/// finding: a wrong hit keeps a request home.
/// EMAIL. PHONE: international (`+` or `00`), grouped or bare ten-digit North American, with a leading zero and 9 to 12
/// digits, with an area code in parentheses, and six and more digits next to a word such as "call" or "fax"; with
/// extensions; numbers that stand together may count as fewer, never as none. Not: dates with a four-digit year, 12
/// digits without a gap (UPC) unless they begin with 015 to 017, bare numbers right behind a letter. CREDIT_CARD: 13 to
/// 19 digits of a known network that pass Luhn's check (ISO/IEC 7812-1), up to three spaces, line ends, dots or dashes
/// between groups. IBAN (ISO 13616). SSN: 3-2-4 digits that may have been given out, or nine next to the keyword. IP: 4
/// and 6. MRN: 5 to 12 letters and digits next to a word such as "medical record". NPI: ten digits that pass Luhn's
/// check with 80840, or next to the keyword. DATE_OF_BIRTH: a date near a word such as "born".
/// PERSON, LOCATION, ADDRESS: what a small model guesses (entity_model.h), where nothing else was found. SECRET: keys
/// of known shape, private key blocks, `password=`, tokens that look random. Not found: numbers in words, "name at
/// example dot com", text in pictures. Threads: const and shareable.
class TextDetector {
 public:
  static constexpr std::size_t kTextBytesMax = 256 * 1024;

  /// With the own types of a policy, in its order; `own` is not kept. See check() in own_detectors.h.
  /// Without `entities`, PERSON, LOCATION and ADDRESS are not looked for: they take longer than all else together.
  explicit TextDetector(std::span<const policies::OwnDetector> own = {}, std::size_t text_bytes_max = kTextBytesMax,
                        bool entities = true);
  ~TextDetector();
  TextDetector(TextDetector&&) noexcept;
  TextDetector& operator=(TextDetector&&) noexcept;

  Detections detect(std::string_view text) const noexcept;
  Findings find(std::string_view text) const noexcept;  ///< Bytes of `text` as it is.

 private:
  struct Parts;
  std::unique_ptr<const Parts> parts_;
};

}  // namespace hearth::privacy
