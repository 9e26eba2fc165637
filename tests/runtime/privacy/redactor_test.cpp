// Redaction as properties: what comes back is what was there, and what leaves holds none of it.
#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include <rapidcheck.h>
#include <catch2/catch.hpp>

#include "runtime/privacy/redactor.h"

namespace hearth::privacy {
namespace {

constexpr std::uint8_t kEmail = 0, kPerson = static_cast<std::uint8_t>(policies::Detected::kPerson);
const std::string kSecret(32, 's');

std::shared_ptr<const Redaction> redact(const Redactor& redactor, std::string_view text, std::vector<Span> spans,
                                        std::string_view session = "visit") {
  auto made = redactor.redact(text, spans, session);
  if (!made.ok()) throw std::runtime_error(made.error().message);
  return made.value();
}

/// The span of the first `value` in `text`.
Span span_of(std::string_view text, std::string_view value, std::uint8_t slot) {
  const std::size_t begin = text.find(value);
  REQUIRE(begin != std::string_view::npos);
  return {begin, begin + value.size(), slot};
}

/// The pieces of `redaction` between its placeholders.
std::vector<std::string> kept_pieces(const Redaction& redaction) {
  std::vector<std::string> pieces(1);
  const auto& text = redaction.text();
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (!redaction.within_placeholder(i, i + 1)) {
      pieces.back() += text[i];
    } else if (!pieces.back().empty()) {
      pieces.emplace_back();
    }
  }
  return pieces;
}

std::string draw_text() {
  static const std::string placeholder = redact(Redactor(kSecret), "Ann", {{0, 3, kPerson}})->text();
  const auto pieces = *rc::gen::container<std::vector<std::string>>(rc::gen::element<std::string>(
      "Ann", "Anne", "Annesley", "ann@example.com", "@example", " ", " ", "[", "]", "_", "\xc3\xa9", "12", "PERSON",
      "[PERSON_abcdefghijkl]", "[PERSON_abcdefghijk", placeholder, placeholder.substr(0, 9), placeholder.substr(9),
      std::string(1, '\0'), "aaaa", "a", "\xff", "\n"));
  std::string text;
  for (const auto& piece : pieces) text += piece;
  return text;
}

std::vector<Span> draw_spans(std::size_t size) {
  const auto drawn = *rc::gen::container<std::vector<std::pair<std::size_t, std::size_t>>>(
      rc::gen::pair(rc::gen::inRange<std::size_t>(0, size + 2), rc::gen::inRange<std::size_t>(0, 12)));
  std::vector<Span> spans;
  for (const auto& [begin, length] : drawn) {
    if (spans.size() < 6) spans.push_back({begin, begin + length, static_cast<std::uint8_t>(begin % 13)});
  }
  return spans;
}

TEST_CASE("what is redacted comes back byte by byte, whatever the text and the spans") {
  REQUIRE(rc::check([] {
    const Redactor redactor(kSecret);
    const std::string text = draw_text();
    const auto redaction = redact(redactor, text, draw_spans(text.size()));
    RC_ASSERT(redaction->restore(redaction->text()) == text);
  }));
}

TEST_CASE("no value that was redacted is left between the placeholders") {
  REQUIRE(rc::check([] {
    const std::string text = draw_text();
    const auto spans = draw_spans(text.size());
    const auto pieces = kept_pieces(*redact(Redactor(kSecret), text, spans));
    for (const Span& span : spans) {
      if (span.begin >= std::min(span.end, text.size())) continue;
      const auto value = text.substr(span.begin, span.end - span.begin);
      if (value.size() < Originals::kShort) continue;
      for (const auto& piece : pieces) RC_ASSERT(piece.find(value) == std::string::npos);
    }
  }));
}

TEST_CASE("a reply in pieces is restored as a whole one is, wherever it is cut") {
  REQUIRE(rc::check([] {
    const std::string text = draw_text();
    const auto redaction = redact(Redactor(kSecret), text, draw_spans(text.size()));
    std::string reply = redaction->text() + draw_text() + redaction->text();
    if (!reply.empty()) reply.resize(*rc::gen::inRange<std::size_t>(0, reply.size()));
    Restorer restorer(*redaction);
    std::string shown;
    std::size_t pushed = 0;
    while (pushed < reply.size()) {
      const auto size = *rc::gen::inRange<std::size_t>(1, 9);
      shown += restorer.push(reply.substr(pushed, size));
      pushed += std::min(size, reply.size() - pushed);
    }
    RC_ASSERT(shown + restorer.finish() == redaction->restore(reply));
  }));
}

TEST_CASE("little is held back, however many brackets come") {
  const auto redaction = redact(Redactor(kSecret), "Ann", {{0, 3, kPerson}});
  Restorer restorer(*redaction);
  std::size_t pushed = 0, shown = 0;
  for (int i = 0; i < 2000; ++i) {
    const std::string chunk = i % 3 == 0 ? "[[[[" : i % 3 == 1 ? "[PERSON_" : redaction->text().substr(0, 15);
    pushed += chunk.size();
    shown += restorer.push(chunk).size();
    REQUIRE(pushed - shown < redaction->text().size());
  }
  shown += restorer.finish().size();
  CHECK(shown == pushed);
}

TEST_CASE("a placeholder names the type and nothing else, alike within a session and nowhere else") {
  const std::vector<policies::OwnDetector> own = {{"WARD", "ward [0-9]", {}}};
  const Redactor redactor(kSecret, own);
  const std::string text = "Ann in ward 7, ann@example.com";
  const std::vector<Span> spans = {span_of(text, "Ann", kPerson), span_of(text, "ward 7", policies::kDetectedCount),
                                   span_of(text, "ann@example.com", kEmail)};
  const auto first = redact(redactor, text, spans);
  INFO(first->text());
  CHECK(first->placeholder_count() == 3);
  CHECK(first->text().starts_with("[PERSON_"));
  CHECK(first->text().find("] in [WARD_") != std::string::npos);
  CHECK(first->text().find("], [EMAIL_") != std::string::npos);
  CHECK(first->text().size() == std::string("[PERSON_] in [WARD_], [EMAIL_]").size() + 3 * 12);

  CHECK(redact(redactor, text, spans)->text() == first->text());
  CHECK(redact(Redactor(kSecret, own), text, spans)->text() == first->text());
  std::set<std::string> others = {first->text()};
  others.insert(redact(redactor, text, spans, "another visit")->text());
  others.insert(redact(redactor, text, spans, "")->text());
  others.insert(redact(redactor, text, spans, "")->text());
  others.insert(redact(Redactor(std::string(32, 't'), own), text, spans)->text());
  CHECK(others.size() == 5);
  CHECK(redact(redactor, "Ann", {{0, 3, kPerson}})->text() == first->text().substr(0, 21));
  CHECK(redact(redactor, "Ann", {{0, 3, kEmail}})->text().substr(7) != first->text().substr(8, 13));
}

TEST_CASE("a value is redacted wherever it stands, a short one where it is a word") {
  const Redactor redactor(kSecret);
  const std::string text = "Bo met Romeo. Rome, Bo. Boston; romE";
  const auto redaction =
      redact(redactor, text,
             {span_of(text, "Bo", kPerson), {14, 18, static_cast<std::uint8_t>(policies::Detected::kLocation)}});
  INFO(redaction->text());
  CHECK(redaction->placeholder_count() == 4);
  CHECK(redaction->text().find("Rome") == std::string::npos);
  CHECK(redaction->text().find("Boston; romE") != std::string::npos);
  CHECK(redaction->restore(redaction->text()) == text);
}

TEST_CASE("only the placeholders of this request are restored") {
  const Redactor redactor(kSecret);
  const auto other = redact(redactor, "Bob", {{0, 3, kPerson}}, "another visit");
  const auto redaction = redact(redactor, "Ann", {{0, 3, kPerson}});
  const std::string reply = "Dear " + redaction->text() + ", not " + other->text() + " nor [PERSON_aaaaaaaaaaaa]";
  CHECK(redaction->restore(reply) == "Dear Ann, not " + other->text() + " nor [PERSON_aaaaaaaaaaaa]");
}

TEST_CASE("text that looks like a placeholder comes back as it was, even a copy of this session's own") {
  const Redactor redactor(kSecret);
  const std::string copied = redact(redactor, "Ann", {{0, 3, kPerson}})->text();
  const std::string text = "Ann is " + copied + ", Bob [PERSON_abcdefghijkl]";
  const auto redaction = redact(redactor, text, {{0, 3, kPerson}});
  CHECK(redaction->text().find("[TEXT_") != std::string::npos);
  CHECK(redaction->text().find("abcdefghijkl") == std::string::npos);
  CHECK(redaction->restore(redaction->text()) == text);
}

TEST_CASE("a finding within one placeholder is told from one that reaches outside") {
  const auto redaction = redact(Redactor(kSecret), "Hi Ann!", {{3, 6, kPerson}});
  const std::size_t end = redaction->text().size() - 1;
  CHECK(redaction->within_placeholder(3, end));
  CHECK(redaction->within_placeholder(5, 9));
  CHECK_FALSE(redaction->within_placeholder(2, 5));
  CHECK_FALSE(redaction->within_placeholder(5, end + 1));
  CHECK_FALSE(redaction->within_placeholder(0, 2));
}

TEST_CASE("a finding that reaches out of a placeholder is led back to the text it came from") {
  const auto redaction = redact(Redactor(kSecret), "12 Ann Street, Bob", {{3, 6, kPerson}, {15, 18, kPerson}});
  const std::size_t open = redaction->text().find('['), close = redaction->text().find(']');
  CHECK(redaction->in_source({0, open + 2, 9}) == Span{0, 6, 9});
  CHECK(redaction->in_source({0, close + 1, 9}) == Span{0, 6, 9});
  CHECK(redaction->in_source({close - 1, close + 8, 9}) == Span{3, 13, 9});
  CHECK(redaction->in_source({close + 2, close + 8, 9}) == Span{7, 13, 9});
  CHECK(redaction->in_source({0, 2, 9}) == Span{0, 2, 9});
  CHECK(redaction->in_source({0, redaction->text().size(), 9}) == Span{0, 18, 9});
}

TEST_CASE("texts in a reply's tensor are restored, numbers are not touched, cut ones are refused") {
  const auto redaction = redact(Redactor(kSecret), "Ann Lee", {{0, 7, kPerson}});
  Tensor tensor = Tensor::of_text("answer", "Dear " + redaction->text());
  const auto second = Tensor::of_text("", "");
  tensor.data.insert(tensor.data.end(), second.data.begin(), second.data.end());
  auto expected = Tensor::of_text("answer", "Dear Ann Lee").data;
  expected.insert(expected.end(), second.data.begin(), second.data.end());
  REQUIRE(restore_texts(tensor, *redaction).ok());
  CHECK(tensor.data == expected);

  tensor.data.pop_back();
  CHECK(restore_texts(tensor, *redaction).error().code == ErrorCode::kCorrupt);
  const float values[] = {1};
  Tensor numbers = Tensor::of_floats("x", {1}, values);
  REQUIRE(restore_texts(numbers, *redaction).ok());
  CHECK(numbers.floats()[0] == 1);
}

}  // namespace
}  // namespace hearth::privacy
