#include <rapidcheck.h>
#include <catch2/catch.hpp>

#include <algorithm>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "policies/policy.h"
#include "runtime/privacy/entity_model.h"
#include "tools/train_entities/corpus.h"

using namespace hearth;
using namespace hearth::privacy;

namespace {

const EntityModel& model() {
  static const EntityModel kModel = EntityModel::load(embedded_entity_model()).value();
  return kModel;
}

/// "TYPE=found text" of each span.
std::vector<std::string> found(std::string_view text) {
  std::vector<Span> spans;
  model().find(text, spans);
  std::vector<std::string> out;
  for (const Span& s : spans) {
    out.push_back(std::string(policies::name_of(static_cast<policies::Detected>(s.slot))) + "=" +
                  std::string(text.substr(s.begin, s.end - s.begin)));
  }
  return out;
}

using Found = std::vector<std::string>;

}  // namespace

TEST_CASE("a person is found in the forms that people write names in", "[entity_model]") {
  CHECK(found("My name is Ingrid Kowalczyk.") == Found{"PERSON=Ingrid Kowalczyk"});
  CHECK(found("my name is ingrid kowalczyk") == Found{"PERSON=ingrid kowalczyk"});
  CHECK(found("Please book Dr. Okonkwo for Tuesday.") == Found{"PERSON=Okonkwo"});
  CHECK(found("Send it to J. P. Henderson, please") == Found{"PERSON=J. P. Henderson"});
  CHECK(found("Is Siobhan O'Brien's account still open?") == Found{"PERSON=Siobhan O'Brien"});
  CHECK(found("Patient: Anne-Marie Lefèvre\nComplaint: cough") == Found{"PERSON=Anne-Marie Lefèvre"});
  CHECK(found("Ask Pavel, Noemi and Takeshi.") == Found{"PERSON=Pavel", "PERSON=Noemi", "PERSON=Takeshi"});
}

TEST_CASE("places and addresses are found", "[entity_model]") {
  CHECK(found("We moved to Lisbon last year.") == Found{"LOCATION=Lisbon"});
  CHECK(found("is my card valid in south korea?") == Found{"LOCATION=south korea"});
  CHECK(found("I live at 221B Baker Street.") == Found{"ADDRESS=221B Baker Street"});
  CHECK(found("Please update my address to Lindenstraße 14, 10969 Berlin") ==
        Found{"ADDRESS=Lindenstraße 14, 10969 Berlin"});
  CHECK(found("send it to P.O. Box 4417") == Found{"ADDRESS=P.O. Box 4417"});
}

TEST_CASE("words that only look like names are left alone", "[entity_model]") {
  const auto* text =
      GENERATE("Will you be open on Monday in May?", "May I mark the bill as paid?",
               "I lost my Visa card at the ATM on Friday.", "How do I activate my new card?",
               "Does Apple Pay work with Google Pay?", "Top up by bank transfer or direct debit?",
               "Patient denies fever, chills, nausea or vomiting.", "The rose is red and the sky is gray.",
               "Write a function that sorts a list of strings.", "WHY WAS I CHARGED TWICE", "Thank You!", "");
  INFO(text);
  CHECK(found(text).empty());
}

TEST_CASE("what is longer than any name is none, though it stands where one would", "[entity_model]") {
  const auto named = [](std::size_t count, const std::string& letter) {
    std::string word = "W";
    for (std::size_t i = 1; i < count; ++i) word += letter;
    return found("My name is Ingrid " + word + ".");
  };
  for (const std::string letter : {"a", "é"}) {
    const Found longest = named(EntityModel::kWordPointsMax, letter);
    REQUIRE(longest.size() == 1);
    CHECK(longest.front().size() > EntityModel::kWordPointsMax);
    CHECK(named(EntityModel::kWordPointsMax + 1, letter) == Found{"PERSON=Ingrid"});
    CHECK((named(3'000'000, letter) == Found{"PERSON=Ingrid"}));  // Not to be printed.
  }
  CHECK((found(std::string(3'000'000, 'a')).empty()));
  CHECK(found("My name is Ingrid " + std::string(100, 'x') + " Kowalczyk.") ==
        Found{"PERSON=Ingrid", "PERSON=Kowalczyk"});
}

TEST_CASE("spans come in order, apart from each other, in any text long or short", "[entity_model]") {
  std::string text;
  for (int i = 0; i < 500; ++i) text += "My name is Ingrid Kowalczyk. I like tea and cake.\n";
  const Found spans = found(text);
  CHECK(std::count(spans.begin(), spans.end(), "PERSON=Ingrid Kowalczyk") == 500);
}

TEST_CASE("any bytes at all give spans inside the text that cut no character", "[entity_model]") {
  REQUIRE(rc::check("spans are in bounds, in order and on character boundaries", [] {
    const auto pieces = *rc::gen::container<std::vector<std::string>>(
        rc::gen::oneOf(rc::gen::element<std::string>("Ingrid ", "Kowalczyk", "I live at ", "12 ", "Straße", "\n",
                                                     "Αθήνα ", "東京", "😀", "'s ", "O'", "’", "-", ". ", "\xff", "\xc3",
                                                     "é", "ß", "Ł", " in ", "Paris, ", "\xef\xbb\xbf"),
                       rc::gen::container<std::string>(rc::gen::arbitrary<char>())));
    std::string text;
    for (const auto& piece : pieces) text += piece;
    std::vector<Span> spans;
    model().find(text, spans);
    std::size_t last = 0;
    for (const Span& s : spans) {
      RC_ASSERT(s.begin >= last);
      RC_ASSERT(s.begin < s.end);
      RC_ASSERT(s.end <= text.size());
      last = s.end;
    }
  }));
  REQUIRE(rc::check("spans of UTF-8 begin and end between characters", [] {
    const auto pieces = *rc::gen::container<std::vector<std::string>>(
        rc::gen::element<std::string>("Ingrid ", "Kowalczyk", "I live at ", "12 ", "Straße", "\n", "Αθήνα ", "東京",
                                      "😀", "'s ", "O'", "’", "é", "Łódź "));
    std::string text;
    for (const auto& piece : pieces) text += piece;
    std::vector<Span> spans;
    model().find(text, spans);
    for (const Span& s : spans) {
      RC_ASSERT((static_cast<unsigned char>(text[s.begin]) & 0xc0) != 0x80);
      RC_ASSERT(s.end == text.size() || (static_cast<unsigned char>(text[s.end]) & 0xc0) != 0x80);
    }
  }));
}

TEST_CASE("a model that was cut, grown or changed anywhere is refused", "[entity_model]") {
  const std::string whole(embedded_entity_model());
  REQUIRE(EntityModel::load(whole).ok());
  const auto refused = [](const std::string& bytes) {
    const auto loaded = EntityModel::load(bytes);
    return !loaded.ok() && loaded.error().code == ErrorCode::kCorrupt;
  };
  CHECK(refused(""));
  CHECK(refused(whole.substr(0, EntityModel::kHeaderBytes)));
  CHECK(refused(whole.substr(0, whole.size() - 1)));
  CHECK(refused(whole + '\0'));
  for (std::size_t i = 0; i < 24; ++i) {  // Magic, version and sizes.
    std::string changed = whole;
    changed[i] = static_cast<char>(changed[i] ^ 0x40);
    CHECK(refused(changed));
  }
  for (const std::size_t i : {whole.size() / 3, whole.size() / 2, whole.size() - 70, whole.size() - 1}) {
    std::string changed = whole;
    changed[i] = static_cast<char>(changed[i] ^ 1);
    CHECK(refused(changed));
  }
}

TEST_CASE("on the held-out half of the development set the model finds what its README says", "[entity_model]") {
  const std::string file = "../shared/data/pii/dev.jsonl";
  if (!std::filesystem::exists(file)) {
    WARN("skipped: " << file << " is not here");
    return;
  }
  const auto texts = train_entities::read_texts(file);
  REQUIRE(texts.ok());
  std::vector<train_entities::LabelledText> held_out;
  std::copy_if(texts.value().begin(), texts.value().end(), std::back_inserter(held_out),
               train_entities::in_held_out_half);
  REQUIRE(held_out.size() > 500);
  const auto [person, location, address] = train_entities::tally(model(), held_out);
  CHECK(person.recall() >= 0.84);
  CHECK(person.precision() >= 0.86);
  CHECK(location.recall() >= 0.70);
  CHECK(address.recall() >= 0.95);
  CHECK(address.precision() >= 0.90);
}
