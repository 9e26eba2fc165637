#include "tools/train_entities/corpus.h"

#include <algorithm>
#include <cctype>
#include <sstream>

#include <nlohmann/json.hpp>

#include "policies/policy.h"
#include "runtime/base/json_reader.h"

namespace hearth::train_entities {
namespace {

using privacy::Shape;
using privacy::Span;
using privacy::Tag;
using privacy::Token;

constexpr std::uint64_t kFileBytesMax = std::uint64_t{1} << 30;
constexpr std::uint32_t kStrangeWord = 2;  // Stands for every word made strange.

/// The tag that begins a span of this type; kNone for types that are not ours.
std::uint8_t begin_tag(const std::string& type) {
  if (type == "PERSON") return static_cast<std::uint8_t>(Tag::kPersonBegin);
  if (type == "LOCATION") return static_cast<std::uint8_t>(Tag::kLocationBegin);
  if (type == "ADDRESS") return static_cast<std::uint8_t>(Tag::kAddressBegin);
  return static_cast<std::uint8_t>(type == "ORGANIZATION" ? Tag::kOrganization : Tag::kNone);
}

std::size_t type_of(std::uint8_t slot) {
  return slot == static_cast<std::uint8_t>(policies::Detected::kPerson)     ? 0
         : slot == static_cast<std::uint8_t>(policies::Detected::kLocation) ? 1
                                                                            : 2;
}

LabelledText parsed(const std::string& line) {
  const nlohmann::json json = nlohmann::json::parse(line);
  LabelledText text{json.at("text").get<std::string>(), {}};
  for (const auto& span : json.at("spans")) {
    text.labels.push_back({span.at("byte_start").get<std::size_t>(), span.at("byte_end").get<std::size_t>(),
                           span.at("type").get<std::string>()});
  }
  std::sort(text.labels.begin(), text.labels.end(), [](const Label& a, const Label& b) { return a.begin < b.begin; });
  return text;
}

}  // namespace

Result<std::vector<LabelledText>> read_texts(const std::string& file) {
  auto bytes = read_whole_file(file, kFileBytesMax);
  if (!bytes.ok()) return bytes.error();
  std::vector<LabelledText> texts;
  std::istringstream lines(std::move(bytes).value());
  for (std::string line; std::getline(lines, line);) {
    try {
      texts.push_back(parsed(line));
    } catch (const nlohmann::json::exception&) {
      return {ErrorCode::kInvalidArgument,
              file + ":" + std::to_string(texts.size() + 1) +
                  ": expected {\"text\", \"spans\": [{\"byte_start\", \"byte_end\", \"type\"}]}"};
    }
  }
  return texts;
}

bool in_held_out_half(const LabelledText& text) {
  std::string key;
  std::size_t at = 0;
  const auto keep = [&](std::size_t end) {
    for (; at < end; ++at) {
      const auto c = static_cast<unsigned char>(text.text[at]);
      if (std::isalpha(c) != 0 && c < 0x80) key += static_cast<char>(std::tolower(c));
    }
  };
  for (const Label& label : text.labels) {
    keep(label.begin);
    at = std::max(at, label.end);
  }
  keep(text.text.size());
  return (privacy::word_hash(key) >> 7 & 1) != 0;
}

TaggedText tagged(const LabelledText& text, const privacy::WordLists& lists) {
  TaggedText out;
  out.tokens.resize(std::max<std::size_t>(text.text.size(), 1));
  const privacy::Stretch stretch = privacy::read_stretch(text.text, 0, lists, out.tokens);
  out.tokens.resize(stretch.count);
  out.letter_case = stretch.letter_case;
  out.tags.assign(stretch.count, 0);
  for (const Label& label : text.labels) {
    std::uint8_t tag = begin_tag(label.type);
    if (tag == 0) continue;
    for (std::size_t i = 0; i < stretch.count; ++i) {
      if (out.tokens[i].end <= label.begin || out.tokens[i].begin >= label.end) continue;
      out.tags[i] = tag;
      if (tag % 2 == 0) ++tag;  // Inside from the second word on.
    }
  }
  return out;
}

Sequence with_gaps(TaggedText text, RandomStream& random, unsigned row_bits) {
  for (std::size_t i = 0; i < text.tokens.size(); ++i) {
    Token& token = text.tokens[i];
    const bool word = token.shape >= Shape::kLower && token.shape <= Shape::kNoCase;
    if (!word) continue;
    const bool named = text.tags[i] != 0;
    const bool plain = (token.listed & privacy::kPlainWord) != 0;
    const double draw = random.uniform(), other = random.uniform();
    if (named && draw < 0.3)
      token.listed = static_cast<std::uint8_t>(draw < 0.25 ? token.listed & privacy::kPlainWord : 0);
    const bool street_word = plain && text.tags[i] >= static_cast<std::uint8_t>(Tag::kAddressBegin);
    if (other < (named && !street_word ? 0.5 : 0.05)) token.word = kStrangeWord;
    if (!named && draw < 0.03) token.listed = 0;
  }
  Sequence sequence;
  sequence.tags = std::move(text.tags);
  sequence.rows.resize(text.tokens.size());
  for (std::size_t i = 0; i < text.tokens.size(); ++i) {
    privacy::feature_rows(text.tokens, i, text.letter_case, row_bits, sequence.rows[i]);
  }
  return sequence;
}

std::array<Tally, 3> tally(const privacy::EntityModel& model, const std::vector<LabelledText>& texts) {
  std::array<Tally, 3> tallies;
  std::vector<Span> spans;
  for (const LabelledText& text : texts) {
    spans.clear();
    model.find(text.text, spans);
    const auto overlaps = [](const Span& s, const Label& l) { return s.begin < l.end && l.begin < s.end; };
    for (const Label& label : text.labels) {
      const auto* type = std::find(kTypes.begin(), kTypes.end(), label.type);
      if (type == kTypes.end()) continue;
      const auto k = static_cast<std::size_t>(type - kTypes.begin());
      ++tallies[k].labels;
      tallies[k].labels_found += std::any_of(spans.begin(), spans.end(),
                                             [&](const Span& s) { return type_of(s.slot) == k && overlaps(s, label); });
      tallies[k].exact += std::any_of(spans.begin(), spans.end(), [&](const Span& s) {
        return type_of(s.slot) == k && s.begin == label.begin && s.end == label.end;
      });
    }
    for (const Span& span : spans) {
      Tally& found = tallies[type_of(span.slot)];
      ++found.spans;
      found.spans_right += std::any_of(text.labels.begin(), text.labels.end(), [&](const Label& l) {
        return l.type == kTypes[type_of(span.slot)] && overlaps(span, l);
      });
    }
  }
  return tallies;
}

}  // namespace hearth::train_entities
