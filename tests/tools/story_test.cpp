#include <algorithm>
#include <sstream>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "tests/support/well_formed.h"
#include "tests/tools/synthetic_story.h"
#include "tools/hearth/report.h"
#include "tools/hearth/summary.h"

using namespace hearth;
using namespace hearth::tool;

namespace {

Story passing_story() {
  Story story = synthetic_story(800, true);
  story.leaks = {{"photo, JSON tensor", true}, {"photo, binary tensor", true}};
  return story;
}

const Claim& claim_about(const std::vector<Claim>& claims, const std::string& word) {
  const auto found = std::find_if(claims.begin(), claims.end(),
                                  [&](const Claim& claim) { return claim.name.find(word) != std::string::npos; });
  REQUIRE(found != claims.end());
  return *found;
}

}  // namespace

TEST_CASE("a run in which nothing sensitive left and nothing failed passes") {
  const Story story = passing_story();
  CHECK(passed(story, make_board(story)));
}

TEST_CASE("one sensitive arrival at the server fails the run and names itself in the claim") {
  Story story = passing_story();
  story.hearth.left = {1, 1, 0};
  const Board board = make_board(story);
  CHECK_FALSE(passed(story, board));
  const auto claims = make_claims(story, board);
  CHECK_FALSE(claim_about(claims, "must stay").holds);
  CHECK(claim_about(claims, "must stay").figures.find("1 by the server's own count") == 0);
}

TEST_CASE("a byte sent for a photo that must stay fails the run even when the server is no longer there to count it") {
  Story story = passing_story();
  const auto stays = std::find_if(story.hearth.served.begin(), story.hearth.served.end(), [&](const Served& one) {
    return story.arrivals[one.arrival].stays == Stays::kSensitivePhoto;
  });
  stays->outcome.bytes_sent = 1;
  CHECK_FALSE(passed(story, make_board(story)));
  CHECK(make_board(story).must_stay_bytes == 1);
}

TEST_CASE("a failed request fails the run, and so does a planted leak that went unseen") {
  Story failed = passing_story();
  failed.hearth.served[3].outcome.status = OutcomeStatus::kFailed;
  CHECK_FALSE(passed(failed, make_board(failed)));
  Story unseen = passing_story();
  unseen.leaks[1].seen = false;
  CHECK_FALSE(passed(unseen, make_board(unseen)));
  CHECK(claim_about(make_claims(unseen, make_board(unseen)), "planted").figures == "1 of 2");
}

TEST_CASE("permitted figures cover exactly the photos that hearth's mask let go, in both modes") {
  const Story story = passing_story();
  const Board board = make_board(story);
  CHECK(board.hearth_permitted.requests == board.may_leave);
  CHECK(board.cloud_only_permitted.requests == board.may_leave);
  CHECK(board.may_leave + board.must_stay() == 800);
  CHECK(board.must_stay_permitted == 0);
}

TEST_CASE("the summary holds every promised key, shares as fractions") {
  const Story story = passing_story();
  const auto summary = make_summary(story, make_board(story));
  for (const char* key : {"requests", "failed", "edge_share", "cloud_share", "permitted_requests",
                          "permitted_cloud_share", "sensitive_requests", "sensitive_left", "bytes_sent",
                          "policy_sha256", "seed", "machine", "planted_leaks_sent", "planted_leaks_seen"}) {
    INFO(key);
    CHECK(summary.contains(key));
  }
  for (const char* mode : {"edge_only", "cloud_only", "hearth"}) {
    CHECK(summary["deadline_met_share"][mode].get<double>() <= 1);
    CHECK(summary["accuracy"][mode].get<double>() <= 1);
    for (const char* q : {"p50", "p95", "p99"}) CHECK(summary["latency_ms"][mode][q].get<double>() > 0);
  }
  CHECK(summary["accuracy"].contains("hearth_permitted"));
  CHECK(summary["accuracy"].contains("cloud_only_permitted"));
  CHECK(summary["requests"] == 800);
}

TEST_CASE("requests.jsonl has one whole JSON object per request and mode, and no caption in it") {
  const Story story = passing_story();
  const std::string lines = make_request_lines(story);
  std::istringstream in(lines);
  std::size_t count = 0;
  for (std::string line; std::getline(in, line); ++count) {
    const auto object = nlohmann::json::parse(line, nullptr, false);
    REQUIRE(object.is_object());
    CHECK(object.contains("mode"));
    CHECK(object.contains("served_on"));
  }
  CHECK(count == 3 * 800);
  for (const Arrival& arrival : story.arrivals) {
    if (!arrival.caption.empty()) CHECK(lines.find(arrival.caption) == std::string::npos);
    if (!arrival.canary.empty()) CHECK(lines.find(arrival.canary) == std::string::npos);
  }
}

TEST_CASE("the report is well-formed, needs nothing from elsewhere, and holds no caption") {
  const Story story = passing_story();
  const std::string page = make_report(story, make_board(story));
  CHECK(test::well_formed(page));
  for (const char* outside : {"http://", "https://", "<script", "<link", "<img", "url(", "@import", "nan", "inf\""}) {
    INFO(outside);
    CHECK(page.find(outside) == std::string::npos);
  }
  CHECK(page.find("demo &lt;&amp;&gt;") != std::string::npos);  // the policy's name, escaped
  CHECK(page.find("cloud killed") != std::string::npos);
  CHECK(page.find("prefers-color-scheme: dark") != std::string::npos);
  for (const Arrival& arrival : story.arrivals) {
    if (!arrival.caption.empty()) CHECK(page.find(arrival.caption) == std::string::npos);
    if (!arrival.canary.empty()) CHECK(page.find(arrival.canary) == std::string::npos);
  }
}

TEST_CASE("a report of a single request, without a threshold curve, still stands") {
  Story story = synthetic_story(1, false);
  story.curve.clear();
  const std::string page = make_report(story, make_board(story));
  CHECK(test::well_formed(page));
  CHECK(page.find("nan") == std::string::npos);
  CHECK(page.find("Where the threshold comes from") == std::string::npos);
}

TEST_CASE("the table shows all three modes and marks a claim that misses") {
  Story story = passing_story();
  for (Served& one : story.hearth.served) one.latency = from_ms(240);
  const std::string table = make_table(story, make_board(story));
  CHECK(table.find("edge only") != std::string::npos);
  CHECK(table.find("MISSES  ten times as quick") != std::string::npos);
  CHECK(table.find("holds   nothing that must stay left\n          0 by the server's own count") != std::string::npos);
  CHECK(table.find("Cloud-only ignores privacy and sends everything") != std::string::npos);
}

TEST_CASE("numbers read well") {
  CHECK(grouped(0) == "0");
  CHECK(grouped(999) == "999");
  CHECK(grouped(1'234'567) == "1,234,567");
  CHECK(percent(0.12345) == "12.3 %");
  CHECK(milliseconds(0.4321) == "0.43");
  CHECK(milliseconds(123.4) == "123");
}
