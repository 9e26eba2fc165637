// Answers in pieces, from events written by hand; however the network cuts them.
#include <string>
#include <vector>

#include <rapidcheck.h>
#include <catch2/catch.hpp>

#include "runtime/cloud/text_stream.h"

using namespace hearth;
using cloud::TextStream;

namespace {

std::string event(const std::string& data) { return "data: " + data + "\n\n"; }

std::string delta(const std::string& content, const std::string& finish = "null") {
  return event(R"({"choices":[{"index":0,"delta":{)" + (content.empty() ? "" : R"("content":")" + content + "\"") +
               R"(},"finish_reason":)" + finish + "}]}");
}

const std::string kEnd = delta("", "\"stop\"") + event("[DONE]");

struct Read {
  std::string text;
  std::string error;  ///< "code: message", or empty.
  bool events = false;
};

Read read(const std::string& bytes, std::size_t piece = 0, CloudApi api = CloudApi::kChat) {
  TextStream stream(api);
  Read got;
  if (piece == 0) piece = std::max<std::size_t>(1, bytes.size());
  for (std::size_t at = 0; at < bytes.size(); at += piece)
    got.text += stream.put(std::string_view(bytes).substr(at, piece));
  const Status end = stream.finish();
  if (!end.ok()) got.error = std::string(name_of(end.error().code)) + ": " + end.error().message;
  got.events = stream.has_events();
  return got;
}

}  // namespace

TEST_CASE("the pieces of a chat are its deltas, in order, until the end") {
  const std::string role = event(R"({"choices":[{"delta":{"role":"assistant","content":""},"finish_reason":null}]})");
  const Read got = read(role + delta("The") + delta(" knee\\n") + delta("\\u00e4") + kEnd);
  CHECK(got.text == "The knee\n\xc3\xa4");
  CHECK(got.error.empty());
  CHECK(got.events);
  const std::string completion = event(R"({"choices":[{"text":"a","finish_reason":null}]})") +
                                 event(R"({"choices":[{"text":"b","finish_reason":"length"}]})");
  CHECK(read(completion, 0, CloudApi::kCompletions).text == "ab");
  CHECK(read(completion, 0, CloudApi::kCompletions).error.empty());
}

TEST_CASE("comments, other fields, counts, and every kind of line end are read as the standard says") {
  CHECK(read(": keep-alive\n\nevent: message\nid: 1\n" + delta("a") + event(R"({"choices":[],"usage":{"x":1}})") + kEnd)
            .text == "a");
  CHECK(read("data:{\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\r\n\r\n" + kEnd).text == "a");
  CHECK(read("data: {\"choices\":\rdata: [{\"delta\":{\"content\":\"a\"}}]}\r\r" + kEnd).text == "a");
  CHECK(read(event(R"({"choices":[{"delta":{"content":null}}]})") + kEnd).text.empty());
}

TEST_CASE("a stream that stops before its answer does is no answer") {
  CHECK(read(delta("a")).error == "corrupt: reply: it ended before the answer did");
  CHECK(read("").error == "corrupt: reply: it ended before the answer did");
  CHECK(read(delta("a", "\"stop\"")).error.empty());  // some servers leave [DONE] out
  const std::string half = delta("a") + delta("", "\"stop\"").substr(0, 20);
  CHECK(read(half).error == "corrupt: reply: it ended before the answer did");
}

TEST_CASE("what is no event of the API's ends the answer, and no error quotes it") {
  CHECK(read(delta("a") + event("Jane") + delta("b") + kEnd).error == "corrupt: reply: not a JSON object");
  CHECK(read(delta("a") + event("Jane") + delta("b") + kEnd).text == "a");
  CHECK(read(event("{}")).error == "corrupt: reply: an event without choices");
  CHECK(read(event(R"({"choices":[7]})")).error == "corrupt: reply: an event whose choice is no object");
  CHECK(read(event(R"({"error":{"message":"Jane"}})")).error ==
        "unavailable: the server sent an error in place of more of its answer");
  const std::string refused = "invalid_argument: the server's model or its content filter refused to answer";
  CHECK(read(delta("a") + delta("", "\"content_filter\"")).error == refused);
  CHECK(read(event(R"({"choices":[{"delta":{"refusal":"Jane"}}]})")).error == refused);
  CHECK(read(event(std::string(100, '[') + std::string(100, ']'))).error == "corrupt: reply: JSON nested too deep");
}

TEST_CASE("an event is bounded before it is whole") {
  TextStream stream(CloudApi::kChat);
  const std::string piece(64 << 10, 'x');
  CHECK(stream.put("data: ").empty());
  for (int i = 0; i < 100; ++i) stream.put(piece);
  CHECK_FALSE(stream.finish().ok());
  CHECK(stream.finish().error().message == "reply: an event over 1048576 bytes");
}

TEST_CASE("a reply in one is no stream") {
  CHECK_FALSE(read(R"({"choices":[{"message":{"content":"whole"}}]})").events);
  CHECK_FALSE(read("").events);
}

TEST_CASE("however the network cuts a stream, it says the same") {
  const std::string bytes = ": hi\r\n" + delta("one") + delta(" \\u4e2d") + "data:" + delta("x").substr(6) + kEnd;
  const Read whole = read(bytes);
  REQUIRE(whole.error.empty());
  for (std::size_t piece = 1; piece <= bytes.size(); ++piece) CHECK(read(bytes, piece).text == whole.text);
  CHECK(rc::check("any bytes are safe", [&] {
    std::string broken = bytes;
    const auto edits = *rc::gen::inRange<std::size_t>(1, 8);
    for (std::size_t i = 0; i < edits; ++i) {
      broken[*rc::gen::inRange<std::size_t>(0, broken.size())] = *rc::gen::arbitrary<char>();
    }
    const auto size = *rc::gen::inRange<std::size_t>(1, 40);
    const Read cut = read(broken, size);
    const Read uncut = read(broken);
    RC_ASSERT(cut.text == uncut.text);
    RC_ASSERT(cut.error == uncut.error);
  }));
}
