// hearth's own way out against every fault of the list: a clear typed error or the right answer, never anything
// between.
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include <httplib.h>
#include <catch2/catch.hpp>

#include "cloud_stub/server.h"
#include "runtime/cloud/oip_codec.h"
#include "tests/runtime/net/attempts.h"
#include "tests/support/temp_folder.h"

using namespace hearth;
using namespace std::chrono_literals;
using cloud::Encoding;
using test::Attempts;

namespace {

constexpr Duration kShort = 100ms;  // For replies that never come.

CloudBinding binding() {
  CloudBinding bound;
  bound.model = "sum";
  bound.inputs = {{"x", Datatype::kFp32, {1, 3}}};
  bound.outputs = {{"y", Datatype::kFp32, {1, 3}}};
  return bound;
}

/// Gives back its input times two.
class DoubleIt : public stub::Model {
 public:
  DoubleIt() {
    info_.name = "sum";
    info_.inputs = binding().inputs;
    info_.outputs = binding().outputs;
  }
  const stub::ModelInfo& info() const override { return info_; }
  Result<std::vector<Tensor>> run(std::span<const Tensor> inputs) override {
    std::vector<float> values;
    for (const float value : inputs[0].floats()) values.push_back(value * 2);
    return std::vector<Tensor>{Tensor::of_floats("y", {1, 3}, values)};
  }

 private:
  stub::ModelInfo info_;
};

struct World {
  explicit World(bool tls = false) {
    stub::StubConfig config;
    config.allow_faults = true;
    if (tls) config.tls = stub::make_tls_identities();
    if (tls) std::ofstream(folder.path() / "ca.pem") << config.tls->authority_pem;
    server = std::make_unique<stub::StubServer>(
        std::move(config), std::vector<std::shared_ptr<stub::Model>>{std::make_shared<DoubleIt>()});
    const auto port = server->start();
    if (!port) throw std::runtime_error(port.error().message);
    endpoint = test::endpoint_at((tls ? "https://localhost:" : "http://127.0.0.1:") + std::to_string(port.value()));
    admin = std::make_unique<httplib::Client>("127.0.0.1", server->server_port());
  }
  net::HttpOptions options(Duration connect_timeout = 10s) const {
    net::HttpOptions options;
    options.connect_timeout = connect_timeout;
    options.ca_file = (folder.path() / "ca.pem").string();
    return options;
  }
  void set(const std::string& faults) const {
    const auto reply = admin->Post("/admin/faults", R"({"faults":[)" + faults + "]}", "application/json");
    if (!reply || reply->status != 200) throw std::runtime_error(reply ? reply->body : "no reply");
  }
  std::string verdict() const { return server->verdict_json(); }

  test::TempFolder folder;
  std::unique_ptr<stub::StubServer> server;
  std::unique_ptr<httplib::Client> admin;
  Endpoint endpoint;
};

/// "right", "wrong", or "code: ..." of the attempt or of reading its reply.
std::string attempt(Attempts& attempts, const World& world, const std::string& fault, Encoding encoding,
                    Duration time = Attempts::kLong, const CloudBinding& bound = binding()) {
  static int count = 0;
  const std::string id = "attempt-" + std::to_string(++count);
  const std::vector<Tensor> inputs{Tensor::of_floats("x", {1, 3}, std::vector<float>{1, 2, 4})};
  HttpMessage message = cloud::encode_infer(bound, inputs, "", id, encoding);
  if (!fault.empty()) message.headers.emplace_back("x-hearth-fault", fault);
  const SendResult sent = attempts.send(world.endpoint, std::move(message), time);
  if (!sent.reply.ok()) return test::error_of(sent);
  const auto answer = cloud::decode_infer(bound, sent.reply.value(), id);
  if (!answer.ok()) return std::string(name_of(answer.error().code)) + ": " + answer.error().message;
  const auto values = answer.value()[0].floats();
  return values.size() == 3 && values[0] == 2 && values[1] == 4 && values[2] == 8 ? "right" : "wrong";
}

struct Case {
  std::string fault;
  std::string begins;  ///< Of what attempt() gives.
  bool hangs = false;
};

const std::vector<Case> kConnectionCases{
    {"reset_after_request", "unavailable: endpoint 'cloud': connection broke"},
    {R"({"fault":"reset_after_request","executed":true})", "unavailable: endpoint 'cloud': connection broke"},
    {"blackhole", "deadline_exceeded: ", true},
    {"half_open", "deadline_exceeded: ", true},
    {"reset_mid_head", "unavailable: "},
    {R"({"fault":"reset_mid_body","bytes":30})", "unavailable: "},
    {"cut_mid_head", "unavailable: endpoint 'cloud': the server closed the connection in the middle of its reply"},
    {R"({"fault":"cut_mid_body","bytes":30})",
     "unavailable: endpoint 'cloud': the server closed the connection in the middle"},
    {R"({"fault":"drip","bytes":50,"delay_ms":1})", "right"},
    {R"({"fault":"drip","bytes":1,"delay_ms":1000})", "deadline_exceeded: ", true},
    {R"({"fault":"slow_close","delay_ms":5})", "right"},
    {"half_close", "right"},
    {"close_after_reply", "right"},
    {R"({"fault":"latency","delay_ms":5})", "right"},
    {R"({"fault":"latency","delay_ms":100000})", "deadline_exceeded: ", true},
    {R"({"fault":"loss","delay_ms":1,"enter_bad":1,"packets":2})", "right"},
};

const std::vector<Case> kProtocolCases{
    {R"({"fault":"status","status":400})", "invalid_argument: the server answered with status 400"},
    {R"({"fault":"status","status":401})", "invalid_argument: "},
    {R"({"fault":"status","status":403})", "invalid_argument: "},
    {R"({"fault":"status","status":404})", "invalid_argument: "},
    {R"({"fault":"status","status":408})", "unavailable: "},
    {R"({"fault":"status","status":413})", "invalid_argument: "},
    {R"({"fault":"status","status":422})", "invalid_argument: "},
    {R"({"fault":"status","status":429,"retry_after":"99999999999999999999"})", "unavailable: "},
    {R"({"fault":"status","status":429,"retry_after":"soon"})", "unavailable: "},
    {R"({"fault":"status","status":500})", "unavailable: "},
    {R"({"fault":"status","status":502})", "unavailable: "},
    {R"({"fault":"status","status":503,"retry_after":"Wed, 21 Oct 2099 07:28:00 GMT"})", "unavailable: "},
    {R"({"fault":"status","status":504})", "unavailable: "},
    {R"({"fault":"status","status":529})", "unavailable: "},
    {R"({"fault":"clock_skew","skew_ms":-80000000})", "unavailable: "},
    {R"({"fault":"slow_head","delay_ms":5})", "right"},
    {"slow_head", "deadline_exceeded: ", true},
    {R"({"fault":"stall_body","bytes":10,"delay_ms":5})", "right"},
    {R"({"fault":"stall_body","bytes":10})", "deadline_exceeded: ", true},
    {"garbage", "corrupt: endpoint 'cloud': not an HTTP reply"},
    {"bad_status_line", "corrupt: endpoint 'cloud': not an HTTP reply"},
    {"bad_header", "corrupt: endpoint 'cloud': not an HTTP reply"},
    {"huge_head", "resource_exhausted: endpoint 'cloud': reply head over"},
    {"length_too_long", "deadline_exceeded: ", true},
    {"length_too_short", "corrupt: "},
    {"length_twice", "corrupt: endpoint 'cloud': not an HTTP reply"},
    {"duplicate_bytes", "corrupt: "},
    {"bad_chunk", "corrupt: endpoint 'cloud': not an HTTP reply"},
    {"chunk_cut", "unavailable: endpoint 'cloud': the server closed the connection in the middle of its reply"},
    {R"({"fault":"chunk_stall","delay_ms":5})", "right"},
    {"chunk_stall", "deadline_exceeded: ", true},
    {"interim_flood", "corrupt: endpoint 'cloud': unexpected interim replies"},
    {"duplicate_reply", "right"},
    {"redirect", "corrupt: the server answered with status 307"},
    {R"({"fault":"redirect","status":301})", "corrupt: the server answered with status 301"},
    {"no_continue", "right"},  // hearth never asks to be told to continue
    {"huge_body", "resource_exhausted: endpoint 'cloud': reply body over"},
    {"gzip_bomb", "resource_exhausted: endpoint 'cloud': reply body over"},
};

const std::vector<Case> kAnswerCases{
    {"bad_json", "corrupt: reply: not a JSON object"},
    {"html_page", "corrupt: reply: not a JSON object"},
    {"wrong_content_type", "right"},
    {"wrong_shape", "corrupt: reply: output 'y': another shape"},
    {"wrong_datatype", "corrupt: reply: output 'y': another datatype"},
    {"wrong_name", "corrupt: reply: output 'y': is missing"},
    {"missing_output", "corrupt: reply: output 'y': is missing"},
    {"nan", "corrupt: reply: "},
    {"wrong_id", "corrupt: reply: another id"},
    {"model_version", "right"},  // no version was asked for
    {"wrong_answer", "wrong"},   // nothing in the protocol could tell
};

std::vector<Case> cases() {
  std::vector<Case> all = kConnectionCases;
  all.insert(all.end(), kProtocolCases.begin(), kProtocolCases.end());
  all.insert(all.end(), kAnswerCases.begin(), kAnswerCases.end());
  return all;
}

}  // namespace

TEST_CASE("each fault that a request can ask for ends an attempt as it should, in JSON and in binary") {
  const World world;
  for (const Encoding encoding : {Encoding::kJson, Encoding::kBinary}) {
    CAPTURE(static_cast<int>(encoding));
    for (const Case& expected : cases()) {
      CAPTURE(expected.fault);
      Attempts attempts(world.options());
      const std::string got =
          attempt(attempts, world, expected.fault, encoding, expected.hangs ? kShort : Attempts::kLong);
      CAPTURE(got);
      CHECK(got.substr(0, expected.begins.size()) == expected.begins);
      // Whatever it was, the next attempt over the same transport gets its own, right answer, or a clean break.
      const std::string next = attempt(attempts, world, "", encoding);
      CAPTURE(next);
      CHECK((next == "right" || next.starts_with("unavailable: ")));
      CHECK(attempt(attempts, world, "", encoding) == "right");
    }
  }
  CHECK(world.verdict().find(R"("ids_executed_twice":0)") != std::string::npos);
  CHECK(world.verdict().find(R"("redirects_followed":0)") != std::string::npos);
}

TEST_CASE("a list of cases names every fault that a request can ask for") {
  for (const auto& facts : sim::all_faults()) {
    if (facts.stage != sim::FaultStage::kReply && facts.stage != sim::FaultStage::kRequest) continue;
    if (facts.kind == sim::FaultKind::kCloseOnReuse) continue;  // below: it needs a second request
    CAPTURE(std::string(facts.name));
    bool named = false;
    for (const Case& one : cases()) {
      named =
          named || one.fault == facts.name || one.fault.find('"' + std::string(facts.name) + '"') != std::string::npos;
    }
    CHECK(named);
  }
}

TEST_CASE("a model version that was asked for must be the one that answers") {
  const World world;
  Attempts attempts(world.options());
  CloudBinding bound = binding();
  bound.version = "1";
  CHECK(attempt(attempts, world, "", Encoding::kBinary, Attempts::kLong, bound) == "right");
  CHECK(attempt(attempts, world, "model_version", Encoding::kBinary, Attempts::kLong, bound) ==
        "corrupt: reply: another model version");
}

TEST_CASE("a connection that closes as it is reused fails one attempt and is not tried again behind its back") {
  const World world;
  world.set(R"({"fault":"close_on_reuse","times":2})");
  Attempts attempts(world.options());
  CHECK(attempt(attempts, world, "", Encoding::kBinary) == "right");
  CHECK(
      attempt(attempts, world, "", Encoding::kBinary).starts_with("unavailable: endpoint 'cloud': the server closed"));
  CHECK(attempt(attempts, world, "", Encoding::kBinary) == "right");
  CHECK(world.server->stats().ok == 2);
}

TEST_CASE("connection faults end attempts in time") {
  const World world;
  const auto with = [&](const std::string& faults, Duration time) {
    world.set(faults);
    Attempts attempts(world.options());
    return attempt(attempts, world, "", Encoding::kBinary, time);
  };
  CHECK(with(R"({"fault":"never_read"})", kShort).starts_with("deadline_exceeded: "));
  CHECK(with(R"({"fault":"reset_on_accept"})", Attempts::kLong).starts_with("unavailable: "));
  CHECK(with(R"({"fault":"slow_accept","delay_ms":5})", Attempts::kLong) == "right");
  CHECK(with(R"({"fault":"slow_read","bytes":50,"delay_ms":1})", Attempts::kLong) == "right");
  CHECK(with(R"({"fault":"partition"})", kShort).starts_with("deadline_exceeded: "));
  CHECK(with(R"({"fault":"partition","direction":"down"})", kShort).starts_with("deadline_exceeded: "));
  world.set(R"({"fault":"refuse"})");
  std::string refused;
  for (int tries = 0; tries < 200 && !refused.ends_with("Connection refused"); ++tries) {
    Attempts attempts(world.options());
    refused = attempt(attempts, world, "", Encoding::kBinary);
    CHECK(refused.starts_with("unavailable: "));  // never anything else, also while the port closes
  }
  CHECK(refused == "unavailable: endpoint 'cloud': cannot connect: Connection refused");
  CHECK(with(R"({"fault":"rate_limit","per_s":0.001,"burst":1},{"fault":"rate_limit","per_s":0.001,"burst":1})",
             Attempts::kLong) != "wrong");
}

TEST_CASE("over TLS a wrong certificate, a stalled handshake and another protocol are no connection") {
  const World world(true);
  const auto with = [&](const std::string& faults, Duration connect_timeout = 10s) {
    world.set(faults);
    Attempts attempts(world.options(connect_timeout));
    return attempt(attempts, world, "", Encoding::kBinary);
  };
  CHECK(with("") == "right");
  const std::string refused = "unavailable: endpoint 'cloud': TLS handshake failed: ";
  for (const std::string fault : {"tls_expired", "tls_wrong_name", "tls_untrusted"}) {
    CAPTURE(fault);
    CHECK(with(R"({"fault":")" + fault + "\"}") == refused + "certificate verify failed (SSL routines)");
  }
  CHECK(with(R"({"fault":"tls_garbage"})").starts_with(refused));
  CHECK(with(R"({"fault":"tls_stall"})", kShort) ==
        "unavailable: endpoint 'cloud': no connection within the connect timeout");
  CHECK(world.server->stats().infer_requests == 1);  // nothing was said to whom it could not trust
}

TEST_CASE("over TLS resets, cuts and second replies end as they do without") {
  const World world(true);
  for (const Case& expected :
       {Case{"reset_mid_body", "unavailable: "}, Case{"cut_mid_body", "unavailable: "},
        Case{"reset_after_request", "unavailable: "}, Case{"garbage", "corrupt: "}, Case{"duplicate_reply", "right"},
        Case{"length_too_short", "corrupt: "}, Case{"blackhole", "deadline_exceeded: ", true}}) {
    CAPTURE(expected.fault);
    Attempts attempts(world.options());
    const std::string got =
        attempt(attempts, world, expected.fault, Encoding::kBinary, expected.hangs ? kShort : Attempts::kLong);
    CAPTURE(got);
    CHECK(got.starts_with(expected.begins));
    const std::string next = attempt(attempts, world, "", Encoding::kBinary);
    CAPTURE(next);
    CHECK((next == "right" || next.starts_with("unavailable: ")));
  }
}
