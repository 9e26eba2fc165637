#include <fstream>
#include <sstream>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "tests/support/temp_folder.h"
#include "tests/tools/simulate/synthetic_records.h"
#include "tools/simulate/record_writer.h"
#include "tools/simulate/summary.h"

using namespace hearth;
using namespace hearth::simulate;
using simulate::test::make_run;
using simulate::test::plain_record;

namespace {

std::string text_of(const std::string& file) {
  std::ifstream in(file);
  return std::string(std::istreambuf_iterator<char>(in), {});
}

struct Kept : RecordSink {
  std::vector<Record> records;
  void take(const Record& record) override { records.push_back(record); }
};

std::string written(const hearth::test::TempFolder& temp, const simulate::test::MadeRun& run,
                    std::uint64_t requests_max = 1'000'000) {
  const std::string file = (temp.path() / "requests.jsonl").string();
  auto writer = RecordWriter::open(file, run.names, requests_max);
  REQUIRE(writer.ok());
  for (const Record& record : run.records) (*writer)->take(record);
  REQUIRE((*writer)->publish().ok());
  CHECK((*writer)->left_out() == run.records.size() - std::min<std::uint64_t>(requests_max, run.records.size()));
  return file;
}

Error refused(const hearth::test::TempFolder& temp, const std::string& text) {
  const std::string file = (temp.path() / "requests.jsonl").string();
  std::ofstream(file) << text;
  Names names;
  Kept kept;
  const Status status = read_records(file, names, kept);
  REQUIRE_FALSE(status.ok());
  return status.error();
}

}  // namespace

TEST_CASE("what is written reads back as the same records, to the nanosecond and the last bit") {
  const auto run = make_run({.requests = 3'000});
  const hearth::test::TempFolder temp;
  const std::string file = written(temp, run);
  Names names = run.names;
  Kept kept;
  REQUIRE(read_records(file, names, kept).ok());
  REQUIRE(kept.records.size() == run.records.size());
  RecordLine line(run.names);
  std::string again;
  for (const Record& record : kept.records) again.append(line.of(record)) += '\n';
  CHECK(again == text_of(file));
  CHECK(kept.records[7].cloud.usd == run.records[7].cloud.usd);
  CHECK(kept.records[7].mask == run.records[7].mask);
  CHECK(kept.records[7].arrived == run.records[7].arrived);
}

TEST_CASE("a summary of the records read back is the summary of the run") {
  const auto run = make_run({.requests = 3'000});
  const hearth::test::TempFolder temp;
  Summary first(run.names, run.facts.warm_up, run.facts.length),
      second = Summary(run.names, run.facts.warm_up, run.facts.length);
  for (const Record& record : run.records) first.take(record);
  Names names = run.names;
  REQUIRE(read_records(written(temp, run), names, second).ok());
  Results one, other;
  one.add(run.facts, first);
  other.add(run.facts, second);
  CHECK(summary_json(one).dump() == summary_json(other).dump());
}

TEST_CASE("every line is one JSON object that says why, and what both roads would have led to") {
  const auto run = make_run({.requests = 500});
  const hearth::test::TempFolder temp;
  std::istringstream in(text_of(written(temp, run)));
  std::size_t i = 0;
  for (std::string text; std::getline(in, text); ++i) {
    const auto line = nlohmann::json::parse(text);
    const Record& record = run.records[i];
    CHECK(line["id"] == record.id);
    CHECK(line["reason"] == name_of(record.reason));
    CHECK(line["cloud_road"]["open"] == record.cloud.open);
    CHECK(line["edge_road"]["latency_ms"].get<double>() == Approx(to_ms(record.edge.latency)));
    CHECK(line["may_use"].size() == (record.mask.has_cloud() ? 3 : 1));
    CHECK(line["permit_rule"] == (record.data_class == 2 ? nlohmann::json("health-stays") : nlohmann::json()));
    CHECK(line["served_on"].is_null() == (record.status != OutcomeStatus::kServed));
  }
  CHECK(i == 500);
}

TEST_CASE("durations keep their nanoseconds and lose their idle zeros") {
  Record record = plain_record();
  record.latency = Duration(1);
  record.deadline = Duration(250'000'000);
  record.arrived = TimePoint(Duration(86'400'000'000'001));
  RecordLine line(make_run({.requests = 1}).names);
  const std::string text(line.of(record));
  CHECK(text.find("\"latency_ms\":0.000001,") != std::string::npos);
  CHECK(text.find("\"deadline_ms\":250,") != std::string::npos);
  CHECK(text.find("\"at_ms\":86400000.000001,") != std::string::npos);
}

TEST_CASE("names that need it are escaped") {
  auto run = make_run({.requests = 1});
  run.names.streams[0] = run.names.streams[1] = "a \"quoted\"\nstream";
  const hearth::test::TempFolder temp;
  CHECK(nlohmann::json::parse(text_of(written(temp, run)))["stream"] == "a \"quoted\"\nstream");
}

TEST_CASE("past its bound the writer counts what it leaves out") {
  const auto run = make_run({.requests = 20});
  const hearth::test::TempFolder temp;
  const std::string text = text_of(written(temp, run, 7));
  CHECK(std::count(text.begin(), text.end(), '\n') == 7);
}

TEST_CASE("a file that was not published is not there") {
  const hearth::test::TempFolder temp;
  const std::string file = (temp.path() / "requests.jsonl").string();
  { CHECK(RecordWriter::open(file, make_run({.requests = 1}).names, 5).ok()); }
  CHECK(std::filesystem::is_empty(temp.path()));
  CHECK_FALSE(RecordWriter::open((temp.path() / "no" / "where").string(), Names{}, 5).ok());
}

TEST_CASE("a line that is wrong is refused with its place and what was expected") {
  const hearth::test::TempFolder temp;
  RecordLine line(make_run({.requests = 1}).names);
  const std::string good(line.of(plain_record()));
  const auto with = [&](const std::string& from, const std::string& to) {
    std::string bad = good;
    bad.replace(bad.find(from), from.size(), to);
    return refused(temp, good + "\n" + bad + "\n").message;
  };
  CHECK(with("\"latency_ms\":10", "\"latency_ms\":\"x\"").find(":2: latency_ms: expected a number") !=
        std::string::npos);
  CHECK(with("\"latency_ms\":10", "\"latency_ms\":1e300").find("milliseconds up to") != std::string::npos);
  CHECK(with("local_by_default", "because").find("reason: expected one of its known words") != std::string::npos);
  CHECK(with("\"id\":1", "\"id\":-1").find("id: expected a whole number") != std::string::npos);
  CHECK(with("\"in_time\":true,", "").find("in_time: expected a value, but it is missing") != std::string::npos);
  CHECK(with("\"open\":true", "\"open\":1").find("edge_road.open: expected true or false") != std::string::npos);
  CHECK(with("\"served_on\":\"edge\"", "\"served_on\":null").find("served_on") != std::string::npos);
  CHECK(with("\"may_use\":[\"edge\"", "\"may_use\":[3").find("may_use") != std::string::npos);
  CHECK(refused(temp, "[1]\n").message.find(":1: expected one JSON object") != std::string::npos);
  CHECK(refused(temp, std::string(70'000, ' ')).message.find("longer than") != std::string::npos);
  Names names;
  Kept kept;
  CHECK(read_records((temp.path() / "absent").string(), names, kept).error().code == ErrorCode::kNotFound);
}
