// Goal: a scenario's workload is read as it stands, its defaults are those of the code, and each mistake of a person or
// of a trace is one line that says where. Method: small files, one mistake each, and one with all of them.
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include <catch2/catch.hpp>

#include "tests/support/temp_folder.h"
#include "tools/simulate/workload_reader.h"
#include "tools/simulate/workload_trace.h"

using namespace hearth;
using namespace hearth::simulate;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

struct Read {
  std::vector<sim::Stream> streams;
  std::string problems;
};

Read read_scenario(const std::string& json, const std::string& folder = ".",
                   const std::vector<std::string>& models = {"tagger"}) {
  const auto document = JsonDocument::parse(json, "s.json");
  INFO((document.ok() ? "" : document.error().message));
  REQUIRE(document.ok());
  Problems problems;
  Read result;
  JsonReader reader(*document.value(), document.value()->root(), "", problems);
  read_workload(reader, folder, models, result.streams);
  reader.finish();
  if (!problems.empty()) result.problems = problems.as_error().message;
  return result;
}

/// One stream with this in it.
std::string one(const std::string& rest, const std::string& arrivals = R"({"process": "poisson", "rate_per_s": 2})") {
  return R"({"workload": [{"name": "photos", "arrivals": )" + arrivals + (rest.empty() ? "" : ", " + rest) + "}]}";
}

struct TraceFile {
  explicit TraceFile(const std::string& text) { std::ofstream(folder.path() / "t", std::ios::binary) << text; }
  Read read(const std::string& format, const std::string& rest = "") const {
    return read_scenario(one("", R"({"trace": "t", "format": ")" + format + "\"" + rest + "}"), folder.path().string());
  }
  /// Without the folder's name.
  std::string problems(const std::string& format, const std::string& rest = "") const {
    std::string text = read(format, rest).problems;
    const std::string name = folder.path().string() + "/";
    for (std::size_t at; (at = text.find(name)) != std::string::npos;) text.erase(at, name.size());
    return text;
  }
  test::TempFolder folder;
};

const sim::RecordedArrivals& recorded(const Read& read) {
  INFO(read.problems);
  REQUIRE(read.streams.size() == 1);
  REQUIRE(std::holds_alternative<sim::RecordedArrivals>(read.streams[0].arrivals));
  return std::get<sim::RecordedArrivals>(read.streams[0].arrivals);
}

}  // namespace

TEST_CASE("a stream that says only its name and rate has the code's defaults") {
  const Read got = read_scenario(one(""));
  CHECK(got.problems.empty());
  REQUIRE(got.streams.size() == 1);
  const sim::Stream& stream = got.streams[0];
  const sim::Stream defaults;
  CHECK(std::get<sim::PoissonArrivals>(stream.arrivals).rate_per_s == 2);
  CHECK(stream.shape.flat());
  REQUIRE(stream.kinds.size() == 1);
  CHECK(stream.kinds[0].label.empty());
  CHECK(stream.payload.median == defaults.payload.median);
  CHECK(stream.reply.max == defaults.reply.max);
  CHECK_FALSE(stream.deadline.has_value());
  CHECK(stream.priority == Priority::kNormal);
  CHECK(stream.idempotent);
}

TEST_CASE("everything that a stream can say is read") {
  const Read got = read_scenario(R"({"workload": [
    {"name": "notes", "model": "speller", "arrivals": {"process": "gamma", "rate_per_s": 3, "cv": 2.5},
     "diurnal": {"amplitude": 0.5, "day_s": 600, "peak_s": 60},
     "spikes": [{"at_s": 10, "for_s": 5, "factor": 8}],
     "kinds": [{"share": 0.25, "label": "public"},
               {"share": 0.75, "label": "personal", "text": "call me", "tensors": false, "in_session": true}],
     "sessions": 20, "payload": {"median_bytes": 20000, "sigma": 0.5, "max_bytes": 90000},
     "reply": {"median_bytes": 100}, "deadline_ms": 200, "priority": "urgent", "idempotent": false},
    {"name": "b", "model": "tagger",
     "arrivals": {"process": "modulated", "states": [{"rate_per_s": 1, "stay_mean_s": 9},
                                                     {"rate_per_s": 0, "stay_mean_s": 0.5}]}},
    {"name": "c", "model": "tagger", "arrivals": {"process": "closed_loop", "users": 7, "think_mean_ms": 1500}}]})",
                                 ".", {"tagger", "speller"});
  CHECK(got.problems.empty());
  REQUIRE(got.streams.size() == 3);
  const sim::Stream& notes = got.streams[0];
  CHECK(notes.model == 1);
  CHECK(std::get<sim::GammaArrivals>(notes.arrivals).cv == 2.5);
  CHECK(notes.shape.diurnal_amplitude == 0.5);
  CHECK(notes.shape.day == seconds(600));
  CHECK(notes.shape.peak == seconds(60));
  REQUIRE(notes.shape.spikes.size() == 1);
  CHECK(notes.shape.spikes[0].at == seconds(10));
  CHECK(notes.shape.spikes[0].length == seconds(5));
  CHECK(notes.shape.spikes[0].factor == 8);
  REQUIRE(notes.kinds.size() == 2);
  CHECK(notes.kinds[0].has_tensors);
  CHECK_FALSE(notes.kinds[1].has_tensors);
  CHECK(notes.kinds[1].in_session);
  CHECK(notes.kinds[1].text == "call me");
  CHECK(notes.sessions == 20);
  CHECK(notes.payload.median == 20'000);
  CHECK(notes.payload.sigma == 0.5);
  CHECK(notes.payload.max == 90'000);
  CHECK(notes.reply.median == 100);
  CHECK(notes.deadline == milliseconds(200));
  CHECK(notes.priority == Priority::kUrgent);
  CHECK_FALSE(notes.idempotent);
  const auto& states = std::get<sim::ModulatedArrivals>(got.streams[1].arrivals).states;
  REQUIRE(states.size() == 2);
  CHECK(states[1].stay_mean == milliseconds(500));
  const auto& closed = std::get<sim::ClosedLoopArrivals>(got.streams[2].arrivals);
  CHECK(closed.users == 7);
  CHECK(closed.think_mean == milliseconds(1500));
}

TEST_CASE("each mistake in a workload is one line that says where, what and what was expected") {
  const auto [json, line] = GENERATE(table<std::string, std::string>({
      {"{}", "s.json:1:1: \"workload\" is missing"},
      {R"({"workload": []})", "s.json:1:14: /workload: expected 1 to 1000 streams"},
      {R"({"workload": [{"name": "a"}]})", "s.json:1:15: /workload/0: \"arrivals\" is missing"},
      {one("", "{}"), "s.json:1:46: /workload/0/arrivals: expected a \"process\" or a \"trace\""},
      {one("", R"({"process": "poison"})"),
       "s.json:1:58: /workload/0/arrivals/process: expected one of poisson, gamma, modulated, closed_loop; got "
       "\"poison\" (did you mean \"poisson\"?)"},
      {one("", R"({"process": "poisson", "rate_per_s": 0})"),
       "s.json:1:83: /workload/0/arrivals/rate_per_s: expected a number from 1e-06 to 1000000, got 0"},
      {one("", R"({"process": "poisson", "rate_per_s": -2})"),
       "s.json:1:83: /workload/0/arrivals/rate_per_s: expected a number from 1e-06 to 1000000, got -2"},
      {one("", R"({"process": "poisson"})"), "s.json:1:46: /workload/0/arrivals: \"rate_per_s\" is missing"},
      {one("", R"({"process": "poisson", "rate_per_s": 1, "cv": 2})"),
       "s.json:1:92: /workload/0/arrivals/cv: unknown key; valid keys: trace, process, rate_per_s"},
      {one("", R"({"process": "modulated", "states": []})"),
       "s.json:1:81: /workload/0/arrivals/states: expected 1 to 100 states"},
      {one("", R"({"process": "modulated", "states": [{"rate_per_s": 0, "stay_mean_s": 1}]})"),
       "s.json:1:81: /workload/0/arrivals/states: no state has a rate, expected at least one of 0.000001 or more"},
      {one(R"("kinds": [{"share": 0.5}, {"share": 0.4}])"),
       "s.json:1:96: /workload/0/kinds: the shares add up to 0.9, expected 1"},
      {one(R"("kinds": [{"share": 1.5}])"),
       "s.json:1:107: /workload/0/kinds/0/share: expected a number from 0 to 1, got 1.5"},
      {one(R"("kinds": [])"), "s.json:1:96: /workload/0/kinds: expected 1 to 100 kinds"},
      {one(R"("kinds": [{"share": 1, "tensors": false}])"),
       "s.json:1:97: /workload/0/kinds/0: a request needs tensors or a text"},
      {one(R"("kinds": [{"share": 1, "in_session": true}])"),
       "s.json:1:96: /workload/0/kinds: \"in_session\" needs \"sessions\", expected 1 or more of them"},
      {one(R"("payload": {"median_bytes": 5, "max_bytes": 4})"),
       "s.json:1:131: /workload/0/payload/max_bytes: expected no less than median_bytes, 5"},
      {one(R"("diurnal": {"amplitude": 2})"),
       "s.json:1:112: /workload/0/diurnal/amplitude: expected a number from 0 to 1, got 2"},
      {one(R"("spikes": [{"at_s": 1, "for_s": 0, "factor": 2}])"),
       "s.json:1:119: /workload/0/spikes/0/for_s: expected a number from 0.001 to 10000000, got 0"},
      {one(R"("spikes": [{"at_s": 1e300, "for_s": 1, "factor": 2}])"),
       "s.json:1:107: /workload/0/spikes/0/at_s: expected a number from 0 to 10000000, got 1e+300"},
      {one(R"("spikes": [{"at_s": 1, "for_s": 1, "factor": 2}])", R"({"process": "closed_loop"})"),
       "s.json:1:84: /workload/0/spikes: a closed loop has no rate of its own: its users wait for their answers"},
      {one(R"("model": "taggr")"),
       "s.json:1:96: /workload/0/model: the scenario has no model \"taggr\" (did you mean \"tagger\"?)"},
      {one(R"("priority": "high")"),
       "s.json:1:99: /workload/0/priority: expected one of background, normal, urgent; got \"high\""},
      {one(R"("deadline_ms": 0)"),
       "s.json:1:102: /workload/0/deadline_ms: expected a number from 0.1 to 3600000, got 0"},
      {one(R"("dedline_ms": 5)"), "s.json:1:101: /workload/0/dedline_ms: unknown key (did you mean \"deadline_ms\"?)"},
      {R"({"workload": [{"name": "a", "arrivals": {"process": "closed_loop"}},
{"name": "a", "arrivals": {"process": "closed_loop"}}]})",
       "s.json:2:10: /workload/1/name: there is another stream of this name, and draws go by it"},
      {one("", R"({"trace": "none", "format": "gaps"})"),
       "s.json:1:56: /workload/0/arrivals/trace: ./none: no such file"},
      {one("", R"({"trace": "t"})"), "s.json:1:46: /workload/0/arrivals: \"format\" is missing"},
      {one("", R"({"trace": "t", "format": "csv"})"),
       "s.json:1:71: /workload/0/arrivals/format: expected one of azure_llm, jsonl, gaps; got \"csv\""},
  }));
  CHECK(read_scenario(json).problems == line);
}

TEST_CASE("where there are several models, a stream says which") {
  CHECK(read_scenario(one(""), ".", {"a", "b"}).problems ==
        "s.json:1:15: /workload/0: \"model\" is missing: there are 2");
}

TEST_CASE("all mistakes of a workload are told at once") {
  const Read got = read_scenario(R"({"workload": [
    {"name": "", "arrivals": {"process": "gamma", "cv": -1}, "kinds": [{"share": 0.2}, {"shares": 1}]},
    {"model": "x", "arrivals": {"process": "closed_loop", "users": 0}, "sessions": -1}]})");
  CHECK(std::count(got.problems.begin(), got.problems.end(), '\n') + 1 == 10);
}

TEST_CASE("Azure's traces are read by their column names, tokens as bytes, time from the first line") {
  const TraceFile file(
      "TIMESTAMP,ContextTokens,GeneratedTokens\r\n2023-11-16 23:59:59.5000000,100,10\r\n"
      "2023-11-17 00:00:00.2500000,30,0\r\n2023-11-17 00:00:02,1,2");
  const Read got = file.read("azure_llm", R"(, "repeat": true, "reply_bytes_per_token": 2.5)");
  const auto& arrivals = recorded(got);
  const auto& requests = *arrivals.requests;
  REQUIRE(requests.size() == 3);
  CHECK(requests[0].at == Duration{});
  CHECK(requests[0].payload_bytes == 400);
  CHECK(requests[0].reply_bytes == 25);
  CHECK(requests[1].at == milliseconds(750));
  CHECK(requests[1].reply_bytes == 0);
  CHECK(requests[2].at == milliseconds(2500));
  CHECK(arrivals.period == milliseconds(3750));  // a mean gap after the last one
  CHECK(arrivals.repeat);
}

TEST_CASE("Vidur's form of a trace is read too") {
  const TraceFile file("num_decode_tokens,arrived_at,num_prefill_tokens\n7,0.5,3\n8,1.5,4\n");
  const Read got = file.read("azure_llm");
  const auto& requests = *recorded(got).requests;
  REQUIRE(requests.size() == 2);
  CHECK(requests[1].at == seconds(1));
  CHECK(requests[1].payload_bytes == 16);
  CHECK(requests[1].reply_bytes == 32);
}

TEST_CASE("a line of JSON says when, and what else it knows") {
  const TraceFile file(
      "{\"at_s\": 0.25}\n\n{\"at_s\": 1, \"payload_bytes\": 7, \"reply_bytes\": 8, \"kind\": 0, \"deadline_ms\": 50, "
      "\"sample\": 18446744073709551615}\n");
  const Read got = file.read("jsonl", R"(, "speed": 2)");
  const auto& requests = *recorded(got).requests;
  REQUIRE(requests.size() == 2);
  CHECK(requests[0].at == milliseconds(250));
  CHECK_FALSE(requests[0].payload_bytes.has_value());
  CHECK(requests[1].payload_bytes == 7);
  CHECK(requests[1].reply_bytes == 8);
  CHECK(requests[1].kind == 0);
  CHECK(requests[1].deadline == milliseconds(50));
  CHECK(requests[1].sample == UINT64_MAX);
  CHECK(recorded(got).speed == 2);
}

TEST_CASE("gaps add up, and the next round begins with the last one") {
  const TraceFile file("0.5\n0\n1.25\n");
  const Read got = file.read("gaps", R"(, "repeat": true, "spread": true)");
  const auto& arrivals = recorded(got);
  REQUIRE(arrivals.requests->size() == 3);
  CHECK((*arrivals.requests)[1].at == milliseconds(500));
  CHECK((*arrivals.requests)[2].at == milliseconds(1750));
  CHECK(arrivals.period == milliseconds(1750));
  CHECK(arrivals.spread);
}

TEST_CASE("each mistake in a trace is one line that says where") {
  const std::string head = "TIMESTAMP,ContextTokens,GeneratedTokens\n";
  const auto [format, text, line] = GENERATE_COPY(table<std::string, std::string, std::string>({
      {"azure_llm", "", "t:1: no requests, expected one a line"},
      {"azure_llm", head, "t:1: no requests, expected one a line"},
      {"azure_llm", "when,what\n1,2\n", "t:1: expected the columns TIMESTAMP,ContextTokens,GeneratedTokens"},
      {"azure_llm", head + "2023-11-16 18:17:03,5\n", "t:2: 2 cells, expected 3"},
      {"azure_llm", head + "2023-13-16 18:17:03,5,1\n",
       "t:2: \"2023-13-16 18:17:03\" is no time, expected 2023-11-16 18:17:03.97 or seconds"},
      {"azure_llm", head + "1e300,5,1\n", "t:2: \"1e300\" is no time, expected 2023-11-16 18:17:03.97 or seconds"},
      {"azure_llm", head + "1,-5,1\n", "t:2: \"-5\" is no count of tokens, expected 0 to 100000000"},
      {"azure_llm", head + "1,5,1e12\n", "t:2: \"1e12\" is no count of tokens, expected 0 to 100000000"},
      {"azure_llm", head + "1,5,nan\n", "t:2: \"nan\" is no count of tokens, expected 0 to 100000000"},
      {"azure_llm", head + "2,5,1\n1,5,1\n", "t:3: earlier than the line before it, expected times in order"},
      {"jsonl", "{\"at_s\": 1}\n{\"at_s\": 0}\n", "t:2: earlier than the line before it, expected times in order"},
      {"jsonl", "{\"at_s\": 1}\n{\"at_s\": -1}\n", "t:2: /at_s: expected a number from 0 to 1000000000, got -1"},
      {"jsonl", "{}\n", "t:1: \"at_s\" is missing"},
      {"jsonl", "{\"at_s\": 1, \"kind\": 1}\n", "t:1: /kind: expected a whole number from 0 to 0, got 1"},
      {"jsonl", "{\"at_s\": 1, \"payload\": 1}\n", "t:1: /payload: unknown key (did you mean \"payload_bytes\"?)"},
      {"gaps", "1\n-1\n", "t:2: \"-1\" is no gap, expected seconds from 0 to 1000000000"},
      {"gaps", "1\nx\n", "t:2: \"x\" is no gap, expected seconds from 0 to 1000000000"},
      {"gaps", "9e8\n9e8\n", "t:2: the gaps add up to more than 1000000000 s"},
  }));
  CHECK(TraceFile(text).problems(format) == line);
}

TEST_CASE("a line of JSON that is cut is one line of complaint") {
  const std::string problems = TraceFile("{\"at_s\": 1}\n{\"at_s\": 2, \"payl").problems("jsonl");
  CHECK(problems.substr(0, 5) == "t:2: ");
  CHECK(problems.find('\n') == std::string::npos);
}

TEST_CASE("a trace that is wrong all over is told in eleven lines") {
  std::string text;
  for (int i = 0; i < 500; ++i) text += "-1\n";
  const std::string problems = TraceFile(text).problems("gaps");
  CHECK(std::count(problems.begin(), problems.end(), '\n') + 1 == 11);
  CHECK(problems.find("t: and 490 more lines") != std::string::npos);
}

TEST_CASE("a trace that takes no time cannot be repeated") {
  CHECK(TraceFile("0\n0\n").problems("gaps", R"(, "repeat": true)").find("takes no time") != std::string::npos);
  CHECK(TraceFile("0\n0\n").problems("gaps").empty());
  CHECK(TraceFile("1\n").problems("gaps", R"(, "spread": true)").find("spread: needs \"repeat\": true") !=
        std::string::npos);
}

TEST_CASE("Azure's code trace of 2023 is read, where it is there") {
  const std::string folder = "../shared/data/traces/workload/azure_llm_2023";
  if (!std::ifstream(folder + "/AzureLLMInferenceTrace_code.csv")) {
    WARN("skipped: no traces in " << folder);
    return;
  }
  const Read got = read_scenario(
      one("", R"({"trace": "AzureLLMInferenceTrace_code.csv", "format": "azure_llm", "repeat": true})"), folder);
  const auto& requests = *recorded(got).requests;
  CHECK(requests.size() == 8819);  // one less than its lines
  CHECK(requests[1].at == milliseconds(52));
  CHECK(requests[0].payload_bytes == 4 * 4808);
  CHECK(requests.back().at > std::chrono::minutes(50));
  CHECK(requests.back().at < std::chrono::minutes(65));
}

TEST_CASE("no damage to a trace does more than get it refused") {
  const std::vector<std::pair<TraceFormat, std::string>> traces = {
      {TraceFormat::kAzureLlm,
       "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:17:03.9799600,4808,10\n2023-11-16 18:17:04.03,3180,8\n"},
      {TraceFormat::kJsonLines, "{\"at_s\": 0.25}\n{\"at_s\": 1, \"payload_bytes\": 7, \"kind\": 0}\n"},
      {TraceFormat::kGaps, "0.5\n0\n1.25\n"}};
  RandomStream draws(1, "damage");
  int good = 0;
  for (int i = 0; i < 9000; ++i) {
    auto [format, text] = traces[static_cast<std::size_t>(i) % traces.size()];
    for (std::uint64_t cuts = draws.below(4); cuts > 0 && !text.empty(); --cuts) {
      const auto at = draws.below(text.size());
      if (draws.below(2) == 0) {
        text[at] = "0123456789.,-:{}\"\n\te "[draws.below(21)];
      } else {
        text.erase(at, draws.below(12));
      }
    }
    Problems problems;
    const WorkloadTrace trace = parse_workload_trace(text, "t", format, {}, 2, problems);
    if (!problems.empty()) continue;
    ++good;
    REQUIRE_FALSE(trace.requests.empty());
    CHECK(trace.period >= trace.requests.back().at - trace.requests.front().at);
    Duration last{};
    for (const auto& request : trace.requests) {
      CHECK(request.at >= last);
      last = request.at;
    }
  }
  CHECK(good > 2000);
}
