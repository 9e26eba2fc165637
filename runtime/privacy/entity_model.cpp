#include "runtime/privacy/entity_model.h"

#include <algorithm>
#include <span>
#include <string>

#include "policies/policy.h"
#include "runtime/base/digest.h"

namespace hearth::privacy {
namespace {

constexpr std::size_t kDigestBytes = 64;  // SHA-256 in hex
constexpr unsigned kRowBitsMin = 8, kRowBitsMax = 20;

std::uint32_t u32_at(std::string_view bytes, std::size_t i) {
  std::uint32_t value = 0;
  for (std::size_t k = 4; k-- > 0;) value = value << 8 | static_cast<unsigned char>(bytes[i + k]);
  return value;
}

std::int32_t i16_at(std::string_view bytes, std::size_t i) {
  return static_cast<std::int16_t>(static_cast<unsigned char>(bytes[i]) | static_cast<unsigned char>(bytes[i + 1])
                                                                              << 8);
}

Error corrupt(const char* what) { return {ErrorCode::kCorrupt, std::string("entity model: ") + what}; }

/// Longer than any word of a name, a place or an address: it is something else, however it reads to the model.
bool is_too_long(std::string_view word) {
  if (word.size() <= EntityModel::kWordPointsMax) return false;
  std::size_t points = 0;
  for (const char c : word.substr(0, 4 * EntityModel::kWordPointsMax + 1))
    points += (static_cast<unsigned char>(c) & 0xc0) != 0x80;
  return points > EntityModel::kWordPointsMax;
}

bool continues(Tag tag) {
  return tag == Tag::kPersonInside || tag == Tag::kLocationInside || tag == Tag::kAddressInside;
}

std::uint8_t slot_of(Tag tag) {
  switch (tag) {
    case Tag::kPersonBegin:
    case Tag::kPersonInside:
      return static_cast<std::uint8_t>(policies::Detected::kPerson);
    case Tag::kLocationBegin:
    case Tag::kLocationInside:
      return static_cast<std::uint8_t>(policies::Detected::kLocation);
    default:
      return static_cast<std::uint8_t>(policies::Detected::kAddress);
  }
}

}  // namespace

Result<EntityModel> EntityModel::load(std::string_view bytes) {
  if (bytes.size() < kHeaderBytes + kDigestBytes) return corrupt("shorter than its header");
  if (bytes.substr(0, kMagic.size()) != kMagic) return corrupt("not an entity model");
  if (u32_at(bytes, 8) != kVersion) return corrupt("of a version that this build does not read");
  const std::uint32_t row_bits = u32_at(bytes, 12), buckets = u32_at(bytes, 16);
  if (row_bits < kRowBitsMin || row_bits > kRowBitsMax) return corrupt("its table has an impossible size");
  const std::uint64_t rows_bytes = kTagCount << row_bits;
  const std::uint64_t lists_bytes = std::uint64_t{buckets} * WordLists::kBucketSlots * 2;
  if (bytes.size() != kHeaderBytes + rows_bytes + lists_bytes + kDigestBytes) {
    return corrupt("its length is not what its header says");
  }
  const std::string_view body = bytes.substr(0, bytes.size() - kDigestBytes);
  if (sha256_hex(body) != bytes.substr(body.size())) return corrupt("its bytes do not match its digest");

  EntityModel model;
  model.row_bits_ = row_bits;
  std::size_t at = 20;
  for (std::size_t from = 0; from < kTagCount; ++from) {
    for (std::size_t to = 0; to < kTagCount; ++to, at += 2) model.to_from_[to][from] = i16_at(bytes, at);
  }
  for (std::size_t to = 0; to < kTagCount; ++to, at += 2) model.start_[to] = i16_at(bytes, at);
  model.rows_ = reinterpret_cast<const signed char*>(bytes.data()) + at;
  model.lists_ = WordLists(bytes.substr(at + rows_bytes, lists_bytes));
  return model;
}

EntityModel::Scores EntityModel::scores_of(std::span<const Token> tokens, std::size_t i, Case letter_case) const {
  FeatureRows rows;
  feature_rows(tokens, i, letter_case, row_bits_, rows);
  std::array<std::int16_t, kTagCount> sums{};  // At most 34 x 127.
  for (const std::uint32_t row : rows) {
    const signed char* weights = rows_ + std::size_t{row} * kTagCount;
    for (std::size_t k = 0; k < kTagCount; ++k) sums[k] = static_cast<std::int16_t>(sums[k] + weights[k]);
  }
  Scores scores;
  std::copy(sums.begin(), sums.end(), scores.begin());
  return scores;
}

void EntityModel::tag(std::span<const Token> tokens, Case letter_case, std::span<Tag> tags) const {
  std::array<std::array<std::uint8_t, kTagCount>, kStretchTokens> came_from;
  Scores best = start_;
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    const Scores here = scores_of(tokens, i, letter_case);
    Scores next = i == 0 ? best : Scores{};
    for (std::size_t to = 0; i > 0 && to < kTagCount; ++to) {
      // The tag rides in the low bits, so that one maximum finds both.
      std::int32_t top = INT32_MIN;
      for (std::size_t from = 0; from < kTagCount; ++from) {
        top = std::max(top, (best[from] + to_from_[to][from]) * 8 + static_cast<std::int32_t>(7 - from));
      }
      next[to] = top >> 3;
      came_from[i][to] = static_cast<std::uint8_t>(7 - (top & 7));
    }
    for (std::size_t to = 0; to < kTagCount; ++to) best[to] = next[to] + here[to];
  }
  auto last = static_cast<std::size_t>(std::max_element(best.begin(), best.end()) - best.begin());
  for (std::size_t i = tokens.size(); i-- > 0;) {
    tags[i] = static_cast<Tag>(last);
    if (i > 0) last = came_from[i][last];
  }
}

void EntityModel::find(std::string_view plain, std::vector<Span>& out) const {
  std::array<Token, kStretchTokens> tokens;
  std::array<Tag, kStretchTokens> tags;
  for (std::size_t from = 0; from < plain.size();) {
    const Stretch stretch = read_stretch(plain, from, lists_, tokens);
    from = stretch.end;
    const std::span<const Token> found(tokens.data(), stretch.count);
    if (found.empty()) break;
    tag(found, stretch.letter_case, tags);
    bool open = false;
    for (std::size_t i = 0; i < stretch.count; ++i) {
      if (tags[i] == Tag::kNone || tags[i] == Tag::kOrganization ||
          is_too_long(plain.substr(found[i].begin, found[i].end - found[i].begin))) {
        open = false;
        continue;
      }
      const std::uint8_t slot = slot_of(tags[i]);
      if (open && continues(tags[i]) && out.back().slot == slot) {
        out.back().end = found[i].end;
      } else {
        out.push_back({found[i].begin, found[i].end, slot});
      }
      open = true;
    }
  }
}

}  // namespace hearth::privacy
