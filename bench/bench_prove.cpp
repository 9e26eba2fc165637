// Proofs about large policies: generated ones of 200 and of 2,000 rules, half classify and half forbid.
//
//   hearth      prove_never of a loaded policy, the reading of the query included: median of the runs, fastest, slowest
//   reference   Z3 on the same policy and query: what its solver took, and with the writing down from JSON; once
//
// Both must say the same; exit code 3 when they do not. Goals: 50 ms for 200 rules, 1 s for 2,000.
//
// bench_prove [--quick] [--json]
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "policies/prove.h"
#include "tests/policies/z3_oracle.h"

namespace {

using namespace hearth;
using namespace hearth::policies;
using nlohmann::json;
using Clock = std::chrono::steady_clock;

constexpr unsigned kZ3TimeoutMs = 60'000;

double ms_since(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

/// The i-th choice, spread over the list by a fixed stride so that neighbours differ.
template <class T>
const T& of(const std::vector<T>& list, unsigned i, unsigned stride) {
  return list[(i * stride + i / 7) % list.size()];
}

/// What a hospital or a bank writes: a dictionary a rule, thresholds of detectors, models by name.
json classify_rule(unsigned i) {
  const std::vector<std::string> classes = {"internal", "personal", "phi"};
  const std::vector<std::string> types = {"EMAIL", "PHONE", "CREDIT_CARD", "IBAN", "SSN",
                                          "MRN",   "NPI",   "PERSON",      "BADGE"};
  json when;
  switch (i % 4) {
    case 0:
    case 1:
      for (unsigned word = 0; word < 1 + i % 4; ++word) {
        when["text.contains"].push_back((word % 2 == 0 ? "diagnosis " : "case ") + std::to_string(1000 + i * 3 + word));
      }
      if (i % 8 == 1) when["text.contains"].push_back("diagnosis");  // Holds within many of the others.
      break;
    case 2:
      when["detected." + of(types, i, 5)] = {{"ge", 1 + i % 6}};
      if (i % 3 == 0) when["detected." + of(types, i + 1, 5)] = {{"gt", i % 4}};
      break;
    default:
      when["model"] = "model-" + std::to_string(i % 40);
      when["payload_kib"] = {{"gt", 16 * (i % 50)}};
  }
  return {{"id", "raise-" + std::to_string(i)}, {"when", when}, {"class", of(classes, i, 2)}};
}

json forbid_rule(unsigned i) {
  const std::vector<std::string> endpoints = {"main", "overseas", "lab", "night"};
  const std::vector<std::string> regions = {"eu", "us", "ap"};
  json when;
  json sites = json::array({"cloud"});
  switch (i % 6) {
    case 0:
      when = {{"device.network", "metered"}, {"payload_kib", {{"gt", 64 + i}}}};
      break;
    case 1:
      when = {{"device.battery_percent", {{"lt", 5 + i % 30}}}, {"device.charging", false}};
      break;
    case 2:
      when = {{"utc_hour", {{"ge", 18 + i % 6}}}, {"class", {{"ge", "internal"}}}};
      sites = {"cloud:" + of(endpoints, i, 3)};
      break;
    case 3:
      when = {{"class", {{"ge", "personal"}}}, {"model", "model-" + std::to_string(i % 60)}};
      sites = {"region:" + of(regions, i, 2)};
      break;
    case 4:
      when = {{"cloud_mib_today", {{"ge", 10 + i % 90}}}, {"detected.PERSON", {{"gt", i % 5}}}};
      break;
    default:
      when = {{"model", "model-" + std::to_string(i % 60)}, {"payload", "tensor"}, {"payload_kib", {{"ge", 32 + i}}}};
      sites = {"cloud:" + of(endpoints, i, 3), "region:" + of(regions, i, 2)};
  }
  return {{"id", "forbid-" + std::to_string(i)}, {"when", when}, {"sites", sites}};
}

json large_policy(unsigned rules) {
  json policy = {{"version", 1}, {"name", "large"}, {"default_class", "phi"}};
  policy["classes"] = {{{"name", "public"}, {"egress", "allow"}},
                       {{"name", "internal"}, {"egress", "allow"}, {"regions", {"eu", "us"}}},
                       {{"name", "personal"}, {"egress", "redacted"}, {"regions", {"eu"}}},
                       {{"name", "phi"}, {"egress", "never"}, {"taints_session_for_s", 3600}}};
  policy["detectors"] = {{{"type", "BADGE"}, {"pattern", "B[0-9]{6}"}}};
  policy["budgets"] = {{"cloud_mib_per_day", 200}, {"cloud_usd_per_day", 5}};
  policy["min_class"] = {{"model-1", "personal"}, {"model-2", "internal"}};
  policy["forbid"].push_back({{"id", "no-consent"}, {"when", {{"consent", {{"ne", "given"}}}}}});
  for (unsigned i = 0; i < rules / 2; ++i) policy["classify"].push_back(classify_rule(i));
  for (unsigned i = 1; i < rules / 2; ++i) policy["forbid"].push_back(forbid_rule(i));
  return policy;
}

struct Question {
  const char* text;
  json when;
  const char* target;
};
const std::vector<Question> kQuestions = {
    {"class=phi -> cloud", {{"class", "phi"}}, "cloud"},
    {"consent!=given -> cloud", {{"consent", {{"ne", "given"}}}}, "cloud"},
    {"class>=personal -> region:us", {{"class", {{"ge", "personal"}}}}, "region:us"},
    {"detected.SSN>5 & label=public -> cloud", {{"detected.SSN", {{"gt", 5}}}, {"label", "public"}}, "cloud"},
    {"text.contains=diagnosis & payload=tensor -> cloud:lab",
     {{"text.contains", "diagnosis"}, {"payload", "tensor"}},
     "cloud:lab"},
    {"device.network=metered & payload_kib>2000 -> cloud",
     {{"device.network", "metered"}, {"payload_kib", {{"gt", 2000}}}},
     "cloud"},
    {"-> cloud", json::object(), "cloud"},
};

const char* name_of(Verdict verdict) {
  return verdict == Verdict::kProved ? "proved" : verdict == Verdict::kRefuted ? "refuted" : "unknown";
}

/// One question of one policy by both; null after an error, which is told.
json measured(const Policy& policy, const json& text, const Question& question, int runs) {
  std::vector<double> times_ms;
  Proof proof;
  for (int run = 0; run < runs; ++run) {
    const auto start = Clock::now();
    auto answer = prove_never(policy, question.text);
    times_ms.push_back(ms_since(start));
    if (!answer.ok()) {
      std::fprintf(stderr, "bench_prove: %s: %s\n", question.text, answer.error().message.c_str());
      return nullptr;
    }
    proof = std::move(answer.value());
  }
  std::sort(times_ms.begin(), times_ms.end());
  const auto start = Clock::now();
  Z3Oracle oracle(text);
  oracle.set_timeout_ms(kZ3TimeoutMs);
  const Answer answer = oracle.some(question.when, question.target, true);
  const double whole_ms = ms_since(start);
  const Verdict other = answer == Answer::kNone   ? Verdict::kProved
                        : answer == Answer::kSome ? Verdict::kRefuted
                                                  : Verdict::kUnknown;
  return {{"query", question.text},
          {"verdict", name_of(proof.verdict)},
          {"boxes", proof.boxes},
          {"hearth_ms", times_ms[times_ms.size() / 2]},
          {"hearth_min_ms", times_ms.front()},
          {"hearth_max_ms", times_ms.back()},
          {"z3_verdict", name_of(other)},
          {"z3_solver_ms", oracle.solver_ms()},
          {"z3_whole_ms", whole_ms}};
}

void print(const json& row) {
  std::printf("  %-54s %-8s %9.2f ms (%.2f to %.2f) %9llu boxes   Z3 %-8s %9.1f ms, %9.1f ms in all\n",
              row["query"].get<std::string>().c_str(), row["verdict"].get<std::string>().c_str(),
              row["hearth_ms"].get<double>(), row["hearth_min_ms"].get<double>(), row["hearth_max_ms"].get<double>(),
              row["boxes"].get<unsigned long long>(), row["z3_verdict"].get<std::string>().c_str(),
              row["z3_solver_ms"].get<double>(), row["z3_whole_ms"].get<double>());
  std::fflush(stdout);
}

int run_all(bool quick, bool as_json) {
  json result = json::array();
  bool agree = true;
  for (const unsigned rules : quick ? std::vector<unsigned>{200} : std::vector<unsigned>{200, 2000}) {
    const json text = large_policy(rules);
    const auto policy = Policy::load(text.dump(), "large.json");
    if (!policy.ok()) {
      std::fprintf(stderr, "bench_prove: %s\n", policy.error().message.c_str());
      return 3;
    }
    if (!as_json) std::printf("%u rules (goal %s)\n", rules, rules == 200 ? "50 ms" : "1 s");
    for (const Question& question : kQuestions) {
      json row = measured(*policy.value(), text, question, quick ? 3 : rules == 200 ? 25 : 7);
      if (row.is_null()) return 3;
      const bool same = row["verdict"] == row["z3_verdict"];
      agree = agree && (same || row["z3_verdict"] == "unknown" || row["verdict"] == "unknown");
      row["rules"] = rules;
      if (!as_json) print(row);
      result.push_back(std::move(row));
    }
  }
  if (as_json) std::printf("%s\n", result.dump(2).c_str());
  if (!agree) std::fprintf(stderr, "bench_prove: hearth and Z3 disagree\n");
  return agree ? 0 : 3;
}

}  // namespace

int main(int argc, char** argv) {
  bool quick = false;
  bool as_json = false;
  for (int i = 1; i < argc; ++i) {
    if (std::strcmp(argv[i], "--quick") == 0) {
      quick = true;
    } else if (std::strcmp(argv[i], "--json") == 0) {
      as_json = true;
    } else {
      std::printf("Proofs about policies of 200 and 2,000 rules, beside Z3.\nusage: bench_prove [--quick] [--json]\n");
      return std::strcmp(argv[i], "--help") == 0 ? 0 : 2;
    }
  }
  return run_all(quick, as_json);
}
