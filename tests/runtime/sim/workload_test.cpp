// Goal: requests come when the stream says, and as often; and what one device, stream or user draws moves nothing of
// another's. Method: long runs of single sources, whose means and spreads are known by formula; the tolerance of each
// is at least four standard errors of what is counted.
#include <cmath>
#include <map>
#include <vector>

#include <catch2/catch.hpp>

#include "runtime/sim/workload.h"

using namespace hearth;
using namespace hearth::sim;
using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

Stream stream_of(ArrivalProcess arrivals, RateShape shape = {}) {
  Stream stream;
  stream.name = "photos";
  stream.arrivals = std::move(arrivals);
  stream.shape = std::move(shape);
  stream.kinds = {RequestKind{}};
  return stream;
}

RequestKind kind_of(double share, const char* label, bool in_session = false) {
  RequestKind kind;
  kind.share = share;
  kind.label = label;
  kind.in_session = in_session;
  return kind;
}

std::vector<Arriving> until(Source source, TimePoint end) {
  std::vector<Arriving> all;
  while (auto one = source.next()) {
    if (one->at >= end) break;
    all.push_back(*one);
  }
  return all;
}

TimePoint at_s(double s) { return TimePoint(from_ms(s * 1e3)); }

std::size_t between(const std::vector<Arriving>& all, double from_s, double to_s) {
  std::size_t count = 0;
  for (const auto& one : all) count += one.at >= at_s(from_s) && one.at < at_s(to_s);
  return count;
}

struct Gaps {
  double mean_ms = 0;
  double cv = 0;
};
Gaps gaps_of(const std::vector<Arriving>& all) {
  double sum = 0, squares = 0;
  for (std::size_t i = 1; i < all.size(); ++i) {
    const double ms = to_ms(all[i].at - all[i - 1].at);
    CHECK_FALSE(ms < 0);
    sum += ms;
    squares += ms * ms;
  }
  const auto n = static_cast<double>(all.size() - 1);
  const double mean = sum / n;
  return {mean, std::sqrt(std::max(0.0, squares / n - mean * mean)) / mean};
}

std::vector<TimePoint> times(const std::vector<Arriving>& all) {
  std::vector<TimePoint> result;
  for (const auto& one : all) result.push_back(one.at);
  return result;
}

RecordedArrivals recorded(std::vector<double> at, double period_s, bool repeat) {
  std::vector<RecordedRequest> requests;
  for (const double s : at) {
    RecordedRequest one;
    one.at = from_ms(s * 1e3);
    requests.push_back(one);
  }
  RecordedArrivals arrivals;
  arrivals.requests = std::make_shared<const std::vector<RecordedRequest>>(std::move(requests));
  arrivals.period = from_ms(period_s * 1e3);
  arrivals.repeat = repeat;
  return arrivals;
}

}  // namespace

TEST_CASE("a Poisson stream has its rate, and gaps whose deviation is their mean", "[sim]") {
  const Stream stream = stream_of(PoissonArrivals{50});
  const auto all = until(Source(stream, 0, 0, 1), at_s(4000));  // 200,000 of them
  CHECK(static_cast<double>(all.size()) == Approx(200'000).epsilon(0.01));
  const Gaps gaps = gaps_of(all);
  CHECK(gaps.mean_ms == Approx(20).epsilon(0.01));
  CHECK(gaps.cv == Approx(1).epsilon(0.015));
}

TEST_CASE("gamma gaps have the rate and the coefficient of variation that was asked for", "[sim]") {
  const double cv = GENERATE(0.0, 0.25, 0.8, 1.0, 2.0, 4.0);
  INFO(cv);
  const Stream stream = stream_of(GammaArrivals{100, cv});
  const auto all = until(Source(stream, 0, 0, 7), at_s(4000));
  const Gaps gaps = gaps_of(all);
  CHECK(gaps.mean_ms == Approx(10).epsilon(0.005 + 0.007 * cv));
  CHECK(gaps.cv == Approx(cv).epsilon(0.03).margin(1e-9));
}

TEST_CASE("a gamma stream has its rate from the first second on, whatever its coefficient of variation", "[sim]") {
  const double cv = GENERATE(0.0, 0.3, 3.0);
  INFO(cv);
  const Stream stream = stream_of(GammaArrivals{1, cv});
  std::size_t in_first = 0;
  for (std::uint64_t device = 0; device < 40'000; ++device) {
    Source source(stream, 0, device, 3);
    while (source.next()->at < at_s(1)) ++in_first;
  }
  CHECK(static_cast<double>(in_first) == Approx(40'000).epsilon(0.05));
}

TEST_CASE("a modulated stream has the mean of its states' rates by their stays, and is burstier than Poisson",
          "[sim]") {
  ModulatedArrivals arrivals;
  arrivals.states = {{10, seconds(3)}, {100, seconds(1)}, {0, seconds(1)}};
  const Stream stream = stream_of(arrivals);
  const auto all = until(Source(stream, 0, 0, 5), at_s(40'000));
  CHECK(static_cast<double>(all.size()) / 40'000 == Approx((10 * 3 + 100) / 5.0).epsilon(0.05));
  CHECK(gaps_of(all).cv > 2);
}

TEST_CASE("a fleet's modulated streams begin in each state as often as it lasts", "[sim]") {
  ModulatedArrivals arrivals;
  arrivals.states = {{1000, seconds(30)}, {0, seconds(10)}};
  const Stream stream = stream_of(arrivals);
  int busy = 0;
  for (std::uint64_t device = 0; device < 4'000; ++device)
    busy += Source(stream, 0, device, 1).next()->at < TimePoint(milliseconds(10));
  CHECK(busy == Approx(3000).epsilon(0.04));
}

TEST_CASE("a spike multiplies the rate while it lasts and no longer, and two that overlap multiply", "[sim]") {
  RateShape shape;
  shape.spikes = {{seconds(100), seconds(50), 4}, {seconds(140), seconds(20), 0.5}, {seconds(200), seconds(10), 0}};
  const ArrivalProcess process = GENERATE(ArrivalProcess(PoissonArrivals{200}), ArrivalProcess(GammaArrivals{200, 0.5}),
                                          ArrivalProcess(ModulatedArrivals{{{200, seconds(1)}, {200, seconds(2)}}}));
  const Stream stream = stream_of(process, shape);
  const auto all = until(Source(stream, 0, 0, 2), at_s(300));
  CHECK(between(all, 0, 100) == Approx(200 * 100).epsilon(0.03));
  CHECK(between(all, 100, 140) == Approx(800 * 40).epsilon(0.03));
  CHECK(between(all, 140, 150) == Approx(400 * 10).epsilon(0.07));
  CHECK(between(all, 150, 160) == Approx(100 * 10).epsilon(0.13));
  CHECK(between(all, 200, 210) == 0);
  CHECK(between(all, 210, 300) == Approx(200 * 90).epsilon(0.03));
}

TEST_CASE("a shape changes when the requests come, and nothing else about them", "[sim]") {
  RateShape shape;
  shape.spikes = {{seconds(1), seconds(1), 5}};
  shape.diurnal_amplitude = 0.5;
  Stream plain = stream_of(GammaArrivals{20, 0.5}), shaped = stream_of(GammaArrivals{20, 0.5}, shape);
  plain.payload = shaped.payload = {20'000, 0.5, 1 << 20};
  Source a(plain, 0, 0, 1), b(shaped, 0, 0, 1);
  for (int i = 0; i < 1000; ++i) {
    const auto one = a.next(), other = b.next();
    CHECK(one->payload_bytes == other->payload_bytes);
    CHECK(one->sample == other->sample);
  }
}

TEST_CASE("gaps stay as even as they were at five times the rate", "[sim]") {
  RateShape shape;
  shape.spikes = {{seconds(0), hours(10), 5}};
  const Stream stream = stream_of(GammaArrivals{10, 0.2}, shape);
  const Gaps gaps = gaps_of(until(Source(stream, 0, 0, 1), at_s(1000)));
  CHECK(gaps.mean_ms == Approx(20).epsilon(0.01));
  CHECK(gaps.cv == Approx(0.2).epsilon(0.05));
}

TEST_CASE("the day has its peak where it is said to be, its trough half a day later and its mean over all", "[sim]") {
  RateShape shape;
  shape.diurnal_amplitude = 0.8;
  shape.day = hours(24);
  shape.peak = hours(14);
  const Stream stream = stream_of(PoissonArrivals{10}, shape);
  const auto all = until(Source(stream, 0, 0, 9), TimePoint(hours(48)));
  const auto per_s = [&](double hour) { return between(all, (hour - 0.5) * 3600, (hour + 0.5) * 3600) / 3600.0; };
  CHECK(per_s(14) == Approx(18).epsilon(0.03));
  CHECK(per_s(38) == Approx(18).epsilon(0.03));
  CHECK(per_s(2) == Approx(2).epsilon(0.08));
  CHECK(per_s(26) == Approx(2).epsilon(0.08));
  CHECK(per_s(8) == Approx(10).epsilon(0.04));
  CHECK(all.size() / (48 * 3600.0) == Approx(10).epsilon(0.01));
}

TEST_CASE("the day's curve is the cosine to within a tenth of a percent", "[sim]") {
  RateShape shape;
  shape.diurnal_amplitude = 1;
  shape.day = seconds(100);
  shape.peak = seconds(33);
  for (int ms = 0; ms < 250'000; ms += 37) {
    const double truth = 1 + std::cos(2 * 3.14159265358979 * (ms / 1e3 - 33) / 100);
    REQUIRE(shape.at(TimePoint(milliseconds(ms))) == Approx(truth).margin(0.001));
  }
}

TEST_CASE("passing time is the inverse of the shape's integral, days that are leapt over included", "[sim]") {
  RateShape shape;
  shape.diurnal_amplitude = 1;
  shape.day = seconds(10);
  shape.spikes = {{seconds(95), seconds(30), 3}};
  // By hand: 9.5 days of 10 s pass as such, 30 s of the spike as 90 s.
  const auto far = pass_time(shape, TimePoint{}, 1e9 * (95 + 90 + 1000), TimePoint::max());
  const auto near = pass_time(shape, far.at, 5e9, TimePoint::max());
  CHECK(to_ms(far.at - TimePoint{}) == Approx(1e3 * 1125).margin(2e3));
  double sum_s = 0;  // the integral up to there, by steps of a millisecond
  for (int ms = 0; ms < to_ms(far.at - TimePoint{}); ++ms)
    sum_s += shape.at(TimePoint(milliseconds(ms) + std::chrono::microseconds(500))) / 1e3;
  CHECK(sum_s == Approx(1185).margin(0.01));
  CHECK(near.at > far.at);
  const auto cut = pass_time(shape, TimePoint{}, 1e9 * 1185, TimePoint(seconds(95)));
  CHECK(cut.at == TimePoint(seconds(95)));
  CHECK(cut.left_ns == Approx(1e9 * 1090).epsilon(1e-3));
}

TEST_CASE("the same seed, device and stream give the same requests; another of any gives others", "[sim]") {
  const Stream stream = stream_of(PoissonArrivals{100});
  Stream renamed = stream;
  renamed.name = "notes";
  const auto base = times(until(Source(stream, 0, 3, 1), at_s(10)));
  CHECK(times(until(Source(stream, 0, 3, 1), at_s(10))) == base);
  CHECK(times(until(Source(stream, 5, 3, 1), at_s(10))) == base);  // its place in the workload does not matter
  CHECK(times(until(Source(stream, 0, 4, 1), at_s(10))) != base);
  CHECK(times(until(Source(stream, 0, 3, 2), at_s(10))) != base);
  CHECK(times(until(Source(renamed, 0, 3, 1), at_s(10))) != base);
}

TEST_CASE("a key of the stream moves only what it is about", "[sim]") {
  Stream plain = stream_of(PoissonArrivals{100});
  Stream rich = plain;
  rich.kinds = {kind_of(0.5, "public"), kind_of(0.5, "personal", true)};
  rich.sessions = 9;
  rich.payload = {5000, 1, 1 << 20};
  Source a(plain, 0, 0, 1), b(rich, 0, 0, 1);
  for (int i = 0; i < 500; ++i) {
    const auto one = a.next(), other = b.next();
    CHECK(one->at == other->at);
    CHECK(one->sample == other->sample);
    CHECK(one->reply_bytes == other->reply_bytes);
  }
}

TEST_CASE("kinds come by their shares, sessions only where a kind has them, sizes about their median", "[sim]") {
  Stream stream = stream_of(PoissonArrivals{1000});
  stream.kinds = {kind_of(0.7, "public"), kind_of(0.2, "personal", true), kind_of(0.1, "")};
  stream.sessions = 4;
  stream.payload = {20'000, 0.5, 60'000};
  stream.reply = {300};
  std::map<int, int> kinds, sessions;
  int below = 0, capped = 0;
  for (const auto& one : until(Source(stream, 2, 0, 1), at_s(40))) {
    ++kinds[one.kind];
    CHECK(one.stream == 2);
    CHECK((one.session > 0) == (one.kind == 1));
    if (one.session > 0) ++sessions[static_cast<int>(one.session)];
    below += one.payload_bytes < 20'000;
    capped += one.payload_bytes == 60'000;
    CHECK(one.payload_bytes <= 60'000);
    CHECK(one.reply_bytes == 300);
  }
  CHECK(kinds[0] == Approx(28'000).epsilon(0.02));
  CHECK(kinds[1] == Approx(8'000).epsilon(0.05));
  CHECK(kinds[2] == Approx(4'000).epsilon(0.07));
  CHECK(sessions.size() == 4);
  for (const auto& [session, count] : sessions) {
    CHECK(session <= 4);
    CHECK(count == Approx(2'000).epsilon(0.1));
  }
  CHECK(below == Approx(20'000).epsilon(0.02));
  CHECK(capped == Approx(560).epsilon(0.25));  // P(normal > ln 3 / 0.5) = 1.4 %
}

TEST_CASE("a trace is played as it stands, twice as fast, again and again", "[sim]") {
  Stream stream = stream_of(recorded({1, 2, 4}, 5, false));
  const auto played = [&] { return times(until(Source(stream, 0, 0, 1), at_s(12))); };
  CHECK(played() == std::vector{at_s(1), at_s(2), at_s(4)});
  std::get<RecordedArrivals>(stream.arrivals).speed = 2;
  CHECK(played() == std::vector{at_s(0.5), at_s(1), at_s(2)});
  stream.arrivals = recorded({1, 2, 4}, 5, true);
  CHECK(played() == std::vector{at_s(1), at_s(2), at_s(4), at_s(6), at_s(7), at_s(9), at_s(11)});
  stream.shape.spikes = {{seconds(2), seconds(2), 2}};  // four seconds of the trace in two
  CHECK(played() == std::vector{at_s(1), at_s(2), at_s(3), at_s(4), at_s(5), at_s(7), at_s(9), at_s(10)});
}

TEST_CASE("each device of a fleet begins at its own place of a trace that is spread", "[sim]") {
  auto arrivals = recorded({1, 2, 4}, 5, true);
  arrivals.spread = true;
  const Stream stream = stream_of(arrivals);
  std::size_t in_first = 0;
  for (std::uint64_t device = 0; device < 2000; ++device) {
    const auto all = times(until(Source(stream, 0, device, 1), at_s(10)));
    CHECK(all.size() == 6);  // two periods, wherever they begin
    for (const TimePoint at : all) in_first += at < at_s(1);
  }
  CHECK(in_first == Approx(2000 * 3 / 5.0).epsilon(0.12));
}

TEST_CASE("what a trace's line says counts, and what it leaves out is drawn", "[sim]") {
  std::vector<RecordedRequest> requests(2);
  requests[0].at = seconds(1);
  requests[0].payload_bytes = 77;
  requests[0].reply_bytes = 0;
  requests[0].kind = 1;
  requests[0].deadline = milliseconds(40);
  requests[0].sample = 12;
  requests[1].at = seconds(2);
  RecordedArrivals arrivals;
  arrivals.requests = std::make_shared<const std::vector<RecordedRequest>>(requests);
  arrivals.period = seconds(2);
  Stream stream = stream_of(arrivals);
  stream.kinds = {kind_of(1, "public"), kind_of(0, "personal")};
  stream.payload = {500};
  stream.reply = {600};
  stream.deadline = milliseconds(250);
  const auto all = until(Source(stream, 0, 0, 1), at_s(9));
  REQUIRE(all.size() == 2);
  CHECK(all[0].payload_bytes == 77);
  CHECK(all[0].reply_bytes == 0);
  CHECK(all[0].kind == 1);
  CHECK(all[0].deadline == milliseconds(40));
  CHECK(all[0].sample == 12);
  CHECK(all[1].payload_bytes == 500);
  CHECK(all[1].reply_bytes == 600);
  CHECK(all[1].kind == 0);
  CHECK(all[1].deadline == milliseconds(250));
}

TEST_CASE("in a closed loop each user has one request under way or thinks", "[sim]") {
  const Stream stream = stream_of(ClosedLoopArrivals{2000, seconds(4)});
  Source source(stream, 0, 0, 1);
  double first_s = 0;
  TimePoint last{};
  for (std::uint32_t user = 0; user < 2000; ++user) {
    const auto one = source.next();
    REQUIRE(one.has_value());
    CHECK(one->user == user);
    CHECK(one->at >= last);
    last = one->at;
    first_s += to_ms(one->at.time_since_epoch()) / 1e3;
  }
  CHECK_FALSE(source.next().has_value());
  CHECK(first_s / 2000 == Approx(4).epsilon(0.1));  // they all think first
  double thought_s = 0;
  const TimePoint ended(seconds(100));
  for (int round = 0; round < 10; ++round)
    for (std::uint32_t user = 0; user < 2000; ++user) thought_s += to_ms(source.next_of(user, ended)->at - ended) / 1e3;
  CHECK(thought_s / 20'000 == Approx(4).epsilon(0.03));
  CHECK_FALSE(source.next_of(2000, ended).has_value());
}

TEST_CASE("a user's next request does not depend on what the others did", "[sim]") {
  Stream stream = stream_of(ClosedLoopArrivals{3, seconds(4)});
  stream.payload = {1000, 1, 1 << 20};
  Source calm(stream, 0, 0, 1), busy(stream, 0, 0, 1);
  for (int i = 0; i < 3; ++i) CHECK(calm.next()->payload_bytes == busy.next()->payload_bytes);
  for (int i = 0; i < 20; ++i) busy.next_of(0, TimePoint(seconds(i)));
  const auto one = calm.next_of(2, TimePoint(seconds(50))), other = busy.next_of(2, TimePoint(seconds(50)));
  CHECK(one->at == other->at);
  CHECK(one->payload_bytes == other->payload_bytes);
  CHECK(one->sample == other->sample);
  const auto later = calm.next_of(2, TimePoint(seconds(50)));
  CHECK(later->sample != one->sample);
}

TEST_CASE("time does not overflow: a stream ends after a hundred years", "[sim]") {
  RateShape day;
  day.diurnal_amplitude = 1;
  const ArrivalProcess process =
      GENERATE(ArrivalProcess(PoissonArrivals{1e-12}), ArrivalProcess(GammaArrivals{1e-12, 3}),
               ArrivalProcess(ModulatedArrivals{{{1e-12, hours(1'000'000)}}}),
               ArrivalProcess(ClosedLoopArrivals{1, Duration(INT64_MAX)}));
  const Stream flat = stream_of(process), shaped = stream_of(process, day);
  CHECK(until(Source(flat, 0, 0, 1), TimePoint::max()).size() <= 1);
  CHECK(until(Source(shaped, 0, 0, 1), TimePoint::max()).size() <= 1);
}
