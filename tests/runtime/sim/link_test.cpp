// Goal: a link lets through what its rate, trace and interruptions say, shares it evenly, and costs little whatever its
// size. Method: single links and pipes, whose times can be worked out by hand, and properties of many random ones.
#include <cmath>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <catch2/catch.hpp>

#include "runtime/sim/link.h"
#include "runtime/sim/virtual_loop.h"

using namespace hearth;
using namespace hearth::sim;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

double ms_of(const VirtualLoop& loop) { return to_ms(loop.now().time_since_epoch()); }
TimePoint at_ms(double ms) { return TimePoint(from_ms(ms)); }

std::shared_ptr<const RateTrace> rates(const std::string& text) {
  auto trace = parse_rate_trace(text, "t");
  INFO((trace.ok() ? "" : trace.error().message));
  REQUIRE(trace.ok());
  return std::make_shared<const RateTrace>(std::move(trace.value()));
}

/// When each of the transfers that begin at these moments with these bytes has ended.
std::vector<double> ends(Pipe& pipe, VirtualLoop& loop,
                         const std::vector<std::pair<double, std::uint64_t>>& transfers) {
  std::vector<double> done(transfers.size(), -1);
  for (std::size_t i = 0; i < transfers.size(); ++i) {
    loop.schedule_at(at_ms(transfers[i].first),
                     [&, i] { pipe.start(transfers[i].second, [&, i] { done[i] = ms_of(loop); }); });
  }
  loop.run_until_idle();
  return done;
}

}  // namespace

TEST_CASE("a rate of a trace is the mean since the line before, and the trace begins anew at its end", "[sim]") {
  // 1,000 bytes a ms for a second, nothing for one, 500 bytes a ms for two.
  const auto trace = rates("10\t99\n11\t8\n12\t0\n14\t4\n");
  const Capacity capacity(0, {}, trace);
  CHECK(capacity.bytes_between(at_ms(0), at_ms(1000)) == Approx(1e6));
  CHECK(capacity.bytes_between(at_ms(500), at_ms(1500)) == Approx(0.5e6));
  CHECK(capacity.bytes_between(at_ms(0), at_ms(4000)) == Approx(2e6));
  CHECK(capacity.bytes_between(at_ms(3000), at_ms(9000)) == Approx(0.5e6 + 2e6 + 1e6));
  CHECK(to_ms(capacity.time_for(at_ms(0), 1e6).time_since_epoch()) == Approx(1000));  // not at the silence's end
  CHECK(to_ms(capacity.time_for(at_ms(500), 0.5e6 + 1).time_since_epoch()) == Approx(2000.002).margin(0.001));
  CHECK(to_ms(capacity.time_for(at_ms(0), 2e6).time_since_epoch()) == Approx(4000));
  CHECK(to_ms(capacity.time_for(at_ms(4000), 7e6).time_since_epoch()) == Approx(17'000));
}

TEST_CASE("an offset begins all traces later, and a spread gives each device its own place", "[sim]") {
  const Capacity late(0, {}, rates("0 0\n1 8\n2 0\n"), milliseconds(500));
  CHECK(late.bytes_between(at_ms(0), at_ms(1000)) == Approx(0.5e6));
  CHECK(to_ms(late.time_for(at_ms(0), 0.6e6).time_since_epoch()) == Approx(1600));
  const auto packets = std::make_shared<PacketTrace>(PacketTrace{{10, 20, 20, 40}});
  const Capacity shifted(0, packets, {}, milliseconds(15));
  CHECK(to_ms(shifted.time_for(at_ms(0), 1).time_since_epoch()) == Approx(5));
  CHECK(shifted.bytes_between(at_ms(5), at_ms(25)) == Approx(1500));

  VirtualLoop loop;
  LinkModel model;
  auto trips = std::make_shared<PingTrace>();
  for (int i = 0; i < 100; ++i) trips->round_trips.push_back(milliseconds(2 * (i + 1)));
  model.round_trips = trips;
  model.trace_offset = seconds(10);
  Link fixed(loop, model, 1);
  CHECK(to_ms(fixed.one_way(1)) == Approx(11));
  model.trace_spread = seconds(20);
  std::map<double, int> seen;
  for (std::uint64_t device = 0; device < 2000; ++device) ++seen[to_ms(Link(loop, model, device).one_way(1))];
  CHECK(seen.size() == 20);
  CHECK(seen.begin()->first == Approx(11));
  CHECK(seen.rbegin()->first == Approx(30));
}

TEST_CASE("many transfers share a pipe to the byte, in whatever order they begin", "[sim]") {
  VirtualLoop loop;
  Pipe pipe(loop, Capacity(8));  // 1,000 bytes a ms
  std::vector<std::pair<double, std::uint64_t>> transfers;
  RandomStream draws(1, "transfers");
  std::uint64_t bytes = 0;
  for (int i = 0; i < 500; ++i) {
    transfers.emplace_back(draws.uniform() * 100, 1 + draws.below(10'000));
    bytes += transfers.back().second;
  }
  transfers[0].first = 0;
  const auto done = ends(pipe, loop, transfers);
  // The pipe is never idle after its first byte: the last ends when all bytes have passed, and none before its own
  // bytes could.
  CHECK(*std::max_element(done.begin(), done.end()) == Approx(static_cast<double>(bytes) / 1000).epsilon(0.01));
  for (std::size_t i = 0; i < done.size(); ++i)
    CHECK(done[i] >= transfers[i].first + static_cast<double>(transfers[i].second) / 1000 - 1e-3);
  // Of two that begin together, the smaller one ends first.
  const double now = ms_of(loop);
  const auto two = ends(pipe, loop, {{now, 900}, {now, 300}});
  CHECK(two[1] == Approx(now + 0.6).margin(0.001));
  CHECK(two[0] == Approx(now + 1.2).margin(0.001));
}

TEST_CASE("a transfer that is given up leaves its share to the others, and unknown ones are ignored", "[sim]") {
  VirtualLoop loop;
  Pipe pipe(loop, Capacity(8));
  double done = -1;
  pipe.start(1000, [&] { done = ms_of(loop); });
  const auto gone = pipe.start(1000, [] { FAIL("it was given up"); });
  loop.run_until(at_ms(1));  // 500 bytes each
  pipe.abort(gone);
  pipe.abort(gone);
  pipe.abort(99);
  CHECK(pipe.under_way() == 1);
  loop.run_until_idle();
  CHECK(done == Approx(1.5).margin(0.001));
}

TEST_CASE("nothing passes while a link is interrupted, and what was under way goes on after it", "[sim]") {
  VirtualLoop loop;
  const std::vector<Outage> outages = {{milliseconds(100), milliseconds(50)}, {milliseconds(120), milliseconds(80)}};
  const Interruptions interruptions({}, outages, 1);
  Pipe pipe(loop, Capacity(8), &interruptions);
  const auto done = ends(pipe, loop, {{50, 40'000}, {60, 40'000}, {150, 1000}, {500, 1000}});
  // 10,000 alone, then 80 ms side by side of which 40 pass before 100 ms: 30,000 and 20,000 have; the third joins.
  CHECK(done[2] == Approx(203).margin(0.01));
  CHECK(done[0] == Approx(200 + 3 * 1 + 2 * 9).margin(0.01));
  CHECK(done[1] == Approx(231).margin(0.01));
  CHECK(done[3] == Approx(501).margin(0.01));
}

TEST_CASE("a message that finds its link interrupted is sent again after 200, 600, 1400 ms and so on", "[sim]") {
  VirtualLoop loop;
  LinkModel model;
  model.round_trip_median = milliseconds(40);
  model.round_trip_sigma = 0;
  model.outages = {{seconds(1), milliseconds(300)}, {seconds(10), seconds(5)}};
  Link link(loop, model, 1);
  CHECK(to_ms(link.one_way(100)) == Approx(20));
  loop.run_until(at_ms(1050));
  CHECK(to_ms(link.one_way(100)) == Approx(600 + 20));
  loop.run_until(at_ms(1150));
  CHECK(to_ms(link.one_way(100)) == Approx(200 + 20));
  loop.run_until(at_ms(10'000));
  CHECK(to_ms(link.one_way(100)) == Approx(6200 + 20));  // 200 (1 + 2 + 4 + 8 + 16)
  loop.run_until(at_ms(15'000));
  CHECK(to_ms(link.one_way(100)) == Approx(20));
}

TEST_CASE("handovers come once in their time, last about their median, and another device has its own", "[sim]") {
  const std::vector<Outage> none;
  Handovers handovers{seconds(40), milliseconds(300), 0.5};
  const Interruptions one(handovers, none, 1), other(handovers, none, 2);
  std::vector<double> gaps;
  TimePoint from{};
  int met = 0;
  for (int i = 0; i < 4000; ++i) {
    const auto window = one.next(from);
    met += window.begin < from;
    gaps.push_back(to_ms(window.end - window.begin));
    from = window.end;
  }
  CHECK(to_ms(from.time_since_epoch()) == Approx(4000 * 40e3).epsilon(0.001));
  CHECK(met < 5);  // two handovers one right after the other
  std::sort(gaps.begin(), gaps.end());
  CHECK(gaps[2000] == Approx(300).epsilon(0.05));
  CHECK(gaps[3364] == Approx(300 * std::exp(0.5)).epsilon(0.06));  // one deviation up
  CHECK(one.next(TimePoint{}).begin != other.next(TimePoint{}).begin);
}

TEST_CASE("the windows that are told are those that a look at every moment finds", "[sim]") {
  const std::vector<Outage> outages = {{seconds(3), seconds(2)}, {seconds(7), milliseconds(1)}};
  // Gaps as long as they may be, so that they meet.
  const Interruptions walked({seconds(1), milliseconds(500), 1}, outages, 5);
  for (int ms = 0; ms < 20'000; ++ms) {
    const Interruptions fresh({seconds(1), milliseconds(500), 1}, outages, 5);
    const TimePoint now = at_ms(ms);
    const auto a = walked.next(now), b = fresh.next(now);
    CHECK(a.end > now);
    CHECK((a.begin <= now) == (b.begin <= now));
    CHECK(a.begin == b.begin);
    if (ms % 7 == 0) walked.next(now + seconds(5));  // a look ahead changes nothing
  }
}

TEST_CASE("a transfer that takes a thousand handovers is done when its bytes could have passed", "[sim]") {
  VirtualLoop loop;
  const std::vector<Outage> none;
  const Interruptions interruptions({seconds(1), milliseconds(100), 0}, none, 3);
  Pipe pipe(loop, Capacity(0.008), &interruptions);  // a byte a ms
  CHECK(ends(pipe, loop, {{0, 1'000'000}})[0] == Approx(1e6 / 0.9).epsilon(0.005));
}

TEST_CASE("lost packets cost the same whether they are counted one by one or leapt over", "[sim]") {
  const PacketLoss loss = GENERATE(PacketLoss{0.02, 0.25, 0, 1}, PacketLoss{0.02, 0.25, 0.01, 0.5},
                                   PacketLoss{0, 0.3, 0.05, 1}, PacketLoss{0.5, 0.5, 0, 0.3});
  const int rounds = 40'000;
  const std::uint64_t packets = 20;
  RandomStream random(4, "leaps"), plain(5, "plain");
  double leapt = 0, counted = 0;
  bool bad = false, state = false;
  for (int i = 0; i < rounds; ++i) {
    leapt += loss.delay(packets, bad, random) > Duration{};
    bool any = false;
    for (std::uint64_t packet = 0; packet < packets; ++packet) {  // the model by its own words
      for (int tries = 0; tries < kBackoffsMax; ++tries) {
        state = plain.uniform() < (state ? 1 - loss.leave_bad : loss.enter_bad);
        if (plain.uniform() >= (state ? loss.loss_bad : loss.loss_good)) break;
        any = true;
      }
    }
    counted += any;
  }
  CHECK(leapt / rounds == Approx(counted / rounds).margin(0.012));
}

TEST_CASE("a loss of nothing or of everything ends, for any number of packets", "[sim]") {
  RandomStream random(1, "losses");
  bool bad = false;
  CHECK(PacketLoss{}.delay(UINT64_MAX, bad, random) == Duration{});
  CHECK(PacketLoss{0, 0, 1, 1}.delay(UINT64_MAX, bad, random) == milliseconds(200 * 63));
  CHECK(PacketLoss{1, 0, 0, 1}.delay(UINT64_MAX, bad, random) == milliseconds(200 * 63));
}

TEST_CASE("a rate trace that is wrong is refused in one line that says where", "[sim]") {
  const auto [text, line] = GENERATE(table<std::string, std::string>({
      {"", "t:1: no rates, expected two lines of seconds and Mbit/s or more"},
      {"0 5\n", "t:1: no rates, expected two lines of seconds and Mbit/s or more"},
      {"0 5\n1\n", "t:2: expected seconds and Mbit/s"},
      {"0 5\n1 x\n", "t:2: not a rate, expected Mbit/s from 0 to 1000000"},
      {"0 5\n1 -1\n", "t:2: not a rate, expected Mbit/s from 0 to 1000000"},
      {"0 5\n1 1e300\n", "t:2: not a rate, expected Mbit/s from 0 to 1000000"},
      {"0 5\n1 2 3\n", "t:2: not a rate, expected Mbit/s from 0 to 1000000"},
      {"0 5\n-1 2\n", "t:2: not a time, expected seconds from 0 to 1000000"},
      {"0 5\nnan 2\n", "t:2: not a time, expected seconds from 0 to 1000000"},
      {"0 5\n9e9 2\n", "t:2: not a time, expected seconds from 0 to 1000000"},
      {"0 5\n2 5\n2 5\n", "t:3: no later than the line before it, expected times in order"},
      {"0 5\n1 0\n2 0\n", "t:1: nothing ever gets through, expected a rate above 0"},
  }));
  const auto trace = parse_rate_trace(text, "t");
  REQUIRE_FALSE(trace.ok());
  CHECK(trace.error().message == line);
}

TEST_CASE("a phone's log is read by its columns, and a value holds until the next one", "[sim]") {
  const auto log = parse_radio_log(
      "mode,t_s,rtt_avg_ms,ping_loss_pct,dl_kbps,ul_kbps\r\n5G,100,,,8000,80\r\n5G,101,40,0,8000,80\r\n"
      "5G,101,42,,4000,80\r\n5G,104,60,25,0,80\r\n",
      "l");
  INFO((log.ok() ? "" : log.error().message));
  REQUIRE(log.ok());
  CHECK(log->round_trips.round_trips == std::vector<Duration>{milliseconds(40), milliseconds(42), milliseconds(42),
                                                              milliseconds(42), milliseconds(60)});
  CHECK(log->round_trips.loss == std::vector<float>{0, 0, 0, 0, 0.25f});
  CHECK(log->down.pieces.size() == 2);  // the second row of 101 s takes no time
  CHECK(log->down.pieces[0].bytes_by == Approx(1e6));
  CHECK(log->down.pieces[1].end == seconds(4));
  CHECK(log->up.pieces.back().bytes_by == Approx(40e3));
}

TEST_CASE("the 5G dataset of UCC is read as it is published", "[sim]") {
  const auto log = parse_radio_log(
      "Timestamp,Longitude,DL_bitrate,UL_bitrate,State,PINGAVG,PINGLOSS\n2019.12.31_23.59.59,-8.4,10,5,I,-,-\n"
      "2020.01.01_00.00.01,-8.4,20,5,D,72,0\n",
      "l");
  INFO((log.ok() ? "" : log.error().message));
  REQUIRE(log.ok());
  CHECK(log->round_trips.round_trips == std::vector<Duration>(3, milliseconds(72)));
  CHECK(log->down.pieces.back().end == seconds(2));
}

TEST_CASE("a phone's log that is wrong is refused in one line that says where", "[sim]") {
  const std::string head = "t_s,rtt_ms,loss_pct,up_kbps\n";
  const auto [text, line] = GENERATE_COPY(table<std::string, std::string>({
      {"", "l:1: no rows, expected the names of the columns and a row a second"},
      {head, "l:1: no rows, expected the names of the columns and a row a second"},
      {"a,b\n1,2\n", "l:1: no column t_s, expected the names of the columns"},
      {"t_s,b\n1,2\n", "l:1: expected a column rtt_ms, loss_pct, up_kbps or down_kbps"},
      {head + "1,2,3\n", "l:2: 3 cells, expected 4"},
      {head + "x,2,3,4\n", "l:2: not a time, expected seconds from 0 to 1000000"},
      {head + "0,2,3,4\n1e9,2,3,4\n", "l:3: not a time, expected seconds from 0 to 1000000"},
      {head + "5,2,3,4\n4,2,3,4\n", "l:3: earlier than the line before it, expected times in order"},
      {head + "5,-2,3,4\n", "l:2: rtt_ms: expected a round trip in ms from 0 to 600000"},
      {head + "5,2,101,4\n", "l:2: loss_pct: expected a loss in percent from 0 to 100"},
      {head + "5,2,1,inf\n", "l:2: up_kbps: expected kbit/s from 0 to 1000000000"},
  }));
  const auto log = parse_radio_log(text, "l");
  REQUIRE_FALSE(log.ok());
  CHECK(log.error().message == line);
}

TEST_CASE("a share of lost packets makes that share of small messages late", "[sim]") {
  VirtualLoop loop;
  LinkModel model;
  auto trips = std::make_shared<PingTrace>();
  trips->round_trips = {milliseconds(40), milliseconds(40)};
  trips->loss = {0.1f, 1.0f};
  model.round_trips = trips;
  Link link(loop, model, 1);
  int late = 0;
  for (int i = 0; i < 20'000; ++i) late += link.one_way(100) > milliseconds(20);
  CHECK(late == Approx(2000).epsilon(0.1));
  loop.run_until(at_ms(1900));  // in the second in which nothing gets through
  CHECK(to_ms(link.one_way(100)) >= 220);
}

TEST_CASE("measured rates and logs load, where they are there", "[sim]") {
  const std::string folder = "../shared/data/traces/network/";
  const auto bus = load_rate_trace(folder + "3g_hsdpa/norway_bus_1");
  if (!bus.ok()) {
    WARN("skipped: no traces in " << folder);
    return;
  }
  CHECK(bus->pieces.size() == 265);  // one less than its lines
  CHECK(to_ms(bus->pieces.back().end) == Approx(154'759.99999).margin(0.01));
  const auto log = load_radio_log(folder + "5g_ucc/derived_Static_B_2020.02.14_13.21.26.csv");
  INFO((log.ok() ? "" : log.error().message));
  REQUIRE(log.ok());
  CHECK(log->round_trips.round_trips.front() == milliseconds(67));
  CHECK(log->round_trips.round_trips.size() > 900);
  CHECK(log->down.pieces.back().bytes_by > 0);
}

TEST_CASE("no damage to a trace does more than get it refused", "[sim]") {
  const std::string rate = "0.0\t4.03\n0.55\t4.79\n0.88\t0\n2.9\t3.1\n";
  const std::string log = "t_s,rtt_ms,loss_pct,up_kbps,down_kbps\n0,40,0,80,800\n1,,,90,\n3,55,1,70,700\n";
  RandomStream draws(1, "damage");
  int good = 0;
  for (int i = 0; i < 20'000; ++i) {
    std::string text = i % 2 == 0 ? rate : log;
    for (std::uint64_t cuts = draws.below(4); cuts > 0; --cuts) {
      const auto at = draws.below(text.size());
      if (draws.below(2) == 0) {
        text[at] = "0123456789.,-\n\te "[draws.below(17)];
      } else {
        text.erase(at, draws.below(12));
      }
      if (text.empty()) break;
    }
    RateTrace trace;
    if (i % 2 == 0) {
      auto read = parse_rate_trace(text, "t");
      if (!read.ok()) continue;
      trace = read.value();
    } else {
      auto read = parse_radio_log(text, "t");
      if (!read.ok()) continue;
      trace = read->up;
      for (const Duration trip : read->round_trips.round_trips) CHECK(trip >= Duration{});
      CHECK((read->round_trips.loss.empty() || read->round_trips.round_trips.empty() ||
             read->round_trips.loss.size() == read->round_trips.round_trips.size()));
      if (trace.pieces.empty()) continue;
    }
    ++good;
    // What is kept can be used: bytes come in time, and never fewer later.
    const Capacity capacity(0, {}, std::make_shared<const RateTrace>(trace));
    TimePoint last{};
    for (double bytes = 1; bytes < 1e7; bytes *= 10) {
      const TimePoint at = capacity.time_for(TimePoint{}, bytes);
      CHECK(at >= last);
      if (at < TimePoint::max()) CHECK(capacity.bytes_between(TimePoint{}, at + Duration(1)) >= bytes * (1 - 1e-6) - 1);
      last = at;
    }
  }
  CHECK(good > 2000);
}
