// Answers in pieces against every fault of the list: the right text, or a typed error, and never a wrong end taken for
// the answer's own.
#include <future>
#include <memory>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include "cloud_stub/server.h"
#include "runtime/cloud/openai_codec.h"
#include "runtime/cloud/text_stream.h"
#include "tests/runtime/net/attempts.h"

using namespace hearth;
using namespace std::chrono_literals;
using test::Attempts;

namespace {

constexpr Duration kShort = 150ms;  // For replies that never come.
constexpr const char* kText = "The red boots are by the door. The red door is open. It rains on the red boots.";

CloudBinding chat() {
  CloudBinding bound;
  bound.model = "small";
  bound.api = CloudApi::kChat;
  bound.outputs = {{"reply", Datatype::kBytes, {1}}};
  return bound;
}

struct World {
  World() {
    stub::StubConfig config;
    config.allow_faults = true;
    config.text_models = {"small"};
    server = std::make_unique<stub::StubServer>(std::move(config), std::vector<std::shared_ptr<stub::Model>>{});
    const auto port = server->start();
    if (!port) throw std::runtime_error(port.error().message);
    endpoint = test::endpoint_at("http://127.0.0.1:" + std::to_string(port.value()) + "/v1");
    endpoint.protocol = Protocol::kOpenai;
  }
  std::unique_ptr<stub::StubServer> server;
  Endpoint endpoint;
};

struct Streamed {
  std::string end;   ///< "whole", or "code: ...".
  std::string text;  ///< What came in pieces.
};

Streamed stream(Attempts& attempts, const World& world, const std::string& fault, Duration time = Attempts::kLong) {
  HttpMessage message = cloud::encode_openai(chat(), kText, true);
  if (!fault.empty()) message.headers.emplace_back("x-hearth-fault", fault);
  auto permit = std::make_shared<EgressPermit>(test::permit_for(world.endpoint, std::move(message)));
  auto pieces = std::make_shared<cloud::TextStream>(CloudApi::kChat);
  auto text = std::make_shared<std::string>();
  std::promise<SendResult> ended;
  attempts.loop().post([&, permit] {
    attempts.transport().stream(
        1, std::move(*permit), attempts.loop().now() + time,
        [pieces, text](std::string_view bytes) { *text += pieces->put(bytes); },
        [&](SendResult result) { ended.set_value(std::move(result)); });
  });
  const SendResult result = ended.get_future().get();
  if (!result.reply.ok()) return {test::error_of(result), *text};
  Error error{};
  if (result.reply->status == 200 && pieces->has_events()) {
    const Status status = pieces->finish();
    if (status.ok()) return {"whole", *text};
    error = status.error();
  } else if (const auto answer = cloud::decode_openai(chat(), result.reply.value()); !answer.ok()) {
    error = answer.error();
  } else {
    return {"answered in one", *text};
  }
  return {std::string(name_of(error.code)) + ": " + error.message, *text};
}

struct Case {
  std::string fault;
  std::string begins;  ///< Of the end.
  bool hangs = false;
};

const std::vector<Case> kCases{
    {"", "whole"},
    {"reset_after_request", "unavailable: "},
    {"blackhole", "deadline_exceeded: ", true},
    {"half_open", "deadline_exceeded: ", true},
    {"reset_mid_head", "unavailable: "},
    {R"({"fault":"reset_mid_body","bytes":300})", "unavailable: "},
    {"cut_mid_head", "unavailable: "},
    {R"({"fault":"cut_mid_body","bytes":300})", "unavailable: "},
    {R"({"fault":"drip","bytes":7,"delay_ms":0})", "whole"},
    {R"({"fault":"slow_close","delay_ms":5})", "whole"},
    {"half_close", "whole"},
    {"close_after_reply", "whole"},
    {R"({"fault":"status","status":429})", "unavailable: "},
    {R"({"fault":"status","status":401})", "invalid_argument: "},
    {R"({"fault":"clock_skew","skew_ms":-80000000})", "unavailable: "},
    {"redirect", "corrupt: the server answered with status 307"},
    {R"({"fault":"slow_head","delay_ms":5})", "whole"},
    {"slow_head", "deadline_exceeded: ", true},
    {R"({"fault":"stall_body","bytes":300,"delay_ms":5})", "whole"},
    {R"({"fault":"stall_body","bytes":300})", "deadline_exceeded: ", true},
    {R"({"fault":"chunk_stall","bytes":300,"delay_ms":5})", "whole"},
    {R"({"fault":"chunk_stall","bytes":300})", "deadline_exceeded: ", true},
    {R"({"fault":"chunk_cut","bytes":300})", "unavailable: "},
    {"bad_chunk", "corrupt: "},
    {"garbage", "corrupt: "},
    {"bad_status_line", "corrupt: "},
    {"bad_header", "corrupt: "},
    {"huge_head", "resource_exhausted: "},
    {"length_too_long", "deadline_exceeded: ", true},
    {R"({"fault":"length_too_short","bytes":100})", "corrupt: "},
    {"length_twice", "corrupt: "},
    {R"({"fault":"duplicate_bytes","bytes":100})", "corrupt: "},
    {"interim_flood", "corrupt: "},
    {"duplicate_reply", "whole"},
    {"no_continue", "whole"},
    {"huge_body", "resource_exhausted: "},
    {"gzip_bomb", "resource_exhausted: "},
    {"html_page", "corrupt: "},
    {"bad_json", "corrupt: "},
    {"wrong_content_type", "whole"},
};

}  // namespace

TEST_CASE("each fault ends an answer in pieces as it should, and what the app had by then is the answer's beginning") {
  const World world;
  std::string whole;
  {
    Attempts attempts;
    whole = stream(attempts, world, "").text;
  }
  REQUIRE(whole.size() > 40);
  for (const Case& expected : kCases) {
    CAPTURE(expected.fault);
    Attempts attempts;
    const auto [end, text] = stream(attempts, world, expected.fault, expected.hangs ? kShort : Attempts::kLong);
    CAPTURE(end, text);
    CHECK(end.starts_with(expected.begins));
    if (end == "whole") CHECK(text == whole);
    if (expected.fault.find("duplicate_bytes") == std::string::npos) CHECK(whole.starts_with(text));
    // The next one over the same transport is whole, or a clean break.
    const auto next = stream(attempts, world, "");
    CHECK((next.text == whole || next.end.starts_with("unavailable: ")));
  }
}

TEST_CASE("pieces that were said before a break had reached the app") {
  const World world;
  for (const std::string kind : {"reset_mid_body", "cut_mid_body", "stall_body", "chunk_cut", "chunk_stall"}) {
    CAPTURE(kind);
    Attempts attempts;
    const auto [end, text] =
        stream(attempts, world, R"({"fault":")" + kind + R"(","bytes":600})",
               kind.ends_with("stall_body") || kind.ends_with("chunk_stall") ? 2s : Attempts::kLong);
    CHECK(end != "whole");
    CHECK_FALSE(text.empty());
  }
}

TEST_CASE("the list of streamed cases names every fault of a reply that has to do with text") {
  const std::vector<std::string> of_tensors{"wrong_shape", "wrong_datatype", "wrong_name",   "missing_output",
                                            "nan",         "wrong_id",       "wrong_answer", "model_version"};
  for (const auto& facts : sim::all_faults()) {
    if (facts.stage != sim::FaultStage::kReply && facts.stage != sim::FaultStage::kRequest) continue;
    const std::string name(facts.name);
    if (facts.kind == sim::FaultKind::kCloseOnReuse) continue;  // hearth_client_test: it needs a second request
    if (std::find(of_tensors.begin(), of_tensors.end(), name) != of_tensors.end()) continue;
    CAPTURE(name);
    bool named = false;
    for (const Case& one : kCases) named = named || one.fault.find(name) != std::string::npos;
    CHECK(named);
  }
}
