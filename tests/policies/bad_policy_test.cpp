// Every mistake in a policy file, and the line it is answered with.
#include <catch2/catch.hpp>

#include "policies/policy.h"
#include "tests/support/without_columns.h"

namespace hearth::policies {
namespace {

std::string refusal_with_columns(const std::string& text) {
  const auto loaded = Policy::load(text, "policy.json");
  if (loaded.ok()) return "(accepted)";
  CHECK(loaded.error().code == ErrorCode::kInvalidArgument);
  return loaded.error().message;
}

std::string refusal(const std::string& text) { return test::without_columns(refusal_with_columns(text)); }

/// A good policy with `extra` after line 3, so that what is in it stands on line 4.
std::string with(const std::string& extra) {
  return R"({"version": 1, "name": "p",
  "classes": [{"name": "low", "egress": "allow"}, {"name": "mid", "egress": "allow"},
              {"name": "high", "egress": "never"}],
)" + extra +
         "}";
}

std::string with_classes(const std::string& classes) {
  return "{\"version\": 1, \"name\": \"p\",\n\"classes\": [" + classes + "]}";
}

std::string with_when(const std::string& when, const std::string& list = "forbid") {
  const std::string end = list == "classify" ? ", \"class\": \"high\"}]" : "}]";
  return with("\"" + list + "\": [{\"id\": \"r\", \"when\": " + when + end);
}

struct Case {
  std::string text;
  std::string expected;
};

void check(const std::vector<Case>& cases) {
  for (const Case& one : cases) {
    INFO(one.text);
    CHECK(refusal(one.text) == one.expected);
  }
}

TEST_CASE("the frame of a policy file is checked") {
  check({
      {"[]", "policy.json:1: expected an object, got an array"},
      {"", "policy.json:1: the file is empty, expected JSON"},
      {"{}",
       "policy.json:1: \"version\" is missing\npolicy.json:1: \"name\" is missing\n"
       "policy.json:1: \"classes\" is missing"},
      {R"({"version": 2, "name": "p", "classes": [{"name": "a", "egress": "never"}]})",
       "policy.json:1: /version: expected 1, the only version of the language so far; got 2"},
      {R"({"version": 1, "name": "", "classes": [{"name": "a", "egress": "never"}]})",
       "policy.json:1: /name: expected a name that is not empty"},
      {with("\"forbit\": []"), "policy.json:4: /forbit: unknown key (did you mean \"forbid\"?)"},
      {with("\"forbid\": {}"), "policy.json:4: /forbid: expected an array of objects, got an object"},
      {with("\"forbid\": [7]"), "policy.json:4: /forbid/0: expected an object, got 7"},
  });
}

TEST_CASE("classes are checked") {
  check({
      {with_classes(""), "policy.json:2: /classes: expected at least one class"},
      {with_classes("{\"name\": \"a\"}"), "policy.json:2: /classes/0: \"egress\" is missing"},
      {with_classes("{\"name\": \"a\", \"egress\": \"alow\"}"),
       "policy.json:2: /classes/0/egress: expected one of never, redacted, allow; got \"alow\" (did you mean "
       "\"allow\"?)"},
      {with_classes("{\"name\": \"a b\", \"egress\": \"never\"}"),
       "policy.json:2: /classes/0/name: expected 1 to 64 letters, digits, '-', '_' or '.'"},
      {with_classes("{\"name\": \"a\", \"egress\": \"never\"},\n{\"name\": \"a\", \"egress\": \"never\"}"),
       "policy.json:3: /classes/1/name: class \"a\" is there twice"},
      {with_classes("{\"name\": \"a\", \"egress\": \"never\", \"regions\": [\"eu\"]}"),
       "policy.json:2: /classes/0/regions: contradicts \"egress\": \"never\": nothing of this class leaves"},
      {with_classes("{\"name\": \"a\", \"egress\": \"allow\", \"endpoints\": []}"),
       "policy.json:2: /classes/0/endpoints: expected at least one name; \"egress\": \"never\" keeps the class home"},
      {with_classes("{\"name\": \"a\", \"egress\": \"allow\", \"regions\": [\"\"]}"),
       "policy.json:2: /classes/0/regions/0: expected 1 to 64 letters, digits, '-', '_' or '.'; got \"\""},
      {with_classes("{\"name\": \"a\", \"egress\": \"allow\", \"endpoints\": [\"main\", \"\"]}"),
       "policy.json:2: /classes/0/endpoints/1: expected 1 to 64 letters, digits, '-', '_' or '.'; got \"\""},
      {with_classes("{\"name\": \"a\", \"egress\": \"never\"},\n{\"name\": \"b\", \"egress\": \"allow\"}"),
       "policy.json:3: /classes/1/egress: class \"b\" may do more than \"a\" before it; classes stand from least to "
       "most "
       "restrictive"},
      {with_classes("{\"name\": \"a\", \"egress\": \"allow\", \"regions\": [\"eu\"]},\n{\"name\": \"b\", \"egress\": "
                    "\"allow\"}"),
       "policy.json:3: /classes/1/egress: class \"b\" may do more than \"a\" before it; classes stand from least to "
       "most "
       "restrictive"},
      {with_classes("{\"name\": \"a\", \"egress\": \"never\", \"taints_session_for_s\": 0}"),
       "policy.json:2: /classes/0/taints_session_for_s: expected a whole number from 1 to 31622400, got 0"},
      {with("\"default_class\": \"hihg\""),
       "policy.json:4: /default_class: expected one of the classes low, mid, high; got \"hihg\" (did you mean "
       "\"high\"?)"},
  });
  std::string many;
  for (int i = 0; i < 65; ++i) {
    many += (i == 0 ? "" : ",") + std::string("{\"name\": \"c") + std::to_string(i) + "\", \"egress\": \"never\"}";
  }
  CHECK(refusal(with_classes(many)) == "policy.json:2: /classes: expected at most 64 classes");
}

TEST_CASE("rules are checked") {
  check({
      {with(R"("forbid": [{"when": {}}])"), "policy.json:4: /forbid/0: \"id\" is missing"},
      {with(R"("forbid": [{"id": "r"}])"), "policy.json:4: /forbid/0: \"when\" is missing"},
      {with(R"("forbid": [{"id": "", "when": {}}])"),
       "policy.json:4: /forbid/0/id: expected 1 to 64 letters, digits, '-', '_' or '.'"},
      {with(R"("forbid": [{"id": "session-taint", "when": {}}])"),
       "policy.json:4: /forbid/0/id: \"session-taint\" is the name of a rule that is always there"},
      {with("\"forbid\": [{\"id\": \"r\", \"when\": {}}],\n\"prefer\": [{\"id\": \"r\", \"when\": {}}]"),
       "policy.json:5: /prefer/0/id: rule \"r\" is there twice; ids are unique in a file"},
      {with(R"("classify": [{"id": "r", "when": {}, "class": "top"}])"),
       "policy.json:4: /classify/0/class: expected one of the classes low, mid, high; got \"top\""},
      {with(R"("forbid": [{"id": "r", "when": {}, "sites": ["cluod"]}])"),
       "policy.json:4: /forbid/0/sites/0: expected edge, cloud, cloud:<endpoint> or region:<name>; got \"cluod\" (did "
       "you "
       "mean \"cloud\"?)"},
      {with(R"("forbid": [{"id": "r", "when": {}, "sites": ["edge", "cloud:"]}])"),
       "policy.json:4: /forbid/0/sites/1: expected 1 to 64 letters, digits, '-', '_' or '.' after \"cloud:\"; got "
       "\"cloud:\""},
      {with(R"("forbid": [{"id": "r", "when": {}, "sites": ["region:"]}])"),
       "policy.json:4: /forbid/0/sites/0: expected 1 to 64 letters, digits, '-', '_' or '.' after \"region:\"; got "
       "\"region:\""},
      {with(R"("forbid": [{"id": "r", "when": {}, "sites": []}])"),
       "policy.json:4: /forbid/0/sites: expected at least one site"},
      {with(R"("forbid": [{"id": "r", "when": {"class": "low"}}])"),
       "policy.json:4: /forbid/0/when: forbids class \"low\" but not \"mid\", which is more restrictive: use "
       "{\"class\": "
       "{\"ge\": \"low\"}}"},
      {with(R"("forbid": [{"id": "r", "when": {"class": "mid"}, "sites": ["edge"]}])"),
       "policy.json:4: /forbid/0/when: forbids class \"mid\" but not \"high\", which is more restrictive: use "
       "{\"class\": "
       "{\"ge\": \"mid\"}}"},
      {with(R"("budgets": {"cloud_mib_per_day": -1})"),
       "policy.json:4: /budgets/cloud_mib_per_day: expected a number from 0 to 1000000000, got -1"},
      {with(R"("budgets": {"cloud_gib_per_day": 1})"),
       "policy.json:4: /budgets/cloud_gib_per_day: unknown key (did you mean \"cloud_mib_per_day\"?)"},
      {with(R"("prefer": [{"id": "r", "when": {}, "plan": "cascade"}])"),
       "policy.json:4: /prefer/0: \"plan\": \"cascade\" needs \"confidence_below\", a number from 0 to 1, or "
       "\"calibration\", the file that `hearth calibrate cascade` wrote"},
      {with(R"("prefer": [{"id": "r", "when": {}, "plan": "cascade", "calibration": "a.json"}])"),
       "policy.json:4: /prefer/0/calibration: only a policy that is read from a file can name another file"},
      {with(R"("prefer": [{"id": "r", "when": {}, "plan": "cloud", "confidence_below": 0.5}])"),
       "policy.json:4: /prefer/0/confidence_below: belongs to \"plan\": \"cascade\" only"},
      {with(R"("prefer": [{"id": "r", "when": {}, "plan": "cascade", "confidence_below": 1.5}])"),
       "policy.json:4: /prefer/0/confidence_below: expected a number from 0 to 1, got 1.5"},
      {with(R"("prefer": [{"id": "r", "when": {}, "plan": "reject"}])"),
       "policy.json:4: /prefer/0/plan: expected one of edge, cloud, cascade, safety_net, hedge; got \"reject\""},
      {with(R"("prefer": [{"id": "r", "when": {}, "deadline_ms": 1e12}])"),
       "policy.json:4: /prefer/0/deadline_ms: expected a number from 0.1 to 3600000, got 1000000000000.0"},
      {with(R"("prefer": [{"id": "r", "when": {}, "plan": "hedge", "attempts_max": 6}])"),
       "policy.json:4: /prefer/0/attempts_max: expected a whole number from 1 to 5, got 6"},
      {with(R"("prefer": [{"id": "r", "when": {}, "attempts_max": 2}])"),
       "policy.json:4: /prefer/0/attempts_max: belongs to a plan that asks the cloud: cloud, cascade, safety_net, "
       "hedge"},
      {with(R"("prefer": [{"id": "r", "when": {}, "objective": {"quality": "high"}}])"),
       "policy.json:4: /prefer/0/objective/quality: expected a number from 0 to 1000, got \"high\""},
  });
}

TEST_CASE("conditions are checked") {
  const std::string at = "policy.json:4: /forbid/0/when/";
  check({
      {with_when("7"), "policy.json:4: /forbid/0/when: expected an object, got 7"},
      {with_when(R"({"device.netwrok": "metered"})"),
       at + "device.netwrok: unknown attribute (did you mean \"device.network\"?)"},
      {with_when(R"({"device.network": "wifi"})"),
       at + "device.network: expected one of unknown, offline, metered, unmetered; got \"wifi\""},
      {with_when(R"({"device.network": {"gt": 1}})"),
       at + "device.network/gt: \"gt\" compares numbers and classes, and device.network is a word"},
      {with_when(R"({"device.charging": {"lt": true}})"),
       at + "device.charging/lt: \"lt\" compares numbers and classes, and device.charging is true or false"},
      {with_when(R"({"device.charging": "yes"})"), at + "device.charging: expected true or false, got \"yes\""},
      {with_when(R"({"payload_kib": "200"})"), at + "payload_kib: expected a number from 0 to 1000000000, got \"200\""},
      {with_when(R"({"utc_hour": {"ge": 24}})"), at + "utc_hour/ge: expected a whole number from 0 to 23, got 24"},
      {with_when(R"({"utc_hour": [1, "2"]})"), at + "utc_hour/1: expected a whole number from 0 to 23, got \"2\""},
      {with_when(R"({"payload_kib": {"above": 3}})"),
       at + "payload_kib/above: unknown operator, expected one of eq, ne, in, gt, ge, lt, le"},
      {with_when(R"({"payload_kib": {}})"),
       at + "payload_kib: expected a value, an array of values or an object of operators, got {}"},
      {with_when(R"({"payload_kib": {"in": 3}})"), at + "payload_kib/in: expected an array of values, got 3"},
      {with_when(R"({"model": []})"), at + "model: expected at least one value: an empty array never matches"},
      {with_when(R"({"model": ""})"), at + "model: expected a string that is not empty, got \"\""},
      {with_when(R"({"payload_kib": {"gt": 5, "ge": 6}})"),
       at + "payload_kib/gt: expected either \"gt\" or \"ge\", not both"},
      {with_when(R"({"payload_kib": {"gt": 5, "lt": 3}})"),
       at + "payload_kib: can never hold: its parts exclude each other"},
      {with_when(R"({"utc_hour": {"gt": 23}})"), at + "utc_hour: can never hold: its parts exclude each other"},
      {with_when(R"({"consent": {"eq": "given", "ne": "given"}})"),
       at + "consent: can never hold: its parts exclude each other"},
      {with_when(R"({"payload_kib": {"ge": 5, "le": 5, "ne": 5}})"),
       at + "payload_kib: can never hold: its parts exclude each other"},
      {with_when(R"({"payload_kib": {"ge": 5, "lt": 5}})"),
       at + "payload_kib: can never hold: its parts exclude each other"},
      {with_when(R"({"payload_kib": {"in": [5], "ne": 5}})"),
       at + "payload_kib: can never hold: its parts exclude each other"},
      {with_when(R"({"utc_hour": {"gt": 4, "lt": 5}})"), at + "utc_hour: can never hold: its parts exclude each other"},
      {with_when(R"({"utc_hour": {"gt": 4, "lt": 6, "ne": 5}})"),
       at + "utc_hour: can never hold: its parts exclude each other"},
      {with_when(R"({"payload_kib": {"gt": 4, "lt": 5, "ne": 4.5}})"), "(accepted)"},
      {with_when(R"({"utc_hour": {"gt": 4, "lt": 6}})"), "(accepted)"},
      {with_when(R"({"model": {"eq": "a", "ne": "a"}})"), at + "model: can never hold: its parts exclude each other"},
      {with_when(R"({"model": {"in": ["a", "b"], "ne": "a"}})"), "(accepted)"},
      {with_when(R"({"detected.EMAIL": 1.5})"),
       at + "detected.EMAIL: expected a whole number from 0 to 65535, got 1.5"},
      {with_when(R"({"detected.PHONE": {"gt": 0.5}})"),
       at + "detected.PHONE/gt: expected a whole number from 0 to 65535, got 0.5"},
      {with_when(R"({"detected.EMAIL": 1.0})"), "(accepted)"},
      {with_when(R"({"class": {"gt": "high"}})"), at + "class: can never hold: its parts exclude each other"},
      {with_when(R"({"label": "hig"})"),
       at + "label: expected one of low, mid, high; got \"hig\" (did you mean \"high\"?)"},
      {with_when(R"({"payload": {"ne": "text"}})"), at + "payload/ne: payload takes \"eq\" and \"in\" only"},
      {with_when(R"({"text.contains": ["MRN"]})"),
       at +
           "text.contains: only classify rules read the text: give what they find a class, and ask for \"class\" here"},
      {with_when(R"({"class": "low"})", "classify"),
       "policy.json:4: /classify/0/when/class: classify rules see only what is sent; attributes: label, model, "
       "payload, "
       "payload_kib, text.contains, detected.<TYPE>"},
      {with_when(R"({"text.contains": ""})", "classify"),
       "policy.json:4: /classify/0/when/text.contains: expected a string that is not empty, got \"\""},
  });
}

TEST_CASE("tests in a policy file are checked") {
  const auto test = [](const std::string& body) { return with("\"tests\": [{\"name\": \"t\", " + body + "}]"); };
  check({
      {with(R"("tests": [{}])"),
       "policy.json:4: /tests/0: \"name\" is missing\npolicy.json:4: /tests/0: \"request\" is "
       "missing\npolicy.json:4: /tests/0: \"expect\" is missing"},
      {test(R"("request": {"clas": "low"}, "expect": {"plan": "edge"})"),
       "policy.json:4: /tests/0/request/clas: unknown key (did you mean \"class\"?)"},
      {test(R"("request": {"payload": "text"}, "expect": {"plan": "edge"})"),
       "policy.json:4: /tests/0/request/payload: a request of text needs \"text\""},
      {test(R"("request": {}, "expect": {})"),
       "policy.json:4: /tests/0/expect: expected at least one of class, classify_rule, mask, rule, plan, prefer_rule"},
      {test(R"("request": {}, "expect": {"rule": "class:hgih"})"),
       "policy.json:4: /tests/0/expect/rule: no rule is called \"class:hgih\" (did you mean \"class:high\"?)"},
      {test(R"("request": {}, "expect": {"mask": ["edge", "cloud:eu"]})"),
       "policy.json:4: /tests/0/expect/mask/1: expected edge, cloud or cloud:<endpoint of this test>; got "
       "\"cloud:eu\""},
  });
}

TEST_CASE("all problems of a policy come in one error, each with its line and column") {
  CHECK(refusal_with_columns(
            with("\"default_class\": 3,\n\"forbid\": [{\"id\": \"r\", \"when\": {\"utc_hour\": true}}],\n\"x\": 1")) ==
        "policy.json:4:18: /default_class: expected a string, got 3\n"
        "policy.json:5:45: /forbid/0/when/utc_hour: expected a whole number from 0 to 23, got true\n"
        "policy.json:6:6: /x: unknown key; valid keys: $schema, description, version, name, classes, default_class, "
        "detectors, min_class, classify, forbid, budgets, prefer, tests, properties");
}

const char* const kNames = R"({"version": 1, "name": "p", "classes": [
  {"name": "low", "egress": "allow"},
  {"name": "mid", "egress": "allow", "regions": ["mars"]},
  {"name": "high", "egress": "allow", "regions": ["mars"], "endpoints": ["mian"]}],
  "classify": [{"id": "c", "when": {"model": ["tagger", "tager"]}, "class": "high"}],
  "forbid": [
    {"id": "f", "when": {"model": {"ne": "reader"}}},
    {"id": "g", "when": {}, "sites": ["edge", "cloud", "cloud:main", "cloud:mayn"]},
    {"id": "h", "when": {}, "sites": ["region:eu", "region:eu-west"]}],
  "prefer": [{"id": "m", "when": {"model": "absent"}, "plan": "cloud"}]})";

std::string unknown_names(std::vector<EndpointFacts> endpoints, std::vector<std::string> models) {
  const auto loaded = Policy::load(kNames, "p.json");
  REQUIRE(loaded.ok());
  const Status status = loaded.value()->check_names(endpoints, models);
  if (status.ok()) return "";
  CHECK(status.error().code == ErrorCode::kInvalidArgument);
  return status.error().message;
}

TEST_CASE("names that the configuration does not have are refused, all in one error") {
  const std::string endpoint =
      "p.json:4:74: /classes/2/endpoints/0: no endpoint is called \"mian\" in the configuration";
  const std::string site = "p.json:8:70: /forbid/1/sites/3: no endpoint is called \"mayn\" in the configuration";
  const std::string region =
      "p.json:9:52: /forbid/2/sites/1: no endpoint is in region \"eu-west\" in the configuration";
  const std::string model = "p.json:5:46: /classify/0/when/model: no model is called \"tager\" in the configuration";
  const std::string other = "p.json:7:35: /forbid/0/when/model: no model is called \"reader\" in the configuration";
  const std::string main = " (did you mean \"main\"?)";
  const std::string tagger = " (did you mean \"tagger\"?)";
  CHECK(unknown_names({{"main", "eu"}, {"other", "us"}}, {"tagger"}) ==
        endpoint + main + "\n" + model + tagger + "\n" + other + "\n" + site + main + "\n" + region);
  CHECK(unknown_names({{"main", "eu"}, {"mian", "eu-west"}, {"mayn", ""}}, {"tagger", "tager", "reader"}).empty());
  // An endpoint of unknown region counts as in every region, so the rule on eu-west is in force.
  CHECK(unknown_names({{"main", "eu"}, {"mian", "us"}, {"mayn", ""}}, {"tagger", "tager", "reader"}).empty());
}

TEST_CASE("names are not compared with what the configuration has none of") {
  CHECK(unknown_names({}, {}).empty());
  CHECK(unknown_names({}, {"tagger", "tager"}) ==
        "p.json:7:35: /forbid/0/when/model: no model is called \"reader\" in the configuration");
  // Every endpoint may be in the region that a rule forbids, so the rule takes all out.
  CHECK(unknown_names({{"main", ""}, {"mian", ""}, {"mayn", ""}}, {}).empty());
}

TEST_CASE("a problem stands at the first character of its value") {
  // A word, the object that misses a key, an array that is empty, and an object after a character of two bytes.
  CHECK(refusal_with_columns(with("\t\"default_class\":\t\"hihg\"")).starts_with("policy.json:4:19: /default_class: "));
  CHECK(refusal_with_columns(with(R"("forbid": [ {"id": "r"}])")) ==
        "policy.json:4:13: /forbid/0: \"when\" is missing");
  CHECK(refusal_with_columns(with_classes("")) == "policy.json:2:12: /classes: expected at least one class");
  CHECK(refusal_with_columns(with("\"description\": \"\u00e9\", \"forbid\": {}")) ==
        "policy.json:4:32: /forbid: expected an array of objects, got an object");
}

TEST_CASE("a policy file that is missing says so") {
  const auto loaded = Policy::load_file("/nowhere/policy.json");
  REQUIRE_FALSE(loaded.ok());
  CHECK(loaded.error().code == ErrorCode::kNotFound);
  CHECK(loaded.error().message == "/nowhere/policy.json: no such file");
}

}  // namespace
}  // namespace hearth::policies
