/// \file EntityModel: finds person names, places and addresses in plain text with a small linear model.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include <hearth/result.h>

#include "runtime/privacy/entity_tokens.h"
#include "runtime/privacy/span.h"

namespace hearth::privacy {

/// What the model calls a word: begins or continues a span. An organization is told apart from a person, not reported.
enum class Tag : std::uint8_t {
  kNone,
  kOrganization,
  kPersonBegin,
  kPersonInside,
  kLocationBegin,
  kLocationInside,
  kAddressBegin,
  kAddressInside
};
inline constexpr std::size_t kTagCount = 8;

/// A linear-chain conditional random field (Lafferty, McCallum, Pereira 2001) over hashed features (Weinberger et al.
/// 2009), its weights quantized to int8; the best tags are found by Viterbi's method in time linear in the text.
/// tools/train_entities trains it and tells what it was trained on and how well it does. It guesses: it misses names
/// that look like words and finds some that are none. Threads: const and shareable. It keeps no copy of the bytes.
class EntityModel {
 public:
  /// Layout, little-endian: magic, version u32, row bits u32, buckets u32, 8 x 8 transitions i16 (from, to), 8 start
  /// scores i16, 2^bits rows of 8 weights i8, buckets of four u16 (see WordLists), SHA-256 of all before it.
  static constexpr std::string_view kMagic = "hearthEN";
  static constexpr std::uint32_t kVersion = 1;
  static constexpr std::size_t kHeaderBytes = 8 + 3 * 4 + (kTagCount + 1) * kTagCount * 2;

  static constexpr std::size_t kWordPointsMax = 64;

  /// Refuses (kCorrupt) whatever is cut, changed or of another version. `bytes` must outlive the model.
  static Result<EntityModel> load(std::string_view bytes);

  /// Appends what it finds in `plain` (UTF-8; see plain_text.h), in order, without overlaps, slots of
  /// policies::Detected. A word of more than kWordPointsMax code points is part of nothing. Allocates only for `out`.
  void find(std::string_view plain, std::vector<Span>& out) const;

 private:
  static constexpr std::size_t kStretchTokens = 256;
  using Scores = std::array<std::int32_t, kTagCount>;

  EntityModel() = default;
  Scores scores_of(std::span<const Token> tokens, std::size_t i, Case letter_case) const;
  void tag(std::span<const Token> tokens, Case letter_case, std::span<Tag> tags) const;

  unsigned row_bits_ = 0;
  std::array<std::array<std::int32_t, kTagCount>, kTagCount> to_from_{};
  Scores start_{};
  const signed char* rows_ = nullptr;
  WordLists lists_;
};

/// The model that is built into the library: tools/train_entities made it.
std::string_view embedded_entity_model();

}  // namespace hearth::privacy
