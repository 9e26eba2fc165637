#include <cmath>

#include <catch2/catch.hpp>

#include "tests/support/well_formed.h"
#include "tests/tools/simulate/synthetic_report.h"
#include "tools/simulate/charts.h"

using namespace hearth;
using namespace hearth::simulate;
using simulate::test::make_run;
using simulate::test::report_of;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

bool has(const std::string& page, const std::string& text) { return page.find(text) != std::string::npos; }

}  // namespace

TEST_CASE("the report is well formed, needs nothing from elsewhere and holds no machine's figure") {
  const std::string page = report_of({make_run()});
  CHECK(hearth::test::well_formed(page));
  for (const char* outside :
       {"http://", "https://", "<script", "<link", "<img", "url(", "@import", "nan", "inf ", "inf\""}) {
    INFO(outside);
    CHECK_FALSE(has(page, outside));
  }
  CHECK(has(page, "synthetic &lt;commuter&gt;"));
  CHECK(has(page, "read &lt;aloud&gt;"));
  CHECK(has(page, "blackhole"));
  CHECK(page == report_of({make_run()}));
}

TEST_CASE("the report of several seeds says how many, and gives Student's intervals") {
  const std::string page =
      report_of({make_run({.seed = 1, .requests = 2'000}), make_run({.seed = 2, .requests = 2'000})});
  CHECK(hearth::test::well_formed(page));
  CHECK(has(page, "2 seeds, pooled"));
  CHECK(has(page, "Student&quot;s") + has(page, "Student's") > 0);
}

TEST_CASE("a report of one request, and one of none, still stand") {
  for (const std::uint64_t requests : {1, 0}) {
    auto run = make_run({.requests = 1, .warm_up = {}});
    run.records.resize(requests);
    const std::string page = report_of({run});
    CHECK(hearth::test::well_formed(page));
    CHECK_FALSE(has(page, "nan"));
    CHECK_FALSE(has(page, "inf"));
  }
}

TEST_CASE("requests are placed by who answered, and why not the other") {
  Record record = simulate::test::plain_record();
  CHECK(placed(record) == Placed::kLocal);
  record.mask = Mask::edge_only();
  CHECK(placed(record) == Placed::kAtHome);
  record.reason = Reason::kCloudFailed;
  CHECK(placed(record) == Placed::kFellBack);
  record.answered_by = 1;
  CHECK(placed(record) == Placed::kCloud);
  record.status = OutcomeStatus::kRejected;
  CHECK(placed(record) == Placed::kNotServed);
}

TEST_CASE("the time under way in all stretches together is the time that the requests took") {
  const auto run = make_run({.requests = 5'000});
  Timeline timeline(run.facts.length);
  Duration took{}, drawn{};
  std::uint64_t came = 0;
  for (const Record& record : run.records) {
    timeline.take(record);
    const Duration end = Duration(Timeline::kBins * static_cast<std::uint64_t>(timeline.bin_length().count()));
    const Duration arrived = record.arrived.time_since_epoch();
    took += std::min(arrived + record.latency, end) - arrived;  // what the last stretch does not see is cut
  }
  for (const auto& bin : timeline.bins()) {
    drawn += bin.in_flight;
    for (const auto part : bin.came) came += part;
  }
  CHECK(drawn == took);
  CHECK(came == run.records.size());
}

TEST_CASE("the Pareto front is what nothing else beats in both, by rising cost") {
  const std::vector<FrontPoint> points = {
      {"dear and good", "", "", 3, 0.95, {}, {}}, {"cheap and poor", "", "", 1, 0.80, {}, {}},
      {"beaten", "", "", 2, 0.79, {}, {}},        {"between", "", "", 2, 0.9, {}, {}},
      {"unknown", "", "", NAN, 0.99, {}, {}},     {"as good, dearer", "", "", 4, 0.95, {}, {}}};
  CHECK(pareto_front(points, true) == std::vector<std::size_t>{1, 3, 0});
  CHECK(pareto_front(points, false) == std::vector<std::size_t>{1, 2});
}

TEST_CASE("a metric is shown in its unit") {
  CHECK(shown(*find_metric("accuracy"), 0.91239) == "91.24 %");
  CHECK(shown(*find_metric("latency_p99_ms"), 87.654) == "87.65 ms");
  CHECK(shown(*find_metric("bytes_up_per_request"), 12345.6) == "12,346 B");
  CHECK(shown(*find_metric("usd_per_1000_requests"), 0.00321) == "0.00321 US$");
  CHECK(shown(*find_metric("accuracy"), NAN) == "\u2013");
}
