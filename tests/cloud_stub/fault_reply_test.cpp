// What each reply fault makes of a good reply, byte by byte.
#include <zlib.h>

#include <cmath>
#include <cstring>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "cloud_stub/fault_body.h"
#include "cloud_stub/fault_reply.h"

using namespace hearth;
using namespace hearth::stub;
using nlohmann::json;
using sim::FaultKind;

namespace {

const std::string kBody =
    R"({"id":"q","model_name":"m","model_version":"1","outputs":[{"name":"y","datatype":"FP32","shape":[3],"data":[1,2,3]}]})";

WireReply good(const std::string& body = kBody) {
  WireReply reply;
  reply.head.start = "HTTP/1.1 200 OK";
  reply.head.set("Content-Type", "application/json");
  reply.head.set("Content-Length", std::to_string(body.size()));
  reply.body = body;
  return reply;
}

/// The same answer with a binary tensor.
WireReply binary() {
  const std::string head =
      R"({"id":"q","model_name":"m","outputs":[{"name":"y","datatype":"FP32","shape":[3],"parameters":{"binary_data_size":12}}]})";
  const float values[] = {1, 2, 3};
  WireReply reply = good(head + std::string(reinterpret_cast<const char*>(values), sizeof values));
  reply.head.set("Inference-Header-Content-Length", std::to_string(head.size()));
  return reply;
}

ReplyScript script(const std::string& fault, const WireReply& reply = good()) {
  auto spec = sim::parse_fault(fault, "f");
  INFO((spec.ok() ? "" : spec.error().message));
  REQUIRE(spec.ok());
  return script_for(spec.value(), reply, 1);
}

std::string said(const ReplyScript& script) {
  std::string all;
  for (const auto& step : script.steps) all += step.bytes;
  return all;
}

std::string body_of(const std::string& bytes) { return bytes.substr(bytes.find("\r\n\r\n") + 4); }

const std::string kAll = good().head.text() + kBody;

}  // namespace

TEST_CASE("a good reply is said as it is, and every reply fault changes bytes, time or the end of it") {
  CHECK(said(script_of(good())) == kAll);
  for (const auto& facts : sim::all_faults()) {
    if (facts.stage != sim::FaultStage::kReply) continue;
    CAPTURE(std::string(facts.name));
    const auto bad = script(std::string(facts.name), binary());
    const auto fine = script_of(binary());
    CHECK((said(bad) != said(fine) || bad.steps.size() != fine.steps.size() || bad.end != fine.end || bad.filler > 0));
  }
}

TEST_CASE("resets and cuts stop in the head or after so many bytes of the body") {
  const std::string head = good().head.text();
  CHECK(said(script("reset_mid_head")) == head.substr(0, head.size() / 2));
  CHECK(script("reset_mid_head").end == ReplyEnd::kReset);
  CHECK(said(script(R"({"fault":"reset_mid_body","bytes":7})")) == head + kBody.substr(0, 7));
  CHECK(script("cut_mid_head").end == ReplyEnd::kClose);
  const auto cut = script(R"({"fault":"cut_mid_body","bytes":100000})");
  CHECK(said(cut) == kAll);
  CHECK(cut.end == ReplyEnd::kClose);
}

TEST_CASE("slow replies are whole, and a stall without an end hangs") {
  const auto drip = script(R"({"fault":"drip","bytes":10,"delay_ms":3})");
  CHECK(said(drip) == kAll);
  CHECK(drip.steps.size() == (kAll.size() + 9) / 10);
  CHECK(drip.steps[5].wait == std::chrono::milliseconds(3));
  const auto slow = script(R"({"fault":"slow_head","delay_ms":3})");
  CHECK(slow.steps[0].bytes == "HTTP/1.1 200 OK\r\n");
  CHECK(said(slow) == kAll);
  const auto stall = script(R"({"fault":"stall_body","bytes":5})");
  CHECK(stall.end == ReplyEnd::kHang);
  CHECK(body_of(said(stall)) == kBody.substr(0, 5));
  CHECK(said(script(R"({"fault":"stall_body","bytes":5,"delay_ms":3})")) == kAll);
  const std::string late = said(script(R"({"fault":"slow_close","delay_ms":3})"));
  CHECK(late.find("Content-Length") == std::string::npos);
  CHECK(body_of(late) == kBody);
}

TEST_CASE("chunked replies lose their end, stall, or hold nonsense") {
  const std::string cut = said(script(R"({"fault":"chunk_cut","bytes":50})"));
  CHECK(body_of(cut).substr(0, 4 + 50) == "32\r\n" + kBody.substr(0, 50));
  CHECK(cut.find("0\r\n\r\n") == std::string::npos);
  const auto stall = script(R"({"fault":"chunk_stall","bytes":50,"delay_ms":3})");
  CHECK(said(stall).find("\r\n0\r\n\r\n") != std::string::npos);
  CHECK(script(R"({"fault":"chunk_stall","bytes":50})").end == ReplyEnd::kHang);
  CHECK(body_of(said(script("bad_chunk"))).find("nonsense\r\n") == 0);
}

TEST_CASE("lengths lie by as much as asked") {
  const auto length = [](const std::string& bytes) {
    return HttpHead::parse(bytes.substr(0, bytes.find("\r\n\r\n") + 4))->length().value();
  };
  const auto longer = script(R"({"fault":"length_too_long","bytes":9})");
  CHECK(length(said(longer)) == kBody.size() + 9);
  CHECK(longer.end == ReplyEnd::kHang);
  CHECK(length(said(script(R"({"fault":"length_too_short","bytes":9})"))) == kBody.size() - 9);
  CHECK(said(script("length_twice")).find("Content-Length", said(script("length_twice")).find("Content-Length") + 5) !=
        std::string::npos);
}

TEST_CASE("a lying server's tensors are well-formed lies, in JSON and in binary") {
  const auto lie = [](const std::string& fault) { return json::parse(body_of(said(script(fault)))); };
  CHECK(lie("wrong_shape")["outputs"][0]["shape"] == json({4}));
  CHECK(lie("wrong_datatype")["outputs"][0]["datatype"] == "INT32");
  CHECK(lie("wrong_name")["outputs"][0]["name"] == "y_other");
  CHECK(lie("missing_output")["outputs"].empty());
  CHECK(lie("wrong_id")["id"] == "another-q");
  CHECK(lie("wrong_answer")["outputs"][0]["data"] == json({2, 3, 1}));
  CHECK(lie("model_version")["model_version"] == "1.next");
  CHECK(body_of(said(script("nan"))).find("[NaN,2,3]") != std::string::npos);

  float values[3] = {};
  const auto read = [&](const std::string& fault) {
    const std::string bytes = said(script(fault, binary()));
    std::memcpy(values, bytes.data() + bytes.size() - sizeof values, sizeof values);
  };
  read("nan");
  CHECK(std::isnan(values[0]));
  CHECK(values[1] == 2);
  read("wrong_answer");
  CHECK(values[0] == 2);
  CHECK(values[2] == 1);
  CHECK(said(script("missing_output", binary())).find("Content-Length: ") != std::string::npos);
}

TEST_CASE("broken JSON has right lengths around it") {
  WireReply reply = binary();
  break_json(reply);
  const auto part = std::stoul(*reply.head.get("Inference-Header-Content-Length"));
  CHECK(reply.head.length() == reply.body.size());
  CHECK(json::parse(reply.body.substr(0, part), nullptr, false).is_discarded());
  CHECK(reply.body.size() == part + 12);
}

TEST_CASE("a gzip bomb unpacks to what it says") {
  const std::string bomb = gzip_bomb(3 << 20);
  CHECK(bomb.size() < 10'000);
  std::string unpacked((3 << 20) + 1, 'x');
  z_stream stream{};
  REQUIRE(inflateInit2(&stream, 15 + 16) == Z_OK);
  stream.next_in = reinterpret_cast<unsigned char*>(const_cast<char*>(bomb.data()));
  stream.avail_in = static_cast<unsigned>(bomb.size());
  stream.next_out = reinterpret_cast<unsigned char*>(unpacked.data());
  stream.avail_out = static_cast<unsigned>(unpacked.size());
  CHECK(inflate(&stream, Z_FINISH) == Z_STREAM_END);
  CHECK(stream.total_out == 3 << 20);
  inflateEnd(&stream);
  CHECK(unpacked[(3 << 20) - 1] == '\0');
}

TEST_CASE("canned replies carry Retry-After in any form, by a clock that may be wrong") {
  const auto canned = [](const std::string& fault) {
    return canned_reply(sim::parse_fault(fault, "f").value(), "http://self", 784111777);
  };
  const WireReply limited = canned(R"({"fault":"status","status":429,"retry_after":"soon"})");
  CHECK(limited.head.start.find("HTTP/1.1 429 ") == 0);
  CHECK(*limited.head.get("retry-after") == "soon");
  CHECK(canned("status").head.get("Retry-After") == nullptr);
  CHECK(canned("status").head.start.find("HTTP/1.1 503 ") == 0);
  CHECK(*canned("redirect").head.get("Location") == "http://self/redirected/");
  CHECK(http_date(784111777) == "Sun, 06 Nov 1994 08:49:37 GMT");  // RFC 9110's own example
  const WireReply skewed = canned(R"({"fault":"clock_skew","skew_ms":-3600000,"delay_ms":5000})");
  CHECK(*skewed.head.get("Date") == "Sun, 06 Nov 1994 07:49:37 GMT");
  CHECK(*skewed.head.get("Retry-After") == "Sun, 06 Nov 1994 07:49:42 GMT");
}

TEST_CASE("heads are read line by line, and a length that is not plain is none") {
  const auto head = HttpHead::parse("POST /a?b=c HTTP/1.1\r\nHost: x\r\nContent-length:  12 \r\n\r\n");
  REQUIRE(head);
  CHECK(head->method() == "POST");
  CHECK(head->path() == "/a");
  CHECK(head->length() == 12);
  CHECK(*head->get("HOST") == "x");
  const auto length = [](const std::string& lines) {
    return HttpHead::parse("GET / HTTP/1.1\r\n" + lines + "\r\n")->length();
  };
  CHECK(length("") == 0);
  CHECK_FALSE(length("Content-Length: 1\r\nContent-Length: 1\r\n"));
  CHECK_FALSE(length("Content-Length: -1\r\n"));
  CHECK_FALSE(length("Content-Length: 99999999999999999999\r\n"));
  CHECK_FALSE(length("Transfer-Encoding: chunked\r\n"));
  CHECK_FALSE(HttpHead::parse("GET / HTTP/1.1\r\nno colon\r\n\r\n"));
  CHECK_FALSE(HttpHead::parse("GET / HTTP/1.1\r\nHost: x\r\n"));
  CHECK_FALSE(HttpHead::parse("\r\n\r\n"));
  CHECK(HttpHead::parse("nonsense\r\n\r\n")->path().empty());
}
