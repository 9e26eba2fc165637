// Goal: the virtual network costs what a real one costs, and breaks as a real one breaks. Method: single attempts,
// whose times can be worked out by hand.
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <catch2/catch.hpp>

#include "runtime/cloud/oip_codec.h"
#include "runtime/sim/simulated_transport.h"
#include "tests/support/sim_world.h"
#include "tests/support/test_permit.h"

using namespace hearth;
using namespace hearth::test;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

const Endpoint kPlain{"eu-1", "http://127.0.0.1:1", "eu"};
const Endpoint kTls{"eu-1", "https://cloud.example", "eu"};

/// 50 ms there and back, and bytes cost nothing.
sim::Network quick(std::initializer_list<std::string> faults = {}) {
  sim::Network network = network_with(faults);
  network.link.round_trip_median = milliseconds(50);
  network.link.round_trip_sigma = 0;
  network.link.up_mbit_per_s = network.link.down_mbit_per_s = 1e6;
  return network;
}

struct Wire {
  explicit Wire(sim::Network network, sim::Responder responder = server())
      : transport(loop, std::move(network), std::move(responder), 1) {}

  static sim::Responder server() {
    return sim::oip_server(tagger_pair().cloud, [](const std::vector<std::string>&) { return scores(1, 2, 4); });
  }

  struct Got {
    std::string what = "nothing";  ///< "right", "wrong", or the code of the attempt's error or of its reply's.
    double took_ms = -1;           ///< To the microsecond.
    int status = 0;
    std::uint64_t bytes_sent = 0;
    bool silent = false;
  };

  void begin(Got& got, Duration deadline = seconds(10), const Endpoint& endpoint = kPlain) {
    const std::string id = "attempt-" + std::to_string(++last);
    auto message = cloud::encode_infer(tagger_pair().cloud, photo(1).inputs, "", id, cloud::Encoding::kBinary);
    const TimePoint began = loop.now();
    transport.send(last, permit_for(endpoint, std::move(message)), began + deadline,
                   [this, &got, id, began](SendResult result) {
                     got.took_ms = to_ms(std::chrono::floor<std::chrono::microseconds>(loop.now() - began));
                     got.bytes_sent = result.bytes_sent;
                     got.silent = result.silent;
                     if (!result.reply.ok()) {
                       got.what = name_of(result.reply.error().code);
                       return;
                     }
                     got.status = result.reply->status;
                     const auto answer = cloud::decode_infer(tagger_pair().cloud, result.reply.value(), id);
                     if (!answer.ok()) {
                       got.what = name_of(answer.error().code);
                     } else {
                       const auto values = answer.value()[0].floats();
                       got.what = values[0] == 1 && values[1] == 2 && values[2] == 4 ? "right" : "wrong";
                     }
                   });
  }
  Got attempt(Duration deadline = seconds(10), const Endpoint& endpoint = kPlain) {
    Got got;
    begin(got, deadline, endpoint);
    loop.run_until(loop.now() + deadline);
    CHECK(transport.in_flight() == 0);
    return got;
  }

  sim::VirtualLoop loop;
  sim::SimulatedTransport transport;
  AttemptId last = 0;
};

struct Case {
  std::string fault;
  std::string what;
  int status = 0;
};
// What runtime/net makes of them, as tests/cloud_stub/hearth_client_test.cpp has it from real sockets.
const std::vector<Case> kCases{{"refuse", "unavailable"},
                               {"never_read", "deadline_exceeded"},
                               {"reset_on_accept", "unavailable"},
                               {R"({"fault":"slow_accept","delay_ms":5})", "right"},
                               {R"({"fault":"slow_read","bytes":50,"delay_ms":1})", "right"},
                               {"tls_expired", "unavailable"},
                               {"tls_wrong_name", "unavailable"},
                               {"tls_untrusted", "unavailable"},
                               {"tls_stall", "unavailable"},
                               {"tls_garbage", "unavailable"},
                               {R"({"fault":"partition","at_ms":60})", "unavailable"},
                               {R"({"fault":"partition","at_ms":60,"direction":"up"})", "unavailable"},
                               {R"({"fault":"partition","at_ms":60,"direction":"down"})", "unavailable"},
                               {"partition", "unavailable"},  // no connection comes about
                               {R"({"fault":"latency","delay_ms":5})", "right"},
                               {R"({"fault":"latency","delay_ms":100000})", "deadline_exceeded"},
                               {R"({"fault":"loss","delay_ms":1,"enter_bad":1,"packets":2})", "right"},
                               {"queue", "right"},
                               {R"({"fault":"queue","delay_ms":100000})", "deadline_exceeded"},
                               {R"({"fault":"cold_start","delay_ms":5})", "right"},
                               {"degraded", "right"},
                               {R"({"fault":"rate_limit","per_s":0.001,"burst":1})", "right"},
                               {R"({"fault":"brown_out","delay_ms":100,"for_ms":60000})", "right"},
                               {"reset_after_request", "unavailable"},
                               {R"({"fault":"reset_after_request","executed":true})", "unavailable"},
                               {"blackhole", "deadline_exceeded"},
                               {"half_open", "deadline_exceeded"},
                               {"close_on_reuse", "right"},
                               {R"({"fault":"status","status":400})", "invalid_argument", 400},
                               {R"({"fault":"status","status":429})", "unavailable", 429},
                               {"status", "unavailable", 503},
                               {"redirect", "corrupt", 307},
                               {"no_continue", "right"},
                               {R"({"fault":"clock_skew","skew_ms":-80000000})", "unavailable", 503},
                               {"reset_mid_head", "unavailable"},
                               {R"({"fault":"reset_mid_body","bytes":30})", "unavailable"},
                               {"cut_mid_head", "unavailable"},
                               {R"({"fault":"cut_mid_body","bytes":30})", "unavailable"},
                               {R"({"fault":"drip","bytes":50,"delay_ms":1})", "right"},
                               {R"({"fault":"drip","bytes":1,"delay_ms":1000})", "deadline_exceeded"},
                               {R"({"fault":"slow_close","delay_ms":5})", "right"},
                               {"half_close", "right"},
                               {"close_after_reply", "right"},
                               {"duplicate_bytes", "corrupt"},
                               {"garbage", "corrupt"},
                               {R"({"fault":"slow_head","delay_ms":5})", "right"},
                               {"slow_head", "deadline_exceeded"},
                               {R"({"fault":"stall_body","bytes":10,"delay_ms":5})", "right"},
                               {R"({"fault":"stall_body","bytes":10})", "deadline_exceeded"},
                               {"bad_status_line", "corrupt"},
                               {"bad_header", "corrupt"},
                               {"huge_head", "resource_exhausted"},
                               {"length_too_long", "deadline_exceeded"},
                               {"length_too_short", "corrupt"},
                               {"length_twice", "corrupt"},
                               {"bad_chunk", "corrupt"},
                               {"chunk_cut", "unavailable"},
                               {R"({"fault":"chunk_stall","delay_ms":5})", "right"},
                               {"chunk_stall", "deadline_exceeded"},
                               {"bad_json", "corrupt"},
                               {"html_page", "corrupt"},
                               {"wrong_content_type", "right"},
                               {"wrong_shape", "corrupt"},
                               {"wrong_datatype", "corrupt"},
                               {"wrong_name", "corrupt"},
                               {"missing_output", "corrupt"},
                               {"nan", "corrupt"},
                               {"wrong_id", "corrupt"},
                               {"duplicate_reply", "right"},
                               {"interim_flood", "corrupt"},
                               {"huge_body", "resource_exhausted"},
                               {"gzip_bomb", "resource_exhausted"},
                               {"wrong_answer", "wrong"},
                               {"model_version", "right"},
                               {"dns_failure", "unavailable"},
                               {"address_change", "right"}};

}  // namespace

TEST_CASE("a new connection costs a round trip, with TLS two, and one that is kept none", "[sim]") {
  Wire wire(quick());
  CHECK(wire.attempt(seconds(1)).took_ms == Approx(100).margin(0.1));
  CHECK(wire.attempt(seconds(1)).took_ms == Approx(50).margin(0.1));
  wire.loop.run_until(wire.loop.now() + seconds(5));  // idle for longer than connections are kept
  CHECK(wire.attempt(seconds(1)).took_ms == Approx(100).margin(0.1));
  CHECK(wire.transport.connections_opened() == 2);
  Wire tls(quick());
  CHECK(tls.attempt(seconds(1), kTls).took_ms == Approx(150).margin(0.1));
}

TEST_CASE("transfers under way share a direction, and what they leave goes to the others", "[sim]") {
  sim::VirtualLoop loop;
  sim::Pipe pipe(loop, sim::Capacity(0.008, nullptr));  // 1,000 bytes a second
  std::vector<std::pair<int, double>> done;
  const auto tell = [&](int which) {
    return [&, which] { done.emplace_back(which, to_ms(loop.now().time_since_epoch())); };
  };
  pipe.start(1000, tell(1));
  loop.schedule_at(TimePoint(milliseconds(500)), [&] { pipe.start(250, tell(2)); });
  const auto gone = [&] { return pipe.start(5000, tell(3)); }();
  loop.schedule_at(TimePoint(milliseconds(100)), [&] { pipe.abort(gone); });
  loop.run_until_idle();
  REQUIRE(done.size() == 2);
  // 50 bytes in the first 100 ms, beside the third; then 400; then 250 each, side by side; then the rest.
  CHECK(done[0].first == 2);
  CHECK(done[0].second == Approx(1000).margin(0.01));
  CHECK(done[1].first == 1);
  CHECK(done[1].second == Approx(1300).margin(0.01));
}

TEST_CASE("bytes leave when a trace lets a packet go, and the trace begins anew at its end", "[sim]") {
  sim::VirtualLoop loop;
  const auto trace = std::make_shared<sim::PacketTrace>(sim::PacketTrace{{10, 20, 20, 40}});
  sim::Pipe pipe(loop, sim::Capacity(0, trace));
  std::vector<double> done;
  const auto tell = [&] { done.push_back(to_ms(loop.now().time_since_epoch())); };
  pipe.start(100, tell);  // alone in the first packet: the rest of it is lost
  loop.run_until_idle();
  pipe.start(1500 + 1500 + 1, tell);  // 20, 20, 40
  loop.run_until_idle();
  pipe.start(1, tell);  // the trace's 10 again
  loop.run_until_idle();
  CHECK(done == std::vector<double>{10, 40, 50});
}

TEST_CASE("round trips follow what ping has seen, and a lost ping is a retransmission", "[sim]") {
  const auto trace = sim::parse_ping(
      "PING host\n64 bytes from host: icmp_seq=1 ttl=57 time=20.0 ms\n64 bytes from host: icmp_seq=3 ttl=57 time=40 "
      "ms\n",
      "ping");
  REQUIRE(trace.ok());
  REQUIRE(trace->round_trips.size() == 3);
  CHECK(trace->round_trips[1] == sim::PingTrace::kLost);
  sim::VirtualLoop loop;
  sim::LinkModel model;
  model.round_trips = std::make_shared<sim::PingTrace>(trace.value());
  sim::Link link(loop, model, 1);
  CHECK(to_ms(link.one_way(100)) == Approx(10));
  loop.run_until(TimePoint(milliseconds(1900)));
  CHECK(to_ms(link.one_way(100)) == Approx(200 + 20));  // sent again in the third second
  loop.run_until(TimePoint(milliseconds(3500)));
  CHECK(to_ms(link.one_way(100)) == Approx(10));
}

TEST_CASE("losses come in bursts and cost a timeout that doubles", "[sim]") {
  sim::PacketLoss loss{0.02, 0.25, 0, 1, milliseconds(200)};
  RandomStream random(3, "losses");
  bool bad = false;
  int late = 0;
  const int packets = 20'000;
  for (int i = 0; i < packets; ++i) {
    const Duration delay = loss.delay(1, bad, random);
    late += delay > Duration{};
    CHECK((delay == Duration{} || delay >= milliseconds(200)));
  }
  // Share of packets that find the bad state: p / (p + r), less what a retransmission in it moves on.
  CHECK(late > packets * 0.01);
  CHECK(late < packets * 0.1);
}

TEST_CASE("a trace file that is wrong is refused in one line that says where", "[sim]") {
  const auto [text, line] = GENERATE(table<std::string, std::string>({
      {"", "t:1: no packets, expected a millisecond a line"},
      {"1\n5\n3\n", "t:3: 3 after 5, expected times in order"},
      {"1\n-2\n", "t:2: not a time, expected whole milliseconds from 0 to 86400000"},
      {"1\nx\n", "t:2: not a time, expected whole milliseconds from 0 to 86400000"},
      {"1.5\n", "t:1: not a time, expected whole milliseconds from 0 to 86400000"},
      {"1\n99999999999999999999\n", "t:2: not a time, expected whole milliseconds from 0 to 86400000"},
      {"0\n0\n", "t:2: the trace takes no time, expected a last line above 0"},
  }));
  const auto trace = sim::parse_packet_trace(text, "t");
  REQUIRE_FALSE(trace.ok());
  CHECK(trace.error().message == line);
}

TEST_CASE("what is not ping's output is refused in one line", "[sim]") {
  const auto [text, line] = GENERATE(table<std::string, std::string>({
      {"", "p:1: no replies, expected what ping prints"},
      {"1\n2\n3\n", "p:1: no replies, expected what ping prints"},
      {"64 bytes from h: icmp_seq=1 ttl=5 time=-3 ms\n", "p:1: no round trip, expected time=MS from 0 to 600000"},
      {"64 bytes from h: icmp_seq=1 ttl=5\n", "p:1: no round trip, expected time=MS from 0 to 600000"},
      {"64 bytes from h: icmp_seq=0 time=3 ms\n", "p:1: icmp_seq out of range, expected 1 to 1000000"},
      {"64 bytes from h: icmp_seq=99999999 time=3 ms\n", "p:1: icmp_seq out of range, expected 1 to 1000000"},
  }));
  const auto trace = sim::parse_ping(text, "p");
  REQUIRE_FALSE(trace.ok());
  CHECK(trace.error().message == line);
}

TEST_CASE("measured traces load, where they are there", "[sim]") {
  const std::string folder = "../shared/data/traces/network/";
  const auto up = sim::load_packet_trace(folder + "lte_mahimahi/ATT-LTE-driving-2016.up");
  if (!up.ok()) {
    WARN("skipped: no traces in " << folder);
    return;
  }
  CHECK(up->at_ms.size() == 19'101);
  const auto ping = sim::load_ping(folder + "rtt_ping_5g/ping-cloud-cmWave.txt");
  REQUIRE(ping.ok());
  CHECK(ping->round_trips.size() == 985);  // as its own last lines say
  CHECK(to_ms(ping->round_trips[0]) == Approx(22.4));
  CHECK(sim::load_packet_trace(folder + "rtt_ping_5g/ping-cloud-cmWave.txt").error().message.find(":1: not a time") !=
        std::string::npos);
}

TEST_CASE("a server serves so many at a time, lets some wait, and refuses the others", "[sim]") {
  sim::Network network = quick();
  network.server = {milliseconds(100), 0, 1, 1, {}};
  Wire wire(network);
  std::vector<Wire::Got> got(3);
  for (auto& one : got) wire.begin(one);
  wire.loop.run_until_idle();
  CHECK(got[0].took_ms == Approx(200).margin(0.1));
  CHECK(got[1].took_ms == Approx(300).margin(0.1));  // waited for the first
  CHECK(got[2].status == 503);
  CHECK(wire.transport.executed() == 2);
}

TEST_CASE("each fault of the list ends an attempt as it ends a real one", "[sim]") {
  for (const Case& expected : kCases) {
    CAPTURE(expected.fault);
    Wire wire(quick({expected.fault}));
    const auto got = wire.attempt(seconds(3));
    CHECK(got.what == expected.what);
    if (expected.status != 0) CHECK(got.status == expected.status);
  }
  for (const auto& facts : sim::all_faults()) {
    CAPTURE(std::string(facts.name));
    CHECK(std::any_of(kCases.begin(), kCases.end(), [&](const Case& one) {
      return one.fault == facts.name || one.fault.find('"' + std::string(facts.name) + '"') != std::string::npos;
    }));
  }
}

TEST_CASE("no byte counts as sent before there is a connection", "[sim]") {
  for (const std::string fault : {"refuse", "dns_failure", "tls_expired", "partition"}) {
    CAPTURE(fault);
    Wire wire(quick({fault}));
    CHECK(wire.attempt(seconds(3)).bytes_sent == 0);
    CHECK(wire.transport.connections_opened() <= 1);
  }
}

TEST_CASE("what is not acknowledged within the connect timeout is out of reach; what is acknowledged has its deadline",
          "[sim]") {
  Wire cut(quick({R"({"fault":"partition","at_ms":60})"}));
  const auto got = cut.attempt(seconds(3));
  CHECK(got.what == "unavailable");
  CHECK(got.silent);
  CHECK(got.took_ms == Approx(50 + 1000).margin(0.1));  // connected, then sent, then nothing
  Wire asleep(quick({"blackhole"}));
  const auto slow = asleep.attempt(seconds(3));
  CHECK(slow.what == "deadline_exceeded");
  CHECK_FALSE(slow.silent);
}

TEST_CASE("a connection that closes as it is reused fails one attempt and is not tried again behind its back",
          "[sim]") {
  Wire wire(quick({R"({"fault":"close_on_reuse","times":2})"}));
  CHECK(wire.attempt().what == "right");
  wire.loop.run_until(wire.loop.now());
  Wire reused(quick({R"({"fault":"close_on_reuse","times":2})"}));
  CHECK(reused.attempt(seconds(1)).what == "right");
  CHECK(reused.attempt(seconds(1)).what == "unavailable");
  CHECK(reused.attempt(seconds(1)).what == "right");
  CHECK(reused.transport.executed() == 2);
}

TEST_CASE("a partition holds what is under way back, and it arrives when the partition ends", "[sim]") {
  Wire wire(quick({R"({"fault":"partition","at_ms":60,"for_ms":440})"}));
  const auto got = wire.attempt(seconds(3));
  CHECK(got.what == "right");
  CHECK(got.took_ms == Approx(525).margin(0.1));  // the request arrives at 500, the reply half a round trip later
}

TEST_CASE("when an endpoint's address changes, kept connections lead nowhere and new ones are fine", "[sim]") {
  Wire wire(quick({R"({"fault":"address_change","at_ms":1500})"}));
  CHECK(wire.attempt(seconds(1)).what == "right");
  wire.loop.run_until(TimePoint(milliseconds(2000)));
  CHECK(wire.attempt(seconds(2)).silent);
  CHECK(wire.attempt(seconds(1)).what == "right");
}

TEST_CASE("a request that has left runs at the server, whether or not it is still wanted", "[sim]") {
  sim::Network network = quick();
  network.server.service_median = milliseconds(10);
  Wire wire(network);
  Wire::Got got;
  wire.begin(got);
  wire.loop.run_until(TimePoint(milliseconds(60)));  // connected, and the request on its way
  wire.transport.cancel(1);
  wire.loop.run_until_idle();
  CHECK(got.what == "cancelled");
  CHECK(got.took_ms == Approx(60).margin(0.1));
  CHECK(wire.transport.executed() == 1);
}

TEST_CASE("flapping, brown-outs and rate limits come from the timeline as they come from the stub", "[sim]") {
  Wire wire(quick({R"({"fault":"status","at_ms":0,"for_ms":500,"every_ms":1000})",
                   R"({"fault":"brown_out","delay_ms":1000,"at_ms":10000,"for_ms":10000})"}));
  std::string flaps;
  for (int i = 0; i < 4; ++i) {
    wire.loop.run_until(TimePoint(milliseconds(500 * i)));
    flaps += wire.attempt(milliseconds(400)).status == 200 ? 'o' : 'x';
  }
  CHECK(flaps == "xoxo");
  wire.loop.run_until(TimePoint(milliseconds(15'600)));
  CHECK(wire.attempt(seconds(3)).took_ms > 500);
}
