// What the tools of the policy language answer: proofs, differences, lints, explanations.
#include <catch2/catch.hpp>

#include <nlohmann/json.hpp>

#include "policies/explain.h"
#include "policies/lint.h"
#include "policies/prove.h"

namespace hearth::policies {
namespace {

using nlohmann::json;

const json kClinic = json::parse(R"({
  "version": 1, "name": "clinic",
  "classes": [
    {"name": "public", "egress": "allow"},
    {"name": "personal", "egress": "redacted", "regions": ["eu"]},
    {"name": "phi", "egress": "never"}
  ],
  "min_class": {"xray": "phi"},
  "classify": [
    {"id": "mrn", "when": {"detected.MRN": {"gt": 0}}, "class": "phi"},
    {"id": "word", "when": {"text.contains": ["patient no", "case"]}, "class": "personal"}
  ],
  "forbid": [
    {"id": "consent", "when": {"consent": {"ne": "given"}}},
    {"id": "night", "when": {"utc_hour": {"ge": 20}}, "sites": ["region:us"]}
  ],
  "budgets": {"cloud_mib_per_day": 50},
  "prefer": [{"id": "unsure", "when": {"model": "tagger"}, "plan": "cascade", "confidence_below": 0.8}]
})");

std::shared_ptr<const Policy> load(const json& text) {
  auto loaded = Policy::load(text.dump(), "p.json");
  INFO((loaded.ok() ? "" : loaded.error().message));
  REQUIRE(loaded.ok());
  return loaded.value();
}

std::shared_ptr<const Policy> with(const char* pointer, const json& value) {
  json changed = kClinic;
  changed[json::json_pointer(pointer)] = value;
  return load(changed);
}

const char* never(const Policy& policy, const char* query) {
  const auto proof = prove_never(policy, query);
  INFO((proof.ok() ? "" : proof.error().message));
  REQUIRE(proof.ok());
  return proof->verdict == Verdict::kProved ? "proved" : proof->verdict == Verdict::kRefuted ? "refuted" : "unknown";
}

const char* always(const Policy& policy, const char* query) {
  const auto proof = prove_always(policy, query);
  INFO((proof.ok() ? "" : proof.error().message));
  REQUIRE(proof.ok());
  return proof->verdict == Verdict::kProved ? "proved" : proof->verdict == Verdict::kRefuted ? "refuted" : "unknown";
}

TEST_CASE("what a policy never permits is proved, and what it may permit is refuted") {
  const auto policy = load(kClinic);
  CHECK(never(*policy, "class=phi -> cloud") == std::string("proved"));
  CHECK(never(*policy, "detected.MRN>0 -> cloud") == std::string("proved"));
  CHECK(never(*policy, "detected.MRN>0 & consent=absent -> cloud:us") == std::string("proved"));
  CHECK(never(*policy, "consent!=given -> cloud") == std::string("proved"));
  CHECK(never(*policy, "session.tainted=true -> cloud") == std::string("proved"));
  CHECK(never(*policy, "cloud_mib_today>=50 -> cloud") == std::string("proved"));
  CHECK(never(*policy, "model=xray & payload=tensor -> cloud") == std::string("proved"));
  CHECK(never(*policy, "class=personal & payload=tensor -> cloud") == std::string("proved"));
  CHECK(never(*policy, "class=personal -> region:us") == std::string("proved"));
  CHECK(never(*policy, "utc_hour>19 -> region:us") == std::string("proved"));
  CHECK(never(*policy, "label=public|phi -> edge") == std::string("refuted"));
  CHECK(never(*policy, "class=personal -> cloud") == std::string("refuted"));
  CHECK(never(*policy, "model=xray -> cloud") == std::string("refuted"));  // its text may leave
  CHECK(never(*policy, "utc_hour>18 -> region:us") == std::string("refuted"));
  CHECK(never(*policy, "text.contains=case -> region:us") == std::string("proved"));
  CHECK(never(*policy, "text.contains=cas -> region:us") == std::string("refuted"));
  CHECK(never(*policy, "-> cloud") == std::string("refuted"));
}

TEST_CASE("what a policy always permits is proved, and an exception is shown") {
  const auto policy = load(kClinic);
  const std::string good =
      "label=public & consent=given & session.tainted=false & cloud_mib_today<50 & model!=xray & "
      "detected.MRN=0 & text.contains!=x & utc_hour<20";
  CHECK(always(*policy, "-> edge") == std::string("proved"));
  CHECK(always(*policy,
               "class=public & consent=given & session.tainted=false & cloud_mib_today<50 & utc_hour<20 -> cloud") ==
        std::string("proved"));
  CHECK(always(*policy,
               "class=public & consent=given & session.tainted=false & cloud_mib_today<=50 & utc_hour<20 -> cloud") ==
        std::string("refuted"));
  CHECK(always(*policy, "label=public & consent=given -> cloud") == std::string("refuted"));
}

TEST_CASE("a counterexample is a request that explain accepts and confirms") {
  const auto policy = load(kClinic);
  const auto proof = prove_never(*policy, "class=personal & utc_hour>12 -> cloud");
  REQUIRE(proof.ok());
  REQUIRE(proof->witness);
  const auto told = explain(*policy, proof->witness->as_json(), "w.json");
  INFO(proof->witness->as_json());
  REQUIRE(told.ok());
  const json explained = json::parse(told.value());
  CHECK(explained["class"] == "personal");
  CHECK(explained["mask"].size() == 2);
}

TEST_CASE("an answer that would take too long is unknown, never proved") {
  ProveOptions options;
  options.boxes_max = 0;
  const auto proof = prove_never(*load(kClinic), "consent!=given -> cloud", options);
  REQUIRE(proof.ok());
  CHECK(proof->verdict == Verdict::kUnknown);
}

TEST_CASE("a policy implies one that permits more, and not the other way round") {
  const auto strict = load(kClinic);
  const auto loose = with("/forbid/1/when", {{"utc_hour", {{"ge", 22}}}});
  CHECK(prove_implies(*strict, *loose)->verdict == Verdict::kProved);
  const auto back = prove_implies(*loose, *strict);
  REQUIRE(back->witness);
  CHECK(back->witness->facts.utc_hour.value_or(0) >= 20);
  CHECK(back->witness->facts.utc_hour.value_or(0) < 22);
}

TEST_CASE("a difference has a witness, and two that say the same are equivalent") {
  const auto policy = load(kClinic);
  CHECK(diff(*policy, *policy)->verdict == Verdict::kProved);
  json reordered = kClinic;
  std::swap(reordered["forbid"][0], reordered["forbid"][1]);
  CHECK(diff(*policy, *load(reordered))->verdict == Verdict::kProved);
  const auto what = [&](const Policy& other) {
    const auto found = diff(*policy, other);
    std::vector<std::string> all;
    for (const auto& one : found->differences) all.push_back(one.what);
    return all;
  };
  using Whats = std::vector<std::string>;
  CHECK(what(*with("/budgets/cloud_mib_per_day", 40)) ==
        Whats{"the first permits a cloud endpoint, the second does not"});
  CHECK(what(*with("/prefer/0/confidence_below", 0.7)) == Whats{"the two choose another plan, threshold or deadline"});
  CHECK(what(*with("/classify/1/class", "phi")) ==
        Whats{"the first permits a cloud endpoint, the second does not", "the two give another class"});
}

TEST_CASE("a query that makes no sense is refused with the nearest thing that does") {
  const auto policy = load(kClinic);
  const auto refusal = [&](const char* query) {
    const auto proof = prove_never(*policy, query);
    return proof.ok() ? "(accepted)" : proof.error().message;
  };
  CHECK(refusal("class=phi").find("expected \"attribute OP value & ... -> target\"") != std::string::npos);
  CHECK(refusal("class=phj -> cloud").find("did you mean \"phi\"?") != std::string::npos);
  CHECK(refusal("consnt=given -> cloud").find("did you mean \"consent\"?") != std::string::npos);
  CHECK(refusal("class=phi -> clod").find("did you mean \"cloud\"?") != std::string::npos);
  CHECK(refusal("class=phi & -> cloud").find("nothing behind") != std::string::npos);
}

TEST_CASE("lint names what a policy says in vain, and what fails open") {
  CHECK(lint(*load(kClinic)).empty());
  const auto only = [](const Policy& policy) {
    const auto lines = lint(policy);
    INFO((lines.empty() ? "" : lines[0] + (lines.size() > 1 ? "\n" + lines[1] : "")));
    CHECK(lines.size() == 1);
    return lines.empty() ? "" : lines[0];
  };
  const auto has = [](const std::string& line, const char* part) { return line.find(part) != std::string::npos; };
  CHECK(has(only(*with("/forbid/2", {{"id", "again"}, {"when", {{"consent", "revoked"}}}})),
            "\"again\" never decides: \"consent\" forbids all that it does"));
  CHECK(has(only(*with("/forbid/2", {{"id", "phi-home"}, {"when", {{"class", "phi"}}}})), "never decides: classes"));
  CHECK(has(only(*with("/classify/2", {{"id", "two"}, {"when", {{"detected.MRN", {{"gt", 1}}}}}, {"class", "phi"}})),
            "\"mrn\" raises as far"));
  CHECK(has(only(*with("/prefer/1", {{"id", "late"}, {"when", {{"model", "tagger"}}}, {"plan", "edge"}})),
            "\"unsure\" comes first"));
  CHECK(has(only(*with("/prefer/0/when", {{"class", "phi"}})), "asks for the cloud where nothing permits it"));
  CHECK(has(only(*with("/default_class", "public")), "fails open: data without a label"));
}

TEST_CASE("explain tells each rule, and the nearest change that turns the decision") {
  const auto told = explain(*load(kClinic), R"({"label": "public", "consent": "absent", "session.tainted": false,
    "cloud_mib_today": 1, "utc_hour": 9, "model": "tagger"})",
                            "r.json");
  REQUIRE(told.ok());
  const json out = json::parse(told.value());
  CHECK(out["mask"] == json::array({"edge"}));
  CHECK(out["rule"] == "consent");
  CHECK(out["plan"] == "cascade");
  CHECK(out["stages"]["permit"][1]["when"][0]["holds"] == "unknown");
  CHECK(out["nearest_change"] == json{{"set", {{"consent", "given"}}}, {"then_cloud_is", "permitted"}});
  CHECK_FALSE(explain(*load(kClinic), R"({"lable": "public"})", "r.json").ok());
}

}  // namespace
}  // namespace hearth::policies
