#include <atomic>
#include <stdexcept>

#include <catch2/catch.hpp>

#include "tests/support/well_formed.h"
#include "tests/tools/simulate/synthetic_report.h"
#include "tools/simulate/jobs.h"

using namespace hearth;
using namespace hearth::simulate;
using simulate::test::comparison_of;

namespace {

const Difference& about(const std::vector<Difference>& all, std::string_view key) {
  return all[static_cast<std::size_t>(find_metric(key) - metrics().data())];
}

}  // namespace

TEST_CASE("a policy that asks the cloud less often is found cheaper and less often right, by pairs") {
  const Comparison comparison = comparison_of({0.9, 0.6}, 5);
  const auto found = differences(comparison, 1);
  CHECK(about(found, "usd_per_1000_requests").verdict == Verdict::kBBetter);
  CHECK(about(found, "right_in_time_share").verdict == Verdict::kABetter);
  CHECK(about(found, "cloud_share").verdict == Verdict::kALarger);
  CHECK(about(found, "latency_p50_ms").verdict == Verdict::kBBetter);
}

TEST_CASE("a policy against itself is equivalent in everything, and never better") {
  for (const Difference& one : differences(comparison_of({0.8, 0.8}, 3), 1)) CHECK(one.verdict == Verdict::kEquivalent);
}

TEST_CASE("under one seed nothing is said to be better") {
  for (const Difference& one : differences(comparison_of({0.9, 0.3}, 1), 1))
    CHECK(one.verdict == Verdict::kInconclusive);
}

TEST_CASE("the comparison's JSON names both policies, every metric and its verdict, and is the same twice") {
  const auto json = comparison_json(comparison_of({0.9, 0.6, 0.3}, 3));
  CHECK(json["policies"]["A"]["name"] == "ask below 0.90");
  CHECK(json["policies"]["C"]["trace_hash"].size() == 3);
  CHECK(json["seeds"] == nlohmann::json::array({1, 2, 3}));
  CHECK(json["against_a"]["C"]["usd_per_1000_requests"]["verdict"] == "C better");
  for (const Metric& metric : metrics()) {
    const auto& one = json["against_a"]["B"][std::string(metric.key)];
    CHECK(one["low"].get<double>() <= one["high"].get<double>());
  }
  CHECK(json.dump() == comparison_json(comparison_of({0.9, 0.6, 0.3}, 3)).dump());
}

TEST_CASE("the comparison's table has a line for each metric with its verdict") {
  const std::string table = comparison_table(comparison_of({0.9, 0.6}, 3));
  for (const Metric& metric : metrics()) CHECK(table.find(std::string(metric.words)) != std::string::npos);
  CHECK(table.find("B better") != std::string::npos);
  CHECK(table.find("3 seeds, paired") != std::string::npos);
  CHECK(comparison_table(comparison_of({0.9, 0.6}, 1)).find("one seed: no interval") != std::string::npos);
}

TEST_CASE("the comparison's report is well formed, with one seed too") {
  for (const std::uint64_t seeds : {1, 3}) {
    const std::string page = make_comparison_report(comparison_of({0.9, 0.6}, seeds), "a <story>");
    CHECK(hearth::test::well_formed(page));
    CHECK(page.find("nan") == std::string::npos);
    CHECK(page.find("a &lt;story&gt;") != std::string::npos);
    CHECK(page.find("http") == std::string::npos);
  }
}

TEST_CASE("every job runs once, on any number of threads, and each end is told") {
  for (const std::size_t threads : {1, 2, 7}) {
    std::vector<std::atomic<int>> runs(50);
    std::size_t told = 0;
    run_jobs(
        runs.size(), threads, [&](std::size_t i) { ++runs[i]; }, [&](std::size_t done) { CHECK(done == ++told); });
    for (const auto& one : runs) CHECK(one == 1);
    CHECK(told == 50);
  }
  run_jobs(
      0, 3, [](std::size_t) { FAIL(); }, [](std::size_t) { FAIL(); });
}

TEST_CASE("what a job throws is thrown to the caller, and no further job begins") {
  for (const std::size_t threads : {1, 2}) {
    std::atomic<int> began = 0;
    const auto job = [&](std::size_t i) {
      ++began;
      if (i == 3) throw std::runtime_error("a law was broken");
    };
    CHECK_THROWS_WITH(run_jobs(1'000, threads, job, [](std::size_t) {}), "a law was broken");
    // Of two threads one may have run all of the rest before the other's end is known.
    if (threads == 1) CHECK(began == 4);
  }
}
