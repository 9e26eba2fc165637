// What the guard makes of words in a request's text.
#include <catch2/catch.hpp>

#include "runtime/privacy/guard.h"

namespace hearth {
namespace {

std::string class_of(const std::string& text) {
  const auto policy = policies::Policy::load(R"({
    "version": 1, "name": "words",
    "classes": [{"name": "public", "egress": "allow"}, {"name": "phi", "egress": "never"}],
    "default_class": "public",
    "classify": [{"id": "record", "when": {"text.contains": ["MRN", "Case No", "Müller", "Ｘ７"]}, "class": "phi"}]
  })",
                                             "words.json");
  REQUIRE(policy.ok());
  const PrivacyGuard guard(policy.value(), {}, 10);
  Request request;
  request.text = text;
  const auto content = guard.classify(request);
  CHECK(content.detections.understood);
  return policy.value()->classes()[content.data_class].name;
}

TEST_CASE("a word that a reader would see is found, however it is written", "[guard]") {
  for (const std::string text : {
           "MRN 17", "mrn 17",
           "M\u00adRN 17",            // soft hyphen
           "ＭＲＮ 17",               // full-width
           "ｍｒｎ 17",               // full-width, lower case
           "M\u200bR\u2060N 17",      // zero-width space, word joiner
           "M\u034fR\U000e0020N 17",  // grapheme joiner, tag
           "case\u00a0no",            // no-break space
           "Herr Mü\u00adller",       // a word that is not ASCII
           "type Ｘ７",               // a word that the policy spells with look-alikes
           "MRN \xf0\x9f\x91\xa2",    // plain, next to what is not
       }) {
    INFO(text);
    CHECK(class_of(text) == "phi");
  }
}

TEST_CASE("a text without the words keeps its class", "[guard]") {
  for (const std::string text : {"", "red boots", "Ｍ Ｒ Ｎ", "cas\u00e9 no", "Muller"}) {
    INFO(text);
    CHECK(class_of(text) == "public");
  }
}

}  // namespace
}  // namespace hearth
