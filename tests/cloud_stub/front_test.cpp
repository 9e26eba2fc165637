// What a client sees of each fault, on a real socket.
#include "tests/cloud_stub/raw_client.h"
#include "tests/cloud_stub/server_fixture.h"

using namespace hearth;
using namespace hearth::stub;
using nlohmann::json;

namespace {

StubConfig with_faults() {
  StubConfig config;
  config.allow_faults = true;
  return config;
}

/// A stub behind its front, and its admin calls, which no fault touches.
class Fronted : public Served {
 public:
  explicit Fronted(StubConfig config = with_faults())
      : Served(std::move(config)), admin_("127.0.0.1", server().server_port()) {}

  void set(const std::string& faults) {
    const auto reply = admin_.Post("/admin/faults", R"({"faults":[)" + faults + "]}", "application/json");
    REQUIRE(reply);
    INFO(reply->body);
    REQUIRE(reply->status == 200);
  }
  void clear() { REQUIRE(admin_.Delete("/admin/faults")->status == 200); }
  json ask(const std::string& path) { return json::parse(admin_.Get(path)->body); }
  std::uint64_t executed() { return ask("/admin/verdict")["executed"]; }
  httplib::Client& admin() { return admin_; }

 private:
  httplib::Client admin_;
};

std::string request(const std::string& headers = "", const std::string& body = kDoubleJson) {
  return "POST /v2/models/double/infer HTTP/1.1\r\nHost: a\r\n" + headers +
         "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

std::string asking(const std::string& fault) {
  return request("Connection: close\r\nx-hearth-fault: " + fault + "\r\n");
}

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

/// The doubled values of kDoubleJson.
bool is_right(const std::string& reply) { return has(reply, "[3.0,-4.0]"); }

struct Seen {
  std::string bytes;
  std::string end;
};

Seen see(const Fronted& stub, const std::string& fault, bool hangs = false) {
  RawClient client(const_cast<Fronted&>(stub).port());
  client.send(asking(fault));
  Seen seen;
  seen.bytes = client.read_all(hangs ? RawClient::kQuietMs : RawClient::kPatienceMs);
  seen.end = client.end();
  return seen;
}

}  // namespace

TEST_CASE("without an active fault the front changes nothing") {
  Fronted stub;
  CHECK(stub.port() != stub.server().server_port());
  CHECK(is_right(stub.post("/v2/models/double/infer", kDoubleJson).body));
  CHECK(stub.get("/v2/health/live").status == 200);
  CHECK(stub.client().Head("/v2")->status == 200);
  CHECK(stub.get("/nowhere").status == 404);
  CHECK(stub.stats()["connections"] == 1);
  RawClient chunked(stub.port());
  chunked.send(
      "POST /v2/models/double/infer HTTP/1.1\r\nTransfer-Encoding: chunked\r\nConnection: "
      "close\r\n\r\n2\r\n{}\r\n0\r\n\r\n");
  CHECK(has(chunked.read_all(), "HTTP/1.1 400 "));
  RawClient nonsense(stub.port());
  nonsense.send("nonsense\r\n\r\n");
  CHECK(has(nonsense.read_until("\r\n\r\n"), "HTTP/1.1 400 "));
  StubConfig small = with_faults();
  small.body_bytes_max = 1000;
  Fronted limited(small);
  CHECK(limited.post("/v2/models/double/infer", std::string(300'000, ' ')).status == 413);
  CHECK(is_right(limited.post("/v2/models/double/infer", kDoubleJson).body));
}

TEST_CASE("nobody listens while refuse is active, and after it the same port answers") {
  Fronted stub;
  stub.set(R"({"fault":"refuse"})");
  std::string end;
  for (int tries = 0; tries < 2000 && end != "refused"; ++tries) end = RawClient(stub.port()).end();
  CHECK(end == "refused");
  stub.clear();
  for (int tries = 0; tries < 2000 && end != "open"; ++tries) end = RawClient(stub.port()).end();
  CHECK(end == "open");
  CHECK(is_right(stub.post("/v2/models/double/infer", kDoubleJson).body));
}

TEST_CASE("connections are never read, reset, accepted late or read slowly") {
  Fronted stub;
  stub.set(R"({"fault":"never_read","times":1},{"fault":"reset_on_accept","times":1},)"
           R"({"fault":"slow_accept","delay_ms":5,"times":1},{"fault":"slow_read","bytes":40,"delay_ms":1})");
  RawClient unread(stub.port());
  unread.send(request());
  CHECK(unread.read_all(RawClient::kQuietMs).empty());
  CHECK(unread.end() == "open");
  RawClient reset(stub.port());
  CHECK(reset.read_all().empty());
  CHECK(reset.end() == "reset");
  RawClient late(stub.port());
  late.send(request("Connection: close\r\n"));
  CHECK(is_right(late.read_all()));
  RawClient slow(stub.port());
  slow.send(request("Connection: close\r\n"));
  CHECK(is_right(slow.read_all()));
  CHECK(stub.executed() == 2);
  CHECK(stub.ask("/admin/faults")["faults"][3]["hits"] == 1);
}

TEST_CASE("a partition holds bytes back in its direction, and they flow when it ends") {
  Fronted stub;
  for (const std::string direction : {"up", "down", "both"}) {
    CAPTURE(direction);
    const std::uint64_t before = stub.executed();
    stub.set(R"({"fault":"partition","direction":")" + direction + "\"}");
    RawClient client(stub.port());
    client.send(request("Connection: close\r\n"));
    CHECK(client.read_all(RawClient::kQuietMs).empty());
    CHECK(client.end() == "open");
    if (direction != "down") CHECK(stub.executed() == before);
    stub.clear();
    CHECK(is_right(client.read_all()));
    CHECK(stub.executed() == before + 1);
  }
}

TEST_CASE("a request is lost before or after it ran") {
  Fronted stub;
  CHECK(see(stub, "reset_after_request").end == "reset");
  CHECK(stub.executed() == 0);
  CHECK(see(stub, R"({"fault":"reset_after_request","executed":true})").end == "reset");
  CHECK(stub.executed() == 1);
  const Seen hole = see(stub, "blackhole", true);
  CHECK(hole.bytes.empty());
  CHECK(hole.end == "open");
  CHECK(stub.executed() == 1);
  CHECK(see(stub, R"({"fault":"blackhole","executed":true})", true).bytes.empty());
  CHECK(stub.executed() == 2);
  const Seen silent = see(stub, "half_open", true);
  CHECK(silent.bytes.empty());
  CHECK(silent.end == "open");
  CHECK(stub.ask("/admin/verdict")["attempts"] == 5);
}

TEST_CASE("a kept connection closes just as it is used again, after a reply, or on one side") {
  Fronted stub;
  stub.set(R"({"fault":"close_on_reuse"})");
  RawClient reused(stub.port());
  reused.send(request());
  CHECK(is_right(reused.read_until("]}]}")));
  reused.send(request());
  CHECK(reused.read_all().empty());
  CHECK(reused.end() == "closed");
  stub.set(R"({"fault":"close_after_reply","times":1},{"fault":"half_close"})");
  RawClient closed(stub.port());
  closed.send(request());
  CHECK(is_right(closed.read_all()));
  CHECK(closed.end() == "closed");
  RawClient half(stub.port());
  half.send(request());
  CHECK(is_right(half.read_all()));
  CHECK(half.end() == "closed");
  CHECK(half.send(request()));  // still read, never answered
  CHECK(stub.executed() == 3);
}

TEST_CASE("replies break off, drip, stall or come late") {
  Fronted stub;
  const Seen reset = see(stub, R"({"fault":"reset_mid_body","bytes":10})");
  CHECK(reset.end == "reset");
  const Seen head = see(stub, "reset_mid_head");
  CHECK(head.end == "reset");
  CHECK_FALSE(has(head.bytes, "\r\n\r\n"));
  const Seen cut = see(stub, R"({"fault":"cut_mid_body","bytes":10})");
  CHECK(cut.end == "closed");
  CHECK(cut.bytes.size() == cut.bytes.find("\r\n\r\n") + 4 + 10);
  CHECK_FALSE(has(see(stub, "cut_mid_head").bytes, "\r\n\r\n"));
  CHECK(is_right(see(stub, R"({"fault":"drip","bytes":30,"delay_ms":1})").bytes));
  CHECK(is_right(see(stub, R"({"fault":"slow_head","delay_ms":5})").bytes));
  CHECK(is_right(see(stub, R"({"fault":"slow_close","delay_ms":5})").bytes));
  CHECK(is_right(see(stub, R"({"fault":"chunk_stall","bytes":500,"delay_ms":5})").bytes));
  for (const std::string fault : {"stall_body", "chunk_stall", "length_too_long"}) {
    CAPTURE(fault);
    const Seen stalled = see(stub, fault, true);
    CHECK(has(stalled.bytes, "HTTP/1.1 200 OK\r\n"));
    CHECK(stalled.end == "open");
  }
}

TEST_CASE("replies lie about themselves") {
  Fronted stub;
  CHECK_FALSE(has(see(stub, "garbage").bytes, "HTTP/1.1"));
  CHECK(has(see(stub, "bad_status_line").bytes, "HTTP/one.one two hundred OK\r\n"));
  CHECK(has(see(stub, "bad_header").bytes, "Broken header\x01: value\r\n"));
  CHECK(see(stub, R"({"fault":"huge_head","bytes":100000})").bytes.size() > 100'000);
  CHECK(has(see(stub, "interim_flood").bytes, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 100 Continue"));
  const std::string twice = see(stub, "duplicate_reply").bytes;
  CHECK(has(twice.substr(twice.find("HTTP/1.1 200") + 5), "HTTP/1.1 200"));
  CHECK(has(see(stub, "html_page").bytes, "<html>"));
  CHECK(has(see(stub, "wrong_content_type").bytes, "text/html"));
  CHECK(has(see(stub, "wrong_id").bytes, R"("id":"another-q")"));
  CHECK(has(see(stub, "nan").bytes, "[NaN,"));
  CHECK(has(see(stub, "wrong_answer").bytes, "[-4.0,3.0]"));
  CHECK(has(see(stub, "model_version").bytes, "7.next"));
  CHECK(see(stub, R"({"fault":"huge_body","bytes":1000000})").bytes.size() > 1'000'000);
  CHECK(has(see(stub, R"({"fault":"gzip_bomb","bytes":1000000})").bytes, "Content-Encoding: gzip"));
}

TEST_CASE("statuses come with Retry-After in every form, redirects with a place that counts who comes") {
  Fronted stub;
  for (const std::string status :
       {"400", "401", "403", "404", "408", "413", "422", "429", "500", "502", "503", "504", "529"}) {
    CAPTURE(status);
    CHECK(has(see(stub, R"({"fault":"status","status":)" + status + "}").bytes, "HTTP/1.1 " + status + " "));
  }
  for (const std::string after : {"2", "Wed, 21 Oct 2099 07:28:00 GMT", "soon", "99999999999999999999"}) {
    CAPTURE(after);
    const std::string asked = R"({"fault":"status","status":429,"retry_after":")" + after + "\"}";
    CHECK(has(see(stub, asked).bytes, "Retry-After: " + after + "\r\n"));
  }
  CHECK(has(see(stub, R"({"fault":"clock_skew","skew_ms":7200000,"delay_ms":1000})").bytes, " GMT\r\n"));
  CHECK(stub.executed() == 0);
  const std::string redirect = see(stub, R"({"fault":"redirect","status":308})").bytes;
  CHECK(has(redirect, "HTTP/1.1 308 "));
  CHECK(has(redirect, "Location: http://127.0.0.1:" + std::to_string(stub.port()) + "/redirected/\r\n"));
  CHECK(stub.ask("/admin/verdict")["redirects_followed"] == 0);
  stub.post("/redirected/", kDoubleJson);
  CHECK(stub.ask("/admin/verdict")["redirects_followed"] == 1);
  CHECK(stub.ask("/admin/verdict")["clean"] == false);
}

TEST_CASE("100-continue comes as it should, and never when the fault says so") {
  Fronted stub;
  const std::string head =
      "POST /v2/models/double/infer HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nConnection: "
      "close\r\nContent-Length: " +
      std::to_string(kDoubleJson.size()) + "\r\n\r\n";
  RawClient well(stub.port());
  well.send(head);
  CHECK(has(well.read_until("\r\n\r\n"), "HTTP/1.1 100 Continue"));
  well.send(kDoubleJson);
  CHECK(is_right(well.read_all()));
  stub.set(R"({"fault":"no_continue"})");
  RawClient kept(stub.port());
  kept.send(head);
  CHECK(kept.read_all(RawClient::kQuietMs).empty());
  kept.send(kDoubleJson);
  const std::string reply = kept.read_all();
  CHECK(is_right(reply));
  CHECK_FALSE(has(reply, "100 Continue"));
}

TEST_CASE("load faults delay, slow down and refuse; health stays well") {
  Fronted stub;
  stub.set(
      R"({"fault":"latency","delay_ms":3},{"fault":"loss","delay_ms":1,"enter_bad":1,"packets":1},)"
      R"({"fault":"degraded","factor":2},{"fault":"cold_start","delay_ms":5},{"fault":"brown_out","delay_ms":5,"for_ms":60000})");
  CHECK(is_right(stub.post("/v2/models/double/infer", kDoubleJson).body));
  stub.set(R"({"fault":"rate_limit","per_s":0.001,"burst":1})");
  CHECK(stub.post("/v2/models/double/infer", kDoubleJson).status == 200);
  const auto limited = stub.post("/v2/models/double/infer", kDoubleJson);
  CHECK(limited.status == 429);
  CHECK(std::stoi(limited.get_header_value("Retry-After")) > 900);
  stub.set(R"({"fault":"queue","delay_ms":30000,"queue_max":0})");
  RawClient first(stub.port());
  first.send(request());
  CHECK(first.read_all(RawClient::kQuietMs).empty());  // served in 30 s
  CHECK(stub.post("/v2/models/double/infer", kDoubleJson).status == 503);
  stub.set(R"({"fault":"status","status":500})");
  CHECK(stub.get("/v2/health/ready").status == 200);
  CHECK(stub.post("/v2/models/double/infer", kDoubleJson).status == 500);
  stub.set(R"({"fault":"status","status":500,"route":"any"})");
  CHECK(stub.get("/v2/health/ready").status == 500);
}

TEST_CASE("faults are set, listed and taken back while the stub runs; what is wrong is refused as a whole") {
  Fronted stub;
  stub.set(R"({"fault":"status","times":1},{"fault":"nan","at_ms":80000000})");
  CHECK(stub.post("/v2/models/double/infer", kDoubleJson).status == 503);
  CHECK(stub.post("/v2/models/double/infer", kDoubleJson).status == 200);
  const json listed = stub.ask("/admin/faults");
  CHECK(listed["faults"][0] == json({{"fault", "status"}, {"active", true}, {"hits", 1}}));
  CHECK(listed["faults"][1] == json({{"fault", "nan"}, {"active", false}, {"hits", 0}}));
  CHECK(listed["log"].size() == 1);
  CHECK(listed["log"][0]["fault"] == "status");
  CHECK(listed["log"][0]["by"] == "timeline");
  const auto wrong = stub.admin().Post("/admin/faults", R"({"faults":[{"fault":"statue"}]})", "application/json");
  CHECK(wrong->status == 400);
  CHECK(has(error_of(*wrong), R"(did you mean "status"?)"));
  const auto client_side =
      stub.admin().Post("/admin/faults", R"({"faults":[{"fault":"dns_failure"}]})", "application/json");
  CHECK(has(error_of(*client_side), "only a simulation serves it"));
  const auto tls = stub.admin().Post("/admin/faults", R"({"faults":[{"fault":"tls_expired"}]})", "application/json");
  CHECK(has(error_of(*tls), "needs TLS"));
  CHECK(stub.ask("/admin/faults")["faults"].size() == 2);
  stub.clear();
  CHECK(stub.ask("/admin/faults")["faults"].empty());
  CHECK(stub.admin().Put("/admin/faults", "{}", "application/json")->status == 405);
}

TEST_CASE("the header is obeyed only when the stub was started for it, and a wrong one is refused") {
  Fronted stub;
  CHECK(has(see(stub, "stats").bytes, R"(unknown fault)"));
  CHECK(has(see(stub, "refuse").bytes, "strikes more than one request"));
  CHECK(stub.executed() == 0);
  Served plain;
  const auto refused = plain.post("/v2/models/double/infer", kDoubleJson, {{"x-hearth-fault", "nan"}});
  CHECK(refused.status == 400);
  CHECK(has(error_of(refused), "--allow-faults"));
  CHECK(plain.client().Post("/admin/faults", R"({"faults":[]})", "application/json")->status == 403);
  StubConfig timeline;
  timeline.faults = sim::parse_timeline(R"({"faults":[{"fault":"status","status":502}]})", "t").value();
  Served fixed(timeline);
  CHECK(fixed.post("/v2/models/double/infer", kDoubleJson).status == 502);
  CHECK(fixed.get("/v2").status == 200);
  CHECK(fixed.post("/v2", "x", {{"x-hearth-fault", "nan"}}).status == 400);
}

TEST_CASE("what a fault swallows still counts for the tripwire") {
  Fronted stub;
  REQUIRE(stub.admin().Post("/admin/tripwire", R"({"canaries":["Maria Huber"]})", "application/json")->status == 200);
  const auto seen = [&] { return stub.ask("/admin/stats")["canaries_seen"].get<int>(); };
  const std::string body = R"({"id":"Maria Huber"})";
  RawClient hole(stub.port());
  hole.send(request("Connection: close\r\nx-hearth-fault: reset_after_request\r\n", body));
  hole.read_all();
  CHECK(seen() == 1);
  {
    RawClient cut(stub.port());
    cut.send("POST /v2/models/double/infer HTTP/1.1\r\nContent-Length: 100\r\n\r\n" + body);
  }
  for (int tries = 0; tries < 2000 && seen() < 2; ++tries) ::usleep(1000);
  CHECK(seen() == 2);
  stub.set(R"({"fault":"never_read"})");
  { RawClient(stub.port()).send(request("", body)); }
  for (int tries = 0; tries < 2000 && seen() < 3; ++tries) ::usleep(1000);
  CHECK(seen() == 3);
  CHECK(stub.ask("/admin/verdict")["clean"] == false);
}

TEST_CASE("stopping the stub ends hanging conversations at once") {
  auto stub = std::make_unique<Fronted>();
  RawClient client(stub->port());
  client.send(asking("blackhole"));
  CHECK(client.read_all(RawClient::kQuietMs).empty());
  stub.reset();
  client.read_all();
  CHECK(client.end() != "open");
}
