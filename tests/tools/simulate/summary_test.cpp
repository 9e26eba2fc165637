#include <algorithm>
#include <map>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "tests/tools/simulate/synthetic_records.h"
#include "tools/hearth/scoreboard.h"
#include "tools/simulate/summary.h"

using namespace hearth;
using namespace hearth::simulate;
using std::chrono::milliseconds;
using test::make_run;
using test::plain_record;

namespace {

Summary summarized(const test::MadeRun& run) {
  Summary summary(run.names, run.facts.warm_up, run.facts.length);
  for (const Record& record : run.records) summary.take(record);
  return summary;
}

Results results_of(std::uint64_t seeds, double ask_below = 0.8) {
  Results results;
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    const auto run = make_run({.seed = seed, .requests = 4'000, .ask_below = ask_below});
    results.add(run.facts, summarized(run));
  }
  return results;
}

std::vector<Record> counted(const test::MadeRun& run) {
  std::vector<Record> records = run.records;
  std::erase_if(records, [&](const Record& one) { return one.arrived.time_since_epoch() < run.facts.warm_up; });
  return records;
}

}  // namespace

TEST_CASE("a summary has the figures that sorting and adding the records gives") {
  const auto run = make_run();
  const auto records = counted(run);
  const Summary summary = summarized(run);
  const Tally all = summary.all();
  std::vector<double> latencies;
  std::uint64_t in_time = 0, right = 0, cloud = 0, bytes = 0;
  double usd = 0;
  for (const Record& one : records) {
    const bool served = one.status == OutcomeStatus::kServed;
    if (served) latencies.push_back(to_ms(one.latency));
    in_time += one.in_time;
    right += one.correct;
    cloud += served && one.answered_by != kEdgeSite;
    bytes += one.bytes_up;
    usd += one.usd;
  }
  std::sort(latencies.begin(), latencies.end());
  CHECK(all.requests == records.size());
  CHECK(summary.before_warm_up() + all.requests == run.records.size());
  CHECK(all.served == latencies.size());
  CHECK(all.in_time == in_time);
  CHECK(all.correct == right);
  CHECK(all.on_cloud() == cloud);
  CHECK(all.bytes_up == bytes);
  CHECK(all.usd == Approx(usd));
  for (const double q : {0.5, 0.9, 0.95, 0.99, 0.999})
    CHECK(to_ms(all.latency.quantile(q)) == Approx(tool::quantile(latencies, q)).epsilon(1.0 / 256));
  CHECK(to_ms(all.latency.largest()) == Approx(latencies.back()));
}

TEST_CASE("every way of grouping, and the batches, add up to the whole") {
  const Summary summary = summarized(make_run());
  const Tally all = summary.all();
  const auto whole = [&](std::uint64_t requests, double joules, std::uint64_t latencies) {
    CHECK(requests == all.requests);
    CHECK(joules == Approx(all.joules));
    CHECK(latencies == all.latency.count());
  };
  for (const auto by : {Summary::By::kStream, Summary::By::kClass, Summary::By::kSite, Summary::By::kReason}) {
    Tally sum;
    for (const auto& [name, tally] : summary.by(by)) sum.merge(tally);
    whole(sum.requests, sum.joules, sum.latency.count());
  }
  Tally sum;
  for (const Tally& batch : summary.batches()) sum.merge(batch);
  whole(sum.requests, sum.joules, sum.latency.count());
}

TEST_CASE("groups carry the names and the order of the scenario, and only those that occur") {
  const Summary summary = summarized(make_run());
  const auto names = [&](Summary::By by) {
    std::vector<std::string> all;
    for (const auto& [name, tally] : summary.by(by)) all.push_back(name);
    return all;
  };
  CHECK(names(Summary::By::kStream) == std::vector<std::string>{"photos", "notes"});
  CHECK(names(Summary::By::kClass) == std::vector<std::string>{"public", "personal", "health"});
  CHECK(names(Summary::By::kSite) == std::vector<std::string>{"none", "edge", "eu-1", "eu-2"});
  CHECK(names(Summary::By::kReason) == std::vector<std::string>{"local_confident", "local_only_permitted",
                                                                "cloud_failed", "cloud_answered", "deadline_passed"});
}

TEST_CASE("a request that came before the warm-up was over counts nowhere") {
  Summary summary(make_run({.requests = 1}).names, milliseconds(100), std::chrono::seconds(1));
  Record record = plain_record();
  record.arrived = TimePoint(milliseconds(99));
  summary.take(record);
  CHECK(summary.all().requests == 0);
  CHECK(summary.before_warm_up() == 1);
  record.arrived = TimePoint(milliseconds(100));
  summary.take(record);
  CHECK(summary.all().requests == 1);
  CHECK(summary.batches()[0].requests == 1);
}

TEST_CASE("records that end out of order still land in the batch in which they came") {
  Summary summary(make_run({.requests = 1}).names, Duration{}, std::chrono::seconds(20));  // batches of a second
  for (const int second : {3, 1, 19, 3, 0, 25}) {
    Record record = plain_record();
    record.arrived = TimePoint(std::chrono::seconds(second));
    summary.take(record);
  }
  const auto batches = summary.batches();
  CHECK(batches[0].requests == 1);
  CHECK(batches[1].requests == 1);
  CHECK(batches[3].requests == 2);
  CHECK(batches[19].requests == 2);  // what comes after the end counts as the last
}

TEST_CASE("the oracle takes a right answer in time first, then the cheaper road, then the quicker one") {
  Record record = plain_record();
  CHECK_FALSE(Judged(record).oracle_on_cloud);  // both right: the edge costs nothing
  record.edge.correct = false;
  CHECK(Judged(record).oracle_on_cloud);
  CHECK(Judged(record).oracle_usd == 1e-5);
  record.cloud.latency = milliseconds(101);  // right, but late: nothing helps, so the cheapest
  CHECK_FALSE(Judged(record).oracle_on_cloud);
  CHECK_FALSE(Judged(record).cloud_right);
  record.cloud.open = false;
  record.cloud.latency = milliseconds(50);
  CHECK_FALSE(Judged(record).cloud_right);  // what is not permitted is no road
  record = plain_record();
  record.cloud.usd = 0;
  CHECK_FALSE(Judged(record).oracle_on_cloud);  // as cheap, and slower
  record.cloud.latency = milliseconds(5);
  CHECK(Judged(record).oracle_on_cloud);
  record.edge.open = record.cloud.open = false;
  CHECK(Judged(record).oracle_usd == 0);
}

TEST_CASE("regret is what the oracle reaches and the policy did not, and says on which road it lay") {
  Summary summary(make_run({.requests = 1}).names, Duration{}, std::chrono::seconds(100));
  Record wrong = plain_record();  // the edge answered, wrongly; the cloud would have been right
  wrong.correct = wrong.edge.correct = false;
  Record needless = plain_record();  // the cloud answered what the edge knew as well
  needless.answered_by = 2;
  needless.reason = Reason::kCloudAnswered;
  needless.usd = 2e-5;
  Record lost = plain_record();  // failed though the edge could have
  lost.status = OutcomeStatus::kFailed;
  lost.in_time = lost.correct = false;
  lost.cloud.open = false;
  for (const Record& one : {plain_record(), wrong, needless, lost}) summary.take(one);
  const Tally all = summary.all();
  CHECK(all.oracle_right() == 4);
  CHECK(all.right_in_time == 2);
  CHECK(all.missed_cloud() == 1);
  CHECK(all.missed_edge() == 1);
  CHECK(all.needless_cloud() == 1);
  CHECK(all.oracle_usd == Approx(1e-5));  // for the one that only the cloud knew
  CHECK(find_metric("regret_right_in_time_share")->of(all) == Approx(0.5));
  CHECK(find_metric("regret_usd_per_1000_requests")->of(all) == Approx((2e-5 - 1e-5) / 4 * 1000));
}

TEST_CASE("the parts of the time count only where they took place") {
  Summary summary(make_run({.requests = 1}).names, Duration{}, std::chrono::seconds(100));
  Record edge = plain_record();
  edge.edge_wait = milliseconds(3);
  Record cloud = plain_record();
  cloud.answered_by = 1;
  cloud.edge_time = Duration{};
  cloud.cloud_time = milliseconds(70);
  cloud.server_time = milliseconds(20);
  cloud.server_wait = milliseconds(5);
  summary.take(edge);
  summary.take(cloud);
  const auto only = [&](Component which) {
    CHECK(summary.component(which).count() == 1);
    return summary.component(which).largest();
  };
  CHECK(only(Component::kEdgeWait) == milliseconds(3));
  CHECK(only(Component::kEdgeTime) == milliseconds(10));
  CHECK(only(Component::kNetwork) == milliseconds(50));
  CHECK(only(Component::kServerWait) == milliseconds(5));
  CHECK(only(Component::kServerWork) == milliseconds(15));
}

TEST_CASE("over seeds the interval is Student's t of the seeds' own figures, over one seed of its batches") {
  const Metric& metric = *find_metric("accuracy");
  const Results three = results_of(3);
  const auto figures = three.per_run(metric);
  REQUIRE(figures.size() == 3);
  const auto expected = interval_of(figures);
  const Estimate found = three.estimate(metric);
  REQUIRE(found.interval);
  CHECK(found.interval->half_width == Approx(expected->half_width));
  CHECK(found.value == Approx(expected->mean).epsilon(0.01));
  const Results one = results_of(1);
  CHECK(one.estimate(metric).interval->half_width > 0);
  CHECK(summary_json(one)["intervals"]["method"] == "batch_means");
  CHECK(summary_json(three)["intervals"]["method"] == "student_t_over_seeds");
}

TEST_CASE("the same runs give the same bytes, and no figure of the machine stands among them") {
  const std::string once = summary_json(results_of(2)).dump(2);
  CHECK(once == summary_json(results_of(2)).dump(2));
  for (const char* key : {"wall_s", "per_second"}) CHECK(once.find(key) == std::string::npos);
  const auto speed = speed_json(results_of(2));
  CHECK(speed["wall_s"] == 0.5);
  CHECK(speed["requests_per_second"] == 16'000);
  CHECK(speed["events_per_second"] == 80'000);
}

TEST_CASE("the summary names what was run, by seed, and every metric with its interval") {
  const auto json = summary_json(results_of(2));
  CHECK(json["scenario"] == "synthetic <commuter>");
  CHECK(json["seed"] == nlohmann::json::array({1, 2}));
  CHECK(json["trace_hash"].size() == 2);
  CHECK(json["leaks"] == 0);
  CHECK(json["left_in_flight"] == 0);
  for (const Metric& metric : metrics()) {
    INFO(metric.key);
    const auto& one = json["intervals"]["metrics"][std::string(metric.key)];
    CHECK(one["low"].get<double>() <= one["value"].get<double>());
    CHECK(one["value"].get<double>() <= one["high"].get<double>());
  }
  CHECK(json["by_class"]["health"]["cloud_share"] == 0);
  CHECK(json["by_class"]["health"]["may_leave_share"] == 0);
  CHECK(json["all"]["latency_ms"]["p99_9"].get<double>() >= json["all"]["latency_ms"]["p99"].get<double>());
  CHECK(summary_json(results_of(1))["seed"] == 1);  // one run: the thing itself, no list
}

TEST_CASE("a run without a counted request has null for what cannot be counted, and still a table") {
  const auto run = make_run({.requests = 3});
  Results results;
  results.add(run.facts, Summary(run.names, run.facts.warm_up, run.facts.length));
  const auto json = summary_json(results);
  CHECK(json["requests"] == 0);
  CHECK(json["all"]["accuracy"].is_null());
  CHECK(json["all"]["latency_ms"].is_null());
  CHECK(json.dump().find("nan") == std::string::npos);
  CHECK(summary_table(results).find("all") != std::string::npos);
}

TEST_CASE("the table shows every stream, class, site and reason with its share of deadlines") {
  const std::string table = summary_table(results_of(1));
  for (const char* word : {"photos", "notes", "health", "eu-2", "local_only_permitted", "oracle", "p99 ms"}) {
    INFO(word);
    CHECK(table.find(word) != std::string::npos);
  }
}
