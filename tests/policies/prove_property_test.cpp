// The proof engine against the evaluator, over drawn requests, and against Z3, verdict by verdict.
// HEARTH_PROVE_TIMES=20 runs twenty times as many cases, HEARTH_PROVE_SEED=7 others.
#include <catch2/catch.hpp>

#include <cstdlib>
#include <functional>
#include <iostream>

#include "policies/prove.h"
#include "policies/query.h"
#include "query_reading.h"
#include "random_policy.h"
#include "z3_oracle.h"

namespace hearth::policies {
namespace {

using nlohmann::json;

std::uint64_t from_environment(const char* name, std::uint64_t otherwise) {
  const char* const text = std::getenv(name);
  return text != nullptr ? std::strtoull(text, nullptr, 10) : otherwise;
}

/// Calls `one` for each of `cases` draws. Stops at the first that says something.
std::string every_draw(std::uint64_t cases, const std::function<std::string(Draw&)>& one) {
  const std::uint64_t first = from_environment("HEARTH_PROVE_SEED", 1) << 32;
  const std::uint64_t last = first + cases * from_environment("HEARTH_PROVE_TIMES", 1);
  for (std::uint64_t seed = first; seed < last; ++seed) {
    Draw in(seed);
    const std::string said = one(in);
    if (!said.empty()) return "draw " + std::to_string(seed) + ": " + said;
  }
  return "";
}

struct Decided {
  Classified classified;
  Permission permission;
  Preference preference;
};

Decided decided(const Policy& policy, const DrawnRequest& request) {
  const Facts facts = request.facts_of();
  const Classified classified = policy.classify(facts);
  return {classified, policy.permit(facts, classified.data_class, request.endpoints_of()),
          policy.prefer(facts, classified.data_class)};
}

const std::string& class_name(const Policy& policy, const Decided& decision) {
  return policy.classes()[decision.classified.data_class].name;
}

DrawnRequest request_of(const Witness& witness, const Policy& policy) {
  DrawnRequest request;
  request.label = witness.label;
  request.model = witness.model;
  request.text = witness.text;
  request.facts = witness.facts_of(policy);
  request.endpoints = {{witness.endpoint, witness.region}};
  return request;
}

/// A request that a witness may have been, but for a few things: proofs that are nearly wrong are wrong there.
DrawnRequest draw_near(Draw& in, const DrawnRequest& here) {
  DrawnRequest near = here;
  const DrawnRequest other = draw_request(in);
  for (unsigned i = in.below(3); i > 0; --i) {
    const std::size_t slot = in.below(kDetectorSlots);
    switch (in.below(12)) {
      case 0:
        near.label = other.label;
        break;
      case 1:
        near.model = other.model;
        break;
      case 2:
        near.text = other.text;
        break;
      case 3:
        near.facts.has_tensors = other.facts.has_tensors;
        break;
      case 4:
        near.facts.detected[slot] = other.facts.detected[slot];
        break;
      case 5:
        near.facts.payload_kib = other.facts.payload_kib;
        break;
      case 6:
        near.facts.device = other.facts.device;
        break;
      case 7:
        near.facts.consent = other.facts.consent;
        break;
      case 8:
        near.facts.session_tainted = other.facts.session_tainted;
        break;
      case 9:
        near.facts.cloud_mib_today = other.facts.cloud_mib_today;
        break;
      case 10:
        near.facts.utc_hour = other.facts.utc_hour;
        break;
      default:
        near.endpoints = other.endpoints;
        break;
    }
  }
  return near;
}

/// A policy as it is written, as it is asked about and as it decides.
struct Subject {
  json text;
  std::shared_ptr<const Policy> proved;
  std::shared_ptr<const Policy> deciding;  ///< The same, but where a disagreement is planted.
};

Subject draw_subject(Draw& in) {
  for (;;) {
    const json text = draw_policy(in);
    if (auto policy = load_drawn(text)) return {text, policy, policy};
  }
}

/// A query that is rightly refused, because nothing can be what it asks for, is drawn again.
DrawnQuery draw_asked(Draw& in, const Subject& subject) {
  for (;;) {
    const DrawnQuery query = draw_query(in, subject.text);
    const auto read = read_query(query.text, subject.proved->compiled());
    if (read.ok() || read.error().message.find("can never hold") == std::string::npos) return query;
  }
}

/// Where the evaluator decides about `request` otherwise than proofs of the query say; empty: nowhere.
std::string contradiction(const Subject& subject, const DrawnQuery& query, const DrawnRequest& request,
                          const Proof& never, const Proof& always, Coverage& coverage) {
  const Decided decision = decided(*subject.deciding, request);
  const auto endpoints = request.endpoints_of();
  coverage.add_decision(*subject.deciding, decision.classified, decision.permission,
                        static_cast<unsigned>(endpoints.size()));
  if (!asks_for(query.when, subject.text, request.facts_of(), class_name(*subject.deciding, decision))) return "";
  coverage.add("request that the query asks for");
  const auto look = [&](bool permitted, bool may_be_meant, bool surely_meant) -> std::string {
    if (may_be_meant && permitted && never.verdict == Verdict::kProved) return "permitted, and proved never to be";
    if (surely_meant && !permitted && always.verdict == Verdict::kProved) return "denied, and proved always permitted";
    return "";
  };
  if (query.target == "edge") return look(decision.permission.mask.has(kEdgeSite), true, true);
  for (std::size_t i = 0; i < endpoints.size(); ++i) {
    const bool permitted = decision.permission.mask.has(static_cast<SiteId>(i + 1));
    const auto said =
        look(permitted, means(query.target, endpoints[i], false), means(query.target, endpoints[i], true));
    if (!said.empty()) return said;
  }
  return "";
}

/// What is wrong with the witness of a refuted proof.
std::string fault_of(const Subject& subject, const DrawnQuery& query, const Witness& witness, bool permitted,
                     bool as_test_case) {
  const DrawnRequest request = request_of(witness, *subject.proved);
  const Decided decision = decided(*subject.deciding, request);
  const std::string& data_class = class_name(*subject.deciding, decision);
  const bool edge = query.target == "edge";
  if (!asks_for(query.when, subject.text, request.facts_of(), data_class)) return "the query does not ask for it";
  if (!edge && !means(query.target, {witness.endpoint, witness.region}, !permitted)) return "of another target";
  if (decision.permission.mask.has(edge ? kEdgeSite : 1) != permitted) return "the evaluator says otherwise";
  if (!as_test_case) return "";
  json with = subject.text;
  json test = json::parse(witness.as_json());
  test["name"] = "witness";
  test["expect"] = {{"class", data_class}, {"mask", json::array()}, {"plan", name_of(decision.preference.plan)}};
  if (decision.permission.mask.has(kEdgeSite)) test["expect"]["mask"].push_back("edge");
  if (decision.permission.mask.has(1)) test["expect"]["mask"].push_back("cloud");
  with["tests"] = json::array({test});
  const auto loaded = Policy::load(with.dump(), "witness.json");
  if (!loaded.ok()) return "not a test case: " + loaded.error().message;
  const auto failures = loaded.value()->run_tests();
  return failures.empty() ? "" : failures.front();
}

/// Everything about one query that can be checked with drawn requests.
std::string disagreement(Draw& in, const Subject& subject, const DrawnQuery& query, int requests, Coverage& coverage) {
  const auto never = prove_never(*subject.proved, query.text);
  const auto always = prove_always(*subject.proved, query.text);
  const std::string about = query.text + "\n" + subject.text.dump();
  if (!never.ok()) return never.error().message + ": " + about;
  if (!always.ok()) return always.error().message + ": " + about;
  std::vector<DrawnRequest> seen;
  for (const bool permitted : {true, false}) {
    const Proof& proof = permitted ? never.value() : always.value();
    const std::string kind = permitted ? "never" : "always";
    coverage.add(kind + (proof.verdict == Verdict::kProved    ? " proved"
                         : proof.verdict == Verdict::kRefuted ? " refuted"
                                                              : " unknown"));
    if (proof.verdict != Verdict::kRefuted) continue;
    const std::string fault = fault_of(subject, query, *proof.witness, permitted, in.one_in(4));
    if (!fault.empty()) return "witness against " + kind + ": " + fault + ": " + proof.witness->as_json() + " " + about;
    seen.push_back(request_of(*proof.witness, *subject.proved));
  }
  for (int i = 0; i < requests; ++i) {
    const DrawnRequest request = i % 2 == 0 || seen.empty() ? draw_request(in) : draw_near(in, in.of(seen));
    const auto said = contradiction(subject, query, request, never.value(), always.value(), coverage);
    if (!said.empty()) return said + ": " + about;
  }
  return "";
}

Verdict verdict_of(Answer answer) {
  return answer == Answer::kNone ? Verdict::kProved : answer == Answer::kSome ? Verdict::kRefuted : Verdict::kUnknown;
}

/// Whether the engine, asked about `policy`, and the oracle, asked about `text`, say different things of a query.
std::string oracle_disagreement(const Policy& policy, const json& text, const DrawnQuery& query,
                                const Z3Oracle::Endpoints& only, Coverage& coverage) {
  Z3Oracle oracle(text, {}, only);
  ProveOptions options;
  for (const auto& [name, region] : only) options.endpoints.push_back({name, region});
  for (const bool never : {true, false}) {
    const auto proof = never ? prove_never(policy, query.text, options) : prove_always(policy, query.text, options);
    if (!proof.ok()) return proof.error().message + ": " + query.text + "\n" + text.dump();
    const Answer answer = oracle.some(query.when, query.target, never);
    coverage.add(std::string(never ? "never" : "always") + (answer == Answer::kNone ? " proved" : " refuted") +
                 " by Z3");
    if (proof->verdict == verdict_of(answer)) continue;
    return std::string(never ? "never " : "always ") + (answer == Answer::kNone ? "(Z3: proved) " : "(Z3: refuted) ") +
           query.text + "\n" + text.dump();
  }
  return "";
}

const Z3Oracle::Endpoints kSomeEndpoints = {{"main", "eu"}, {"second", "us"}, {"third", ""}};

/// A second policy: most often the first with a few changes.
Subject draw_other(Draw& in, const json& first) {
  for (;;) {
    json text = in.one_in(4) ? draw_policy(in) : first;
    for (unsigned i = in.below(3); i > 0; --i) text = draw_change(in, text);
    if (auto policy = load_drawn(text)) return {text, policy, policy};
  }
}

bool same_plan(const Preference& a, const Preference& b) {
  return a.plan == b.plan && a.confidence_below == b.confidence_below && a.deadline == b.deadline;
}

struct Comparison {
  bool mask = false;
  bool class_differs = false;
  bool plan = false;
  bool wider = false;  ///< The first permits what the second does not.
  bool any() const { return mask || class_differs || plan; }
};

/// `request` as each of two policies counts its detectors.
Comparison compared(const Policy& a, const DrawnRequest& of_a, const Policy& b, const DrawnRequest& of_b) {
  const Decided one = decided(a, of_a);
  const Decided two = decided(b, of_b);
  const Mask first = one.permission.mask;
  const Mask second = two.permission.mask;
  return {first != second, class_name(a, one) != class_name(b, two), !same_plan(one.preference, two.preference),
          (first & second) != first};
}

/// The counts of a policy's own detectors stand in the order of its file.
DrawnRequest recounted(const DrawnRequest& request, const Policy& from, const Policy& to) {
  DrawnRequest counted = request;
  for (std::size_t i = 0; i < to.own_detectors().size(); ++i) {
    for (std::size_t j = 0; j < from.own_detectors().size(); ++j) {
      if (from.own_detectors()[j].type == to.own_detectors()[i].type)
        counted.facts.detected[kDetectedCount + i] = request.facts.detected[kDetectedCount + j];
    }
  }
  return counted;
}

std::string pair_disagreement(Draw& in, const Subject& a, const Subject& b, Coverage& coverage) {
  const std::string about = a.text.dump() + "\n" + b.text.dump();
  const auto implies = prove_implies(*a.proved, *b.proved);
  const auto found = diff(*a.proved, *b.proved);
  if (!implies.ok()) return implies.error().message + "\n" + about;
  if (!found.ok()) return found.error().message + "\n" + about;
  const bool equivalent = found->verdict == Verdict::kProved;
  coverage.add(equivalent ? "diff equivalent" : "diff different");
  coverage.add(implies->verdict == Verdict::kProved ? "implies proved" : "implies refuted");
  std::vector<DrawnRequest> seen;
  if (implies->verdict == Verdict::kRefuted) {
    const Witness& w = *implies->witness;
    if (!compared(*a.deciding, request_of(w, *a.proved), *b.deciding, request_of(w, *b.proved)).wider)
      return "witness against implies: " + w.as_json() + "\n" + about;
    seen.push_back(request_of(w, *a.proved));
  }
  for (const Difference& one : found->differences) {
    coverage.add("difference: " + one.what);
    const DrawnRequest request = request_of(one.witness, *a.proved);
    const Comparison how = compared(*a.deciding, request, *b.deciding, request_of(one.witness, *b.proved));
    const bool there = one.what.find("permits") != std::string::npos ? how.mask
                       : one.what.find("class") != std::string::npos ? how.class_differs
                                                                     : how.plan;
    if (!there) return "no such difference: " + one.what + " " + one.witness.as_json() + "\n" + about;
    seen.push_back(request);
  }
  for (int i = 0; i < 10; ++i) {
    const DrawnRequest request = i % 2 == 0 || seen.empty() ? draw_request(in) : draw_near(in, in.of(seen));
    const Comparison how = compared(*a.deciding, request, *b.deciding, recounted(request, *a.deciding, *b.deciding));
    coverage.add("requests compared");
    if (equivalent && how.any()) return "equivalent, and not for a request\n" + about;
    if (implies->verdict == Verdict::kProved && how.wider) return "implied, and not for a request\n" + about;
  }
  return "";
}

std::string pair_oracle_disagreement(const Subject& a, const Subject& b, Coverage& coverage) {
  const std::string about = a.text.dump() + "\n" + b.text.dump();
  Z3Oracle oracle(a.text, b.text);
  const auto implies = prove_implies(*a.proved, *b.proved);
  const auto found = diff(*a.proved, *b.proved);
  if (!implies.ok() || !found.ok()) return "an error\n" + about;
  const Answer wider = oracle.some_permitted_by_first_only();
  if (implies->verdict != verdict_of(wider)) return "implies, unlike Z3\n" + about;
  coverage.add(wider == Answer::kNone ? "implies proved by Z3" : "implies refuted by Z3");
  const std::pair<const char*, Answer> kinds[] = {{"permits", oracle.some_mask_differs()},
                                                  {"class", oracle.some_class_differs()},
                                                  {"plan", oracle.some_plan_differs()}};
  for (const auto& [kind, answer] : kinds) {
    bool here = false;
    for (const Difference& one : found->differences) here = here || one.what.find(kind) != std::string::npos;
    if (here != (answer == Answer::kSome)) return std::string("differing in ") + kind + ", unlike Z3\n" + about;
    coverage.add(std::string(kind) + (here ? " differs" : " does not differ") + " by Z3");
  }
  return "";
}

TEST_CASE("proofs and the evaluator agree about every drawn policy, query and request") {
  Coverage coverage;
  const std::string said = every_draw(6'500, [&](Draw& in) {
    const Subject subject = draw_subject(in);
    coverage.add_policy(subject.text);
    std::string found;
    for (int i = 0; i < 2 && found.empty(); ++i) {
      found = disagreement(in, subject, draw_asked(in, subject), 8, coverage);
    }
    return found;
  });
  std::cout << "proofs and evaluator:\n" << coverage.text();
  CHECK(said == "");
  CHECK(coverage.of("requests") >= 100'000);
  CHECK(coverage.of("never unknown") + coverage.of("always unknown") == 0);
  for (const char* kind : {"never proved", "never refuted", "always proved", "always refuted", "endpoint permitted",
                           "endpoint denied", "edge denied", "request that the query asks for"})
    CHECK(coverage.of(kind) >= 1000);
}

TEST_CASE("proofs of never and always have the verdicts of Z3") {
  Coverage coverage;
  const std::string said = every_draw(400, [&](Draw& in) {
    const Subject subject = draw_subject(in);
    return oracle_disagreement(*subject.proved, subject.text, draw_asked(in, subject),
                               in.one_in(4) ? kSomeEndpoints : Z3Oracle::Endpoints{}, coverage);
  });
  std::cout << "proofs and Z3:\n" << coverage.text();
  CHECK(said == "");
}

TEST_CASE("implies and diff agree with the evaluator about every drawn pair and request") {
  Coverage coverage;
  const std::string said = every_draw(2'500, [&](Draw& in) {
    const Subject a = draw_subject(in);
    return pair_disagreement(in, a, draw_other(in, a.text), coverage);
  });
  std::cout << "pairs and evaluator:\n" << coverage.text();
  CHECK(said == "");
}

TEST_CASE("implies and diff have the verdicts of Z3") {
  Coverage coverage;
  const std::string said = every_draw(200, [&](Draw& in) {
    const Subject a = draw_subject(in);
    return pair_oracle_disagreement(a, draw_other(in, a.text), coverage);
  });
  std::cout << "pairs and Z3:\n" << coverage.text();
  CHECK(said == "");
}

/// `policy` without one of its forbid rules; null without such rules.
json without_a_rule(Draw& in, const json& policy) {
  if (!policy.contains("forbid")) return nullptr;
  json less = policy;
  less["forbid"].erase(in.below(static_cast<unsigned>(less["forbid"].size())));
  return less;
}

TEST_CASE("an evaluator that misses one rule is caught") {
  Coverage ignored;
  int planted = 0;
  int caught = 0;
  every_draw(400, [&](Draw& in) {
    Subject subject = draw_subject(in);
    const json less = without_a_rule(in, subject.text);
    if (less.is_null()) return "";
    subject.deciding = load_drawn(less);
    ++planted;
    if (!disagreement(in, subject, draw_asked(in, subject), 20, ignored).empty()) ++caught;
    return "";
  });
  std::cout << "an evaluator without one of the rules: " << caught << " of " << planted
            << " caught, by one query each\n";
  CHECK(caught >= planted / 20);
}

TEST_CASE("a proof and an oracle of policies that differ in one rule are told apart") {
  Coverage ignored;
  int planted = 0;
  int caught = 0;
  every_draw(100, [&](Draw& in) {
    const Subject subject = draw_subject(in);
    const json less = without_a_rule(in, subject.text);
    if (less.is_null()) return "";
    ++planted;
    if (!oracle_disagreement(*subject.proved, less, draw_asked(in, subject), {}, ignored).empty()) ++caught;
    return "";
  });
  std::cout << "an oracle without one of the rules: " << caught << " of " << planted << " caught, by one query each\n";
  CHECK(caught >= planted / 20);
}

TEST_CASE("a comparison of policies one of which decides without a rule is caught") {
  Coverage ignored;
  int planted = 0;
  int caught = 0;
  every_draw(400, [&](Draw& in) {
    const Subject a = draw_subject(in);
    Subject b = a;
    const json less = without_a_rule(in, a.text);
    if (less.is_null()) return "";
    b.deciding = load_drawn(less);
    ++planted;
    if (!pair_disagreement(in, a, b, ignored).empty()) ++caught;
    return "";
  });
  std::cout << "a twin without one of the rules: " << caught << " of " << planted << " caught\n";
  CHECK(caught >= planted / 20);
}

// Cases too rare to be drawn.
std::shared_ptr<const Policy> small_policy(const json& forbid, const json& classify = json::array()) {
  const json classes = {{{"name", "low"}, {"egress", "allow"}}, {{"name", "high"}, {"egress", "never"}}};
  return load_drawn(
      {{"version", 1}, {"name", "small"}, {"classes", classes}, {"forbid", forbid}, {"classify", classify}});
}

TEST_CASE("a query that excludes the unknown value by name does not ask for it") {
  const auto policy = small_policy({{{"id", "no-answer"}, {"when", {{"consent", "absent"}}}}});
  const auto proof = prove_always(*policy, "session.tainted=false & class=low & consent!=absent -> cloud");
  REQUIRE(proof.ok());
  CHECK(proof->verdict == Verdict::kProved);
}

TEST_CASE("a witness has a text whatever characters the words of the rules hold") {
  const json raise = {{{"id", "a"}, {"when", {{"text.contains", "\x01"}}}, {"class", "high"}},
                      {{"id", "b"}, {"when", {{"text.contains", {"p|q", "|"}}}}, {"class", "high"}}};
  const auto policy = small_policy(json::array(), raise);
  for (const char* query : {"payload=text -> cloud", "payload=text & class=low -> cloud", "-> cloud"}) {
    const auto proof = prove_never(*policy, query);
    REQUIRE(proof.ok());
    CHECK(proof->verdict == Verdict::kRefuted);
  }
}

}  // namespace
}  // namespace hearth::policies
