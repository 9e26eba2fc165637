// Decision tables: facts in, class, mask and rule ids out.
#include <catch2/catch.hpp>

#include <cmath>
#include <functional>

#include "policies/policy.h"

namespace hearth::policies {
namespace {

const char* const kPolicy = R"({
  "version": 1, "name": "table",
  "classes": [
    {"name": "public", "egress": "allow"},
    {"name": "regional", "egress": "allow", "regions": ["eu"]},
    {"name": "contract", "egress": "allow", "regions": ["eu"], "endpoints": ["main"]},
    {"name": "personal", "egress": "redacted", "regions": ["eu"], "endpoints": ["main"]},
    {"name": "secret", "egress": "never", "taints_session_for_s": 60}
  ],
  "default_class": "secret",
  "classify": [
    {"id": "mail", "when": {"detected.EMAIL": {"gt": 0}}, "class": "personal"},
    {"id": "many-mails", "when": {"detected.EMAIL": {"ge": 3}}, "class": "secret"},
    {"id": "mail-again", "when": {"detected.EMAIL": {"gt": 0}}, "class": "personal"},
    {"id": "record", "when": {"text.contains": ["MRN", "Case No"]}, "class": "secret"},
    {"id": "big-text", "when": {"payload": "text", "payload_kib": {"gt": 500}}, "class": "regional"}
  ],
  "forbid": [
    {"id": "no-consent", "when": {"consent": {"ne": "given"}}},
    {"id": "metered", "when": {"device.network": "metered", "payload_kib": {"gt": 200}}},
    {"id": "night-us", "when": {"utc_hour": {"ge": 22}}, "sites": ["region:us"]},
    {"id": "not-second", "when": {"model": "fragile"}, "sites": ["cloud:second"]},
    {"id": "hot-edge", "when": {"device.battery_percent": {"lt": 5}, "device.charging": false}, "sites": ["edge"]}
  ],
  "min_class": {"xray": "contract"},
  "budgets": {"cloud_mib_per_day": 50, "cloud_usd_per_day": 2},
  "prefer": [
    {"id": "by-battery", "when": {"device.battery_percent": {"lt": 20}}, "plan": "edge", "deadline_ms": 900},
    {"id": "unsure", "when": {"model": ["tagger", "fragile"]}, "plan": "cascade", "confidence_below": 0.75, "deadline_ms": 150},
    {"id": "offline-unknown", "when": {"model": "lost", "device.network": "unknown"}, "plan": "cloud"}
  ]
})";

// Sites: 1 main/eu, 2 second/us, 3 third/unknown.
const EndpointFacts kEndpoints[] = {{"main", "eu"}, {"second", "us"}, {"third", ""}};

std::shared_ptr<const Policy> policy() {
  auto loaded = Policy::load(kPolicy, "table.json");
  INFO((loaded.ok() ? "" : loaded.error().message));
  REQUIRE(loaded.ok());
  return loaded.value();
}

Facts good_facts() {
  Facts facts;
  facts.label = "public";
  facts.model = "other";
  facts.payload_kib = 3;
  facts.device = {NetworkKind::kUnmetered, 80.0, false};
  facts.consent = Consent::kGiven;
  facts.session_tainted = false;
  facts.cloud_mib_today = 0;
  facts.cloud_usd_today = 1.5;
  facts.utc_hour = 12;
  return facts;
}

std::string sites(Mask mask) {
  std::string text;
  for (SiteId site = 0; site < kMaxSites; ++site) {
    if (mask.has(site)) text += static_cast<char>('0' + site);
  }
  return text;
}

struct Row {
  const char* what;
  std::function<void(Facts&)> change;
  const char* data_class;
  const char* classify_rule;
  const char* mask;
  const char* permit_rule;
};

const std::vector<Row> kRows = {
    {"all is well", [](Facts&) {}, "public", "", "0123", ""},
    {"a region is asked for", [](Facts& f) { f.label = "regional"; }, "regional", "", "01", "class:regional"},
    {"an endpoint is asked for", [](Facts& f) { f.label = "contract"; }, "contract", "", "01", "class:contract"},
    {"tensors cannot be redacted", [](Facts& f) { f.label = "personal"; }, "personal", "", "0", "class:personal"},
    {"text can, and goes where the class may", [](Facts& f) { f.label = "personal", f.has_tensors = false; },
     "personal", "", "01", "class:personal"},
    {"a model's tensors have a least class", [](Facts& f) { f.model = "xray"; }, "contract", "min_class:xray", "01",
     "class:contract"},
    {"which its text has not", [](Facts& f) { f.model = "xray", f.has_tensors = false; }, "public", "", "0123", ""},
    {"money spent", [](Facts& f) { f.cloud_usd_today = 2; }, "public", "", "0", "budget:cloud_usd_per_day"},
    {"money unknown", [](Facts& f) { f.cloud_usd_today.reset(); }, "public", "", "0", "budget:cloud_usd_per_day"},
    {"never", [](Facts& f) { f.label = "secret"; }, "secret", "", "0", "class:secret"},
    {"no label", [](Facts& f) { f.label = ""; }, "secret", "", "0", "class:secret"},
    {"a label nobody knows", [](Facts& f) { f.label = "Public"; }, "secret", "unknown-label", "0", "class:secret"},
    {"text not understood", [](Facts& f) { f.text_understood = false; }, "secret", "text-not-understood", "0",
     "class:secret"},
    {"the first rule of two", [](Facts& f) { f.detected[0] = 1; }, "personal", "mail", "0", "class:personal"},
    {"a later rule raises more", [](Facts& f) { f.detected[0] = 3; }, "secret", "many-mails", "0", "class:secret"},
    {"a rule does not lower", [](Facts& f) { f.detected[0] = 1, f.label = "secret"; }, "secret", "", "0",
     "class:secret"},
    {"text without case", [](Facts& f) { f.text = "see CASE no 7"; }, "secret", "record", "0", "class:secret"},
    {"text at its end", [](Facts& f) { f.text = "the mrn"; }, "secret", "record", "0", "class:secret"},
    {"text that stops short", [](Facts& f) { f.text = "the mr"; }, "public", "", "0123", ""},
    {"payload holds text", [](Facts& f) { f.text = "x", f.payload_kib = 501; }, "regional", "big-text", "01",
     "class:regional"},
    {"payload holds none", [](Facts& f) { f.payload_kib = 501; }, "public", "", "0123", ""},
    {"tainted", [](Facts& f) { f.session_tainted = true; }, "public", "", "0", "session-taint"},
    {"taint unknown", [](Facts& f) { f.session_tainted.reset(); }, "public", "", "0", "session-taint"},
    {"budget at its end", [](Facts& f) { f.cloud_mib_today = 50; }, "public", "", "0", "budget:cloud_mib_per_day"},
    {"budget just before", [](Facts& f) { f.cloud_mib_today = 49.9; }, "public", "", "0123", ""},
    {"budget unknown", [](Facts& f) { f.cloud_mib_today.reset(); }, "public", "", "0", "budget:cloud_mib_per_day"},
    {"budget not a number", [](Facts& f) { f.cloud_mib_today = std::nan(""); }, "public", "", "0",
     "budget:cloud_mib_per_day"},
    {"no consent yet", [](Facts& f) { f.consent = Consent::kAbsent; }, "public", "", "0", "no-consent"},
    {"consent revoked", [](Facts& f) { f.consent = Consent::kRevoked; }, "public", "", "0", "no-consent"},
    {"metered and small", [](Facts& f) { f.device.network = NetworkKind::kMetered; }, "public", "", "0123", ""},
    {"metered and large", [](Facts& f) { f.device.network = NetworkKind::kMetered, f.payload_kib = 300; }, "public", "",
     "0", "metered"},
    {"unknown network counts as metered",
     [](Facts& f) { f.device.network = NetworkKind::kUnknown, f.payload_kib = 300; }, "public", "", "0", "metered"},
    {"unknown size counts as large", [](Facts& f) { f.device.network = NetworkKind::kMetered, f.payload_kib.reset(); },
     "public", "", "0", "metered"},
    {"offline is not a matter of permission", [](Facts& f) { f.device.network = NetworkKind::kOffline; }, "public", "",
     "0123", ""},
    {"by night not to the us, nor to nobody knows where", [](Facts& f) { f.utc_hour = 22; }, "public", "", "01",
     "night-us"},
    {"unknown hour counts as night", [](Facts& f) { f.utc_hour.reset(); }, "public", "", "01", "night-us"},
    {"one endpoint", [](Facts& f) { f.model = "fragile"; }, "public", "", "013", "not-second"},
    {"unknown model", [](Facts& f) { f.model = ""; }, "contract", "min_class:xray", "01", "class:contract"},
    {"two rules: the first in the file is named", [](Facts& f) { f.model = "fragile", f.utc_hour = 23; }, "public", "",
     "01", "night-us"},
    {"the edge can be forbidden", [](Facts& f) { f.device.battery_percent = 4; }, "public", "", "123", "hot-edge"},
    {"a rule that took a cloud out is named before one that took the edge",
     [](Facts& f) { f.device.battery_percent = 4, f.session_tainted = true; }, "public", "", "", "session-taint"},
    {"an empty battery, charging", [](Facts& f) { f.device.battery_percent = 4, f.device.charging = true; }, "public",
     "", "0123", ""},
};

TEST_CASE("classify and permit decide as the table says, and name the rule") {
  const auto under_test = policy();
  for (const Row& row : kRows) {
    INFO(row.what);
    Facts facts = good_facts();
    row.change(facts);
    const Classified classified = under_test->classify(facts);
    const Permission permission = under_test->permit(facts, classified.data_class, kEndpoints);
    CHECK(under_test->classes()[classified.data_class].name == row.data_class);
    CHECK(under_test->rule_id(classified.rule) == row.classify_rule);
    CHECK(sites(permission.mask) == row.mask);
    CHECK(under_test->rule_id(permission.rule) == row.permit_rule);
  }
}

TEST_CASE("without endpoints nothing is taken out and no rule is named") {
  const auto under_test = policy();
  Facts facts = good_facts();
  facts.label = "secret";
  const Permission permission = under_test->permit(facts, under_test->classify(facts).data_class, {});
  CHECK(sites(permission.mask) == "0");
  CHECK(permission.rule == kNoRule);
}

TEST_CASE("a class index past the end is the most restrictive class") {
  const auto under_test = policy();
  const Permission permission = under_test->permit(good_facts(), 200, kEndpoints);
  CHECK(under_test->rule_id(permission.rule) == "class:secret");
}

TEST_CASE("prefer takes the first rule that surely matches") {
  const auto under_test = policy();
  Facts facts = good_facts();
  CHECK(under_test->prefer(facts, 0).rule == kNoRule);
  CHECK(under_test->prefer(facts, 0).plan == PlanKind::kEdge);
  facts.model = "tagger";
  Preference preference = under_test->prefer(facts, 0);
  CHECK(under_test->rule_id(preference.rule) == "unsure");
  CHECK(preference.plan == PlanKind::kCascade);
  CHECK(preference.confidence_below == 0.75f);
  CHECK(preference.deadline == Duration(std::chrono::milliseconds(150)));
  facts.device.battery_percent = 19;
  CHECK(under_test->rule_id(under_test->prefer(facts, 0).rule) == "by-battery");
  facts.device.battery_percent.reset();  // Unknown does not match here.
  CHECK(under_test->rule_id(under_test->prefer(facts, 0).rule) == "unsure");
  facts.model = "lost";
  CHECK(under_test->prefer(facts, 0).rule == kNoRule);
  facts.device.network = NetworkKind::kUnknown;  // Unless it is asked for by name.
  CHECK(under_test->rule_id(under_test->prefer(facts, 0).rule) == "offline-unknown");
}

TEST_CASE("a policy says whether it needs the text") {
  CHECK(policy()->needs_text());
  const auto plain = Policy::load(R"({"version":1,"name":"p","classes":[{"name":"a","egress":"never"}]})", "p.json");
  REQUIRE(plain.ok());
  CHECK_FALSE(plain.value()->needs_text());
}

TEST_CASE("without default_class unlabelled data is of the most restrictive class") {
  const auto loaded = Policy::load(
      R"({"version":1,"name":"p","classes":[{"name":"a","egress":"allow"},{"name":"b","egress":"never"}]})", "p.json");
  REQUIRE(loaded.ok());
  CHECK(loaded.value()->classify(Facts{}).data_class == 1);
}

TEST_CASE("the hash is that of the file's bytes") {
  const std::string text = R"({"version":1,"name":"p","classes":[{"name":"a","egress":"never"}]})";
  const auto one = Policy::load(text, "p.json");
  const auto other = Policy::load(text + "\n", "p.json");
  REQUIRE(one.ok());
  REQUIRE(other.ok());
  CHECK(one.value()->sha256().size() == 64);
  CHECK(one.value()->sha256() != other.value()->sha256());
}

TEST_CASE("a test in a policy file that does not hold is reported with its place") {
  const auto loaded = Policy::load(R"({"version":1,"name":"p",
    "classes":[{"name":"a","egress":"allow"},{"name":"b","egress":"never"}],
    "tests":[
      {"name":"holds","request":{"class":"b"},"expect":{"mask":["edge"],"rule":"class:b"}},
      {"name":"wrong","request":{"label":"a","session.tainted":false},
       "endpoints":[{"name":"x"},{"name":"y"}],
       "expect":{"class":"b","mask":["edge","cloud:x"],"plan":"cascade"}}]})",
                                   "p.json");
  INFO((loaded.ok() ? "" : loaded.error().message));
  REQUIRE(loaded.ok());
  CHECK(loaded.value()->test_count() == 2);
  CHECK(loaded.value()->run_tests() ==
        std::vector<std::string>{
            "p.json:5:15: test \"wrong\": class: expected \"b\", got \"a\"",
            "p.json:5:15: test \"wrong\": mask: expected \"[edge, cloud:x]\", got \"[edge, cloud]\"",
            "p.json:5:15: test \"wrong\": plan: expected \"cascade\", got \"edge\"",
        });
}

}  // namespace
}  // namespace hearth::policies
