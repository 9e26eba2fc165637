/// \file Corpus: labelled texts from JSON lines, as words with tags, and how well a model finds their spans.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include <hearth/random.h>
#include <hearth/result.h>

#include "runtime/privacy/entity_model.h"
#include "tools/train_entities/crf.h"

namespace hearth::train_entities {

struct Label {
  std::size_t begin, end;  ///< Bytes.
  std::string type;        ///< PERSON, LOCATION, ADDRESS, ORGANIZATION; others are not ours.
};

struct LabelledText {
  std::string text;
  std::vector<Label> labels;
};

/// Reads {"text", "spans": [{"byte_start", "byte_end", "type"}]} lines.
Result<std::vector<LabelledText>> read_texts(const std::string& file);

/// Which half of a development set a text is in: texts from one template stay together, whatever fills its gaps.
bool in_held_out_half(const LabelledText& text);

/// A text as words with tags, before its features are drawn.
struct TaggedText {
  std::vector<privacy::Token> tokens;
  std::vector<std::uint8_t> tags;
  privacy::Case letter_case;
};
TaggedText tagged(const LabelledText& text, const privacy::WordLists& lists);

/// The features of a text with some of its words made strange, so that the model learns to do without: a name that is
/// on no list, a word never seen.
Sequence with_gaps(TaggedText text, RandomStream& random, unsigned row_bits);

/// Spans found and missed, by type. A span counts as found when one of its type overlaps it.
struct Tally {
  std::size_t labels = 0, labels_found = 0, spans = 0, spans_right = 0, exact = 0;
  double recall() const { return labels == 0 ? 0 : double(labels_found) / double(labels); }
  double precision() const { return spans == 0 ? 0 : double(spans_right) / double(spans); }
};
inline constexpr std::array<const char*, 3> kTypes = {"PERSON", "LOCATION", "ADDRESS"};
std::array<Tally, 3> tally(const privacy::EntityModel& model, const std::vector<LabelledText>& texts);

}  // namespace hearth::train_entities
