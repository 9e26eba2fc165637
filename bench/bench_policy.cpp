// Goal: what a decision costs, and how little it grows with the rules. A decision is classify by label, permit and
// place (the plan, carried out inside the mask) of one request under a generated policy; its rules ask what a
// hospital's or a bank's ask, but for words in the text, which no table can hold.
//
//   table       policies::Table, as the runtime decides; label and model looked up each time, or once before (interned)
//   reference   policies::Policy, rule by rule, as `explain` and the proofs understand it
//
// Method: 4,096 different requests, in another order each run, so that neither can be learned by heart; 16 at a time
// are brought near, as facts are that were just put together. Two figures of std::chrono::steady_clock: around 16
// decisions, divided (p50 and p99 of that); and around each single one, which counts the clock's own time too (told
// beside it). Median of the runs, fastest and slowest. Allocations are counted. Both must decide the same; exit code 3
// when they do not.
#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <numeric>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <hearth/random.h>

#include "bench/counted_new.h"
#include "policies/policy.h"
#include "policies/table.h"

namespace {

using namespace hearth;
using namespace hearth::policies;
using Json = nlohmann::ordered_json;
using bench::allocations;
using bench::quantile;
using Clock = std::chrono::steady_clock;

constexpr std::size_t kRequests = 4096;
constexpr std::size_t kGroup = 16;
const std::vector<std::string> kClasses = {"public", "internal", "personal", "phi"};
const EndpointFacts kEndpoints[] = {{"main", "eu"}, {"overseas", "us"}, {"lab", "ap"}, {"night", "eu"}};

std::string model_name(unsigned i) { return "model-" + std::to_string(i % 40); }

Json classify_rule(unsigned i) {
  const std::vector<std::string> types = {"EMAIL", "PHONE", "CREDIT_CARD", "IBAN", "SSN", "MRN", "PERSON", "BADGE"};
  Json when;
  switch (i % 3) {
    case 0:
      when["detected." + types[i / 3 % types.size()]] = {{"ge", 1 + i / 24 % 6}};
      if (i % 2 == 0) when["payload"] = "text";
      break;
    case 1:
      when = {{"detected.PERSON", {{"gt", i % 4}}}, {"detected." + types[i % 7], {{"gt", 1}}}};
      break;
    default:
      when = {{"model", model_name(i)}, {"payload_kib", {{"gt", 16 * (i % 50)}}}};
  }
  return {{"id", "raise-" + std::to_string(i)}, {"when", when}, {"class", kClasses[1 + i % 3]}};
}

Json forbid_rule(unsigned i) {
  const std::string endpoint = "cloud:" + std::string(kEndpoints[i % 4].name);
  const std::string region = "region:" + std::string(kEndpoints[i % 3].region);
  Json when;
  Json sites = {"cloud"};
  switch (i % 6) {
    case 0:
      when = {{"device.network", "metered"}, {"payload_kib", {{"gt", 64 + 8 * i}}}};
      break;
    case 1:
      when = {{"device.battery_percent", {{"lt", 5 + i % 30}}}, {"device.charging", false}};
      break;
    case 2:
      when = {{"utc_hour", {{"ge", 18 + i % 6}}}, {"class", {{"ge", "internal"}}}};
      sites = {endpoint};
      break;
    case 3:
      when = {{"class", {{"ge", "personal"}}}, {"model", {model_name(i), model_name(i + 7)}}};
      sites = {region};
      break;
    case 4:
      when = {{"cloud_mib_today", {{"ge", 100 + i % 90}}}, {"detected.PERSON", {{"gt", i % 5}}}};
      break;
    default:
      when = {{"model", model_name(i)}, {"payload", "tensor"}, {"payload_kib", {{"ge", 32 + i}}}};
      sites = {endpoint, region};
  }
  return {{"id", "forbid-" + std::to_string(i)}, {"when", when}, {"sites", sites}};
}

Json prefer_rule(unsigned i) {
  Json when;
  switch (i % 3) {
    case 0:
      when = {{"model", model_name(3 * i)}, {"device.network", "unmetered"}};
      break;
    case 1:
      when = {{"device.battery_percent", {{"lt", 10 + i % 40}}}, {"class", "public"}};
      break;
    default:
      when = {
          {"payload_kib", {{"gt", 8 * (i % 60)}}}, {"cloud_usd_today", {{"lt", 1 + i % 4}}}, {"model", model_name(i)}};
  }
  Json rule = {{"id", "prefer-" + std::to_string(i)}, {"when", when}, {"deadline_ms", 100 + i}};
  rule["plan"] = i % 3 == 1 ? "edge" : i % 2 == 0 ? "cloud" : "cascade";
  if (rule["plan"] == "cascade") rule["confidence_below"] = 0.8;
  return rule;
}

/// Of ten rules three classify, five forbid and two prefer.
Json policy_of(unsigned rules) {
  Json policy = {{"version", 1}, {"name", "bench"}, {"default_class", "phi"}};
  policy["classes"] = {{{"name", "public"}, {"egress", "allow"}},
                       {{"name", "internal"}, {"egress", "allow"}, {"regions", {"eu", "us"}}},
                       {{"name", "personal"}, {"egress", "redacted"}, {"regions", {"eu"}}},
                       {{"name", "phi"}, {"egress", "never"}}};
  policy["detectors"] = {{{"type", "BADGE"}, {"pattern", "B[0-9]{6}"}}};
  policy["budgets"] = {{"cloud_mib_per_day", 200}, {"cloud_usd_per_day", 5}};
  policy["forbid"] = {{{"id", "no-consent"}, {"when", {{"consent", {{"ne", "given"}}}}}}};
  const unsigned classify = rules * 3 / 10;
  const unsigned prefer = rules / 5;
  for (unsigned i = 0; i < classify; ++i) policy["classify"].push_back(classify_rule(i));
  for (unsigned i = 0; i < prefer; ++i) policy["prefer"].push_back(prefer_rule(i));
  for (unsigned i = 1; i < rules - classify - prefer; ++i) policy["forbid"].push_back(forbid_rule(i));
  return policy;
}

/// Requests of every label and model, most with nothing found in them, some with things unknown.
std::vector<Facts> draw_requests() {
  static std::vector<std::string> models;
  for (unsigned i = 0; i < 50; ++i) models.push_back("model-" + std::to_string(i));  // ten that no rule names
  static const std::vector<std::string> labels = {"public",   "public",   "public", "internal", "internal",
                                                  "personal", "personal", "phi",    "",         "unheard-of"};
  RandomStream draw(20261125, "bench_policy");
  const auto one_in = [&](std::uint64_t n) { return draw.below(n) == 0; };
  std::vector<Facts> requests(kRequests);
  for (Facts& facts : requests) {
    facts.label = labels[draw.below(labels.size())];
    facts.model = models[draw.below(models.size())];
    facts.has_tensors = one_in(3);
    if (!facts.has_tensors || one_in(4)) facts.text = "a message of some words";
    for (auto& count : facts.detected) count = one_in(12) ? static_cast<std::uint16_t>(1 + draw.below(4)) : 0;
    facts.text_understood = !one_in(50);
    facts.payload_kib = draw.lognormal(60, 1.5);
    facts.device.network = one_in(20) ? NetworkKind::kUnknown : static_cast<NetworkKind>(1 + draw.below(3));
    if (!one_in(10)) facts.device.battery_percent = 100 * draw.uniform();
    if (!one_in(10)) facts.device.charging = one_in(2);
    facts.consent = one_in(10) ? Consent::kAbsent : Consent::kGiven;
    facts.session_tainted = one_in(10);
    facts.cloud_mib_today = 210 * draw.uniform();
    facts.cloud_usd_today = 5.2 * draw.uniform();
    facts.utc_hour = static_cast<unsigned>(draw.below(24));
  }
  return requests;
}

struct Decision {
  Classified classified;
  Permission permission;
  Preference preference;
  PlanKind plan = PlanKind::kReject;  ///< Inside the mask.

  std::array<unsigned, 7> all() const {
    return {classified.data_class,
            classified.rule,
            permission.mask.bits(),
            permission.rule,
            static_cast<unsigned>(preference.plan),
            preference.rule,
            static_cast<unsigned>(plan)};
  }
};

PlanKind place(PlanKind preferred, Mask mask) {
  if (mask.has_cloud()) return mask.has(kEdgeSite) ? preferred : PlanKind::kCloud;
  return mask.has(kEdgeSite) ? PlanKind::kEdge : PlanKind::kReject;
}

Decision by_table(const Table& table, const Facts& facts, Words words) {
  Decision decision;
  decision.classified = table.classify(facts, words);
  decision.permission = table.permit(facts, words, decision.classified.data_class);
  decision.preference = table.prefer(facts, words, decision.classified.data_class);
  decision.plan = place(decision.preference.plan, decision.permission.mask);
  return decision;
}

Decision by_policy(const Policy& policy, const Facts& facts) {
  Decision decision;
  decision.classified = policy.classify(facts);
  decision.permission = policy.permit(facts, decision.classified.data_class, kEndpoints);
  decision.preference = policy.prefer(facts, decision.classified.data_class);
  decision.plan = place(decision.preference.plan, decision.permission.mask);
  return decision;
}

void keep(const Decision& decision) { asm volatile("" : : "g"(&decision) : "memory"); }  // so that it is made at all

/// Median of the runs, fastest, slowest.
struct Figure {
  std::vector<double> runs;
  Json json() {
    std::sort(runs.begin(), runs.end());
    return {{"ns", runs[runs.size() / 2]}, {"min_ns", runs.front()}, {"max_ns", runs.back()}};
  }
};

double ns_between(Clock::time_point from, Clock::time_point to) {
  return std::chrono::duration<double, std::nano>(to - from).count();
}

/// A request as the runtime has it when it decides: just put together, and so in the nearest cache.
struct Asked {
  Facts facts;
  Words words;
};

/// Times `decide` of every request, in a new order each run.
template <class Decide>
Json measured(int runs, const std::vector<Asked>& requests, const Decide& decide) {
  std::vector<std::size_t> order(requests.size());
  std::iota(order.begin(), order.end(), 0);
  RandomStream draw(1, "order");
  const auto shuffle = [&] {
    for (std::size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[draw.below(i)]);
  };
  std::array<Asked, kGroup> group;
  const auto fill = [&](std::size_t from) {
    for (std::size_t i = 0; i < kGroup; ++i) group[i] = requests[order[from + i]];
  };
  std::vector<double> groups, singles;
  groups.reserve(order.size() / kGroup);
  singles.reserve(order.size());
  Figure p50, p99, single_p50, single_p99;
  std::size_t allocated = 0;
  for (int run = -1; run < runs; ++run) {  // The first warms up.
    groups.clear();
    singles.clear();
    for (const bool together : {true, false}) {
      shuffle();
      for (std::size_t from = 0; from < order.size(); from += kGroup) {
        fill(from);
        const std::size_t before = allocations;
        const auto begin = Clock::now();
        auto last = begin;
        for (const Asked& asked : group) {
          keep(decide(asked));
          if (together) continue;
          const auto now = Clock::now();
          singles.push_back(ns_between(last, now));
          last = now;
        }
        if (together) groups.push_back(ns_between(begin, Clock::now()) / kGroup);
        allocated += allocations - before;
      }
    }
    if (run < 0) continue;
    p50.runs.push_back(quantile(groups, 0.5));
    p99.runs.push_back(quantile(groups, 0.99));
    single_p50.runs.push_back(quantile(singles, 0.5));
    single_p99.runs.push_back(quantile(singles, 0.99));
  }
  return {{"p50", p50.json()},
          {"p99", p99.json()},
          {"single_p50", single_p50.json()},
          {"single_p99", single_p99.json()},
          {"allocations", allocated}};
}

void print(const char* name, const Json& row) {
  const auto ns = [&](const char* key, const char* of) { return row[key][of].get<double>(); };
  std::printf(
      "  %-26s p50 %8.1f ns (%.1f to %.1f)  p99 %8.1f ns (%.1f to %.1f)   one at a time: p50 %8.0f, p99 %8.0f ns "
      "(%.0f to %.0f)   %zu allocations\n",
      name, ns("p50", "ns"), ns("p50", "min_ns"), ns("p50", "max_ns"), ns("p99", "ns"), ns("p99", "min_ns"),
      ns("p99", "max_ns"), ns("single_p50", "ns"), ns("single_p99", "ns"), ns("single_p99", "min_ns"),
      ns("single_p99", "max_ns"), row["allocations"].get<std::size_t>());
  std::fflush(stdout);
}

/// One policy: what the requests come to, so that nobody need take it for one that denies everything at once, and the
/// figures. Null after an error, which is told.
Json measure_policy(unsigned rules, const std::vector<Facts>& requests, int runs) {
  const auto policy = Policy::load(policy_of(rules).dump(), "bench_policy");
  if (!policy.ok()) {
    std::fprintf(stderr, "bench_policy: %s\n", policy.error().message.c_str());
    return nullptr;
  }
  const auto begin = Clock::now();
  const Table table(policy.value(), kEndpoints);
  const double build_ms = ns_between(begin, Clock::now()) / 1e6;
  std::vector<Asked> asked;
  std::size_t raised = 0, permitted = 0, preferred = 0;
  for (const Facts& facts : requests) {
    asked.push_back({facts, table.words_of(facts)});
    const Decision decision = by_policy(*policy.value(), facts);
    if (decision.all() != by_table(table, facts, asked.back().words).all()) {
      std::fprintf(stderr, "bench_policy: table and rules decide differently\n");
      return nullptr;
    }
    raised += decision.classified.rule != kNoRule;
    permitted += decision.permission.mask.has_cloud();
    preferred += decision.preference.rule != kNoRule;
  }
  const auto interned = [&](const Asked& one) { return by_table(table, one.facts, one.words); };
  const auto interning = [&](const Asked& one) { return by_table(table, one.facts, table.words_of(one.facts)); };
  const auto rule_by_rule = [&](const Asked& one) { return by_policy(*policy.value(), one.facts); };
  return {{"rules", rules},
          {"class_raised", raised},
          {"cloud_permitted", permitted},
          {"plan_preferred", preferred},
          {"table_built_ms", build_ms},
          {"table_interned", measured(runs, asked, interned)},
          {"table_interning", measured(runs, asked, interning)},
          {"rule_by_rule", measured(rules > 200 ? std::max(3, runs / 10) : runs, asked, rule_by_rule)}};
}

int run_all(bool quick, bool as_json) {
  const auto requests = draw_requests();
  const int runs = quick ? 3 : 101;
  const Json nothing = measured(runs, std::vector<Asked>(requests.size()), [](const Asked&) { return Decision(); });
  Json result = {{"requests", requests.size()}, {"runs", runs}, {"nothing", nothing}};
  if (!as_json) {
    std::printf("%zu different requests, %d runs; goal at 50 rules: p50 100 ns (interning: 200 ns), p99 300 ns\n",
                requests.size(), runs);
    print("nothing: the clock's own", nothing);
  }
  for (const unsigned rules : {10u, 50u, 200u, 2000u}) {
    const Json row = measure_policy(rules, requests, runs);
    if (row.is_null()) return 3;
    if (!as_json) {
      std::printf("%u rules: raised %zu, cloud permitted %zu, a plan preferred %zu; table built in %.2f ms\n", rules,
                  row["class_raised"].get<std::size_t>(), row["cloud_permitted"].get<std::size_t>(),
                  row["plan_preferred"].get<std::size_t>(), row["table_built_ms"].get<double>());
      print("table, interned", row["table_interned"]);
      print("table, interning", row["table_interning"]);
      print("reference: rule by rule", row["rule_by_rule"]);
    }
    result["policies"].push_back(row);
  }
  if (as_json) std::printf("%s\n", result.dump(2).c_str());
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  bool quick = false;
  bool json = false;
  CLI::App app("What a policy decision costs, by table and rule by rule.\nexample: bench_policy --json");
  app.add_flag("--quick", quick, "Short runs, to show that it works");
  app.add_flag("--json", json, "Print one JSON object");
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp& help) { return app.exit(help); } catch (const CLI::ParseError& error) {
    app.exit(error);
    return 2;
  }
  return run_all(quick, json);
}
