#include "policies/tests.h"

#include <algorithm>

#include "policies/compiled.h"
#include "runtime/base/json_reader.h"

namespace hearth::policies {
namespace {

constexpr std::size_t kEndpointsMax = kMaxSites - 1;

/// `[edge, cloud:eu]`; `cloud` alone when every endpoint is permitted.
std::string site_list(bool edge, const std::vector<bool>& cloud, const TestCase& test) {
  std::string list = edge ? "edge" : "";
  const auto append = [&](const std::string& site) { list += (list.empty() ? "" : ", ") + site; };
  if (!cloud.empty() && std::find(cloud.begin(), cloud.end(), false) == cloud.end()) {
    append("cloud");
  } else {
    for (std::size_t i = 0; i < cloud.size(); ++i) {
      if (cloud[i]) append("cloud:" + test.endpoints[i].first);
    }
  }
  return "[" + list + "]";
}

class TestReader {
 public:
  TestReader(JsonReader& reader, const Compiled& compiled) : reader_(reader), compiled_(compiled) {}

  /// A whole test.
  TestCase read() {
    reader_.require({"name", "request", "expect"});
    reader_.read("name", test_.name);
    test_.place = reader_.document().place_of(reader_.pointer_to("name"));
    read_endpoints();
    reader_.object("request", [&](JsonReader& request) { read_request(request); });
    reader_.object("expect", [&](JsonReader& expect) { read_expect(expect); });
    return std::move(test_);
  }

  /// A request and its endpoints, or a request alone.
  TestCase read_request_only() {
    if (!reader_.value().contains("request")) {
      test_.endpoints.emplace_back("cloud", "");
      read_request(reader_);
      return std::move(test_);
    }
    read_endpoints();
    reader_.object("request", [&](JsonReader& request) { read_request(request); });
    return std::move(test_);
  }

 private:
  void read_endpoints() {
    reader_.objects("endpoints", [&](JsonReader& endpoint, std::size_t) { read_endpoint(endpoint); });
    if (!reader_.has("endpoints")) test_.endpoints.emplace_back("cloud", "");
    if (test_.endpoints.size() > kEndpointsMax) reader_.problem("endpoints", "expected at most 31 endpoints");
  }

  void read_endpoint(JsonReader& endpoint) {
    endpoint.require({"name"});
    std::string name;
    std::string region;
    endpoint.read("name", name);
    endpoint.read("region", region);
    test_.endpoints.emplace_back(std::move(name), std::move(region));
  }

  std::vector<std::string> class_names() const {
    std::vector<std::string> names;
    for (const ClassRule& rule : compiled_.classes) names.push_back(rule.name);
    return names;
  }

  std::optional<DataClass> read_class(JsonReader& reader) {
    if (!reader.has("class") || compiled_.classes.empty()) return {};
    const auto names = class_names();
    const std::vector<std::string_view> choices(names.begin(), names.end());
    std::size_t index = choices.size();
    reader.read_choice("class", index, std::span<const std::string_view>(choices));
    if (index == choices.size()) return {};
    return static_cast<DataClass>(index);
  }

  static void read_number(JsonReader& reader, std::string_view key, double max, std::optional<double>& out) {
    double number = -1;
    reader.read(key, number, 0, max);
    if (number >= 0) out = number;
  }

  static void read_flag(JsonReader& reader, std::string_view key, std::optional<bool>& out) {
    bool flag = false;
    reader.read(key, flag);
    if (reader.has(key)) out = flag;
  }

  static void read_count(JsonReader& request, const std::string& type, std::uint16_t& out) {
    std::uint64_t count = out;
    request.read("detected." + type, count, 0, 65535);
    out = static_cast<std::uint16_t>(count);
  }

  void read_request(JsonReader& request) {
    Facts& facts = test_.facts;
    test_.data_class = read_class(request);
    request.read("label", test_.label);
    request.read("model", test_.model);
    request.read("text", test_.text);
    request.read("text_understood", facts.text_understood);
    std::size_t payload = 0;
    request.read_choice("payload", payload, {"tensor", "text", "none"});
    facts.has_tensors = payload == 0;
    if (payload == 2 && !test_.text.empty()) request.problem("payload", "there is \"text\", so it is not none");
    if (payload == 1 && test_.text.empty()) request.problem("payload", "a request of text needs \"text\"");
    read_number(request, "payload_kib", 1e9, facts.payload_kib);
    for (std::size_t i = 0; i < kDetectedCount; ++i) {
      read_count(request, std::string(name_of(static_cast<Detected>(i))), facts.detected[i]);
    }
    for (std::size_t i = 0; i < compiled_.own_detectors.size(); ++i) {
      read_count(request, compiled_.own_detectors[i].type, facts.detected[kDetectedCount + i]);
    }
    std::size_t network = 0;
    request.read_choice("device.network", network, {"unknown", "offline", "metered", "unmetered"});
    facts.device.network = static_cast<NetworkKind>(network);
    read_number(request, "device.battery_percent", 100, facts.device.battery_percent);
    read_flag(request, "device.charging", facts.device.charging);
    read_flag(request, "session.tainted", facts.session_tainted);
    std::size_t consent = 0;
    request.read_choice("consent", consent, {"absent", "given", "revoked"});
    facts.consent = static_cast<Consent>(consent);
    read_number(request, "cloud_mib_today", 1e9, facts.cloud_mib_today);
    read_number(request, "cloud_usd_today", 1e9, facts.cloud_usd_today);
    std::uint64_t hour = 24;
    request.read("utc_hour", hour, 0, 23);
    if (hour < 24) facts.utc_hour = static_cast<unsigned>(hour);
  }

  void read_expect(JsonReader& expect) {
    if (const auto data_class = read_class(expect)) test_.expected["class"] = compiled_.classes[*data_class].name;
    read_mask(expect);
    for (const auto* key : {"rule", "classify_rule", "prefer_rule"}) {
      if (!expect.has(key)) continue;
      std::string id;
      expect.read(key, id);
      const auto& ids = compiled_.rule_ids;
      if (!id.empty() && std::find(ids.begin(), ids.end(), id) == ids.end()) {
        expect.problem(key, "no rule is called " + describe(id) + suggestion(id, ids));
      }
      test_.expected[key] = id;
    }
    if (expect.has("plan")) {
      std::size_t plan = 0;
      expect.read_choice("plan", plan, kPlanNames);
      test_.expected["plan"] = name_of(static_cast<PlanKind>(plan));
    }
    if (test_.expected.empty())
      expect.problem("", "expected at least one of class, classify_rule, mask, rule, plan, prefer_rule");
  }

  void read_mask(JsonReader& expect) {
    if (!expect.has("mask")) return;
    std::vector<std::string> sites;
    expect.read("mask", sites);
    bool edge = false;
    std::vector<bool> cloud(test_.endpoints.size(), false);
    for (std::size_t i = 0; i < sites.size(); ++i) {
      bool known = sites[i] == "edge" || sites[i] == "cloud";
      edge = edge || sites[i] == "edge";
      for (std::size_t e = 0; e < cloud.size(); ++e) {
        const bool named = sites[i] == "cloud:" + test_.endpoints[e].first;
        known = known || named;
        if (named || sites[i] == "cloud") cloud[e] = true;
      }
      if (!known) {
        expect.problems().add(expect.document(), expect.pointer_to("mask") + "/" + std::to_string(i),
                              "expected edge, cloud or cloud:<endpoint of this test>; got " + describe(sites[i]));
      }
    }
    test_.expected["mask"] = site_list(edge, cloud, test_);
  }

  JsonReader& reader_;
  const Compiled& compiled_;
  TestCase test_;
};

}  // namespace

void read_tests(JsonReader& file, Compiled& compiled) {
  file.objects("tests",
               [&](JsonReader& test, std::size_t) { compiled.tests.push_back(TestReader(test, compiled).read()); });
}

Result<TestCase> read_case(std::string_view json, const std::string& origin, const Compiled& compiled) {
  const auto document = JsonDocument::parse(json, origin);
  if (!document.ok()) return document.error();
  Problems problems;
  JsonReader reader(*document.value(), document.value()->root(), "", problems);
  TestCase request;
  if (document.value()->root().is_object()) request = TestReader(reader, compiled).read_request_only();
  reader.finish();
  if (!problems.empty()) return problems.as_error();
  return request;
}

Facts facts_of(const TestCase& test) {
  Facts facts = test.facts;
  facts.label = test.label;
  facts.model = test.model;
  facts.text = test.text;
  return facts;
}

std::string mask_text(Mask mask, const TestCase& test) {
  std::vector<bool> cloud;
  for (std::size_t i = 0; i < test.endpoints.size(); ++i) cloud.push_back(mask.has(static_cast<SiteId>(i + 1)));
  return site_list(mask.has(kEdgeSite), cloud, test);
}

std::vector<std::string> Policy::run_tests() const { return test_report().failures; }

Policy::TestReport Policy::test_report() const {
  TestReport report;
  std::vector<bool> reached(compiled_->rule_ids.size(), false);
  for (const TestCase& test : compiled_->tests) {
    const Facts facts = facts_of(test);
    Classified classified = classify(facts);
    if (test.data_class) classified = {*test.data_class, kNoRule};
    std::vector<EndpointFacts> endpoints;
    for (const auto& [name, region] : test.endpoints) endpoints.push_back({name, region});
    const Permission permission = permit(facts, classified.data_class, endpoints);
    const Preference preference = prefer(facts, classified.data_class);
    const View view{facts, classified.data_class, compiled_->find_class(facts.label)};
    for (const ClassifyRule& rule : compiled_->classify)
      reached[rule.id] = reached[rule.id] || rule.when.may_hold(view);
    for (const ForbidRule& rule : compiled_->forbid) reached[rule.id] = reached[rule.id] || rule.when.may_hold(view);
    if (preference.rule != kNoRule) reached[preference.rule] = true;
    const std::map<std::string, std::string> got = {
        {"class", compiled_->classes[classified.data_class].name},
        {"classify_rule", std::string(rule_id(classified.rule))},
        {"mask", mask_text(permission.mask, test)},
        {"rule", std::string(rule_id(permission.rule))},
        {"plan", hearth::name_of(preference.plan)},
        {"prefer_rule", std::string(rule_id(preference.rule))},
    };
    for (const auto& [what, expected] : test.expected) {
      if (got.at(what) == expected) continue;
      report.failures.push_back(test.place + ": test \"" + test.name + "\": " + what + ": expected \"" + expected +
                                "\", got \"" + got.at(what) + "\"");
    }
  }
  for (std::size_t i = 0; i < reached.size(); ++i) {
    if (!reached[i] && !compiled_->rule_places[i].empty()) report.not_reached.push_back(compiled_->rule_ids[i]);
  }
  return report;
}

}  // namespace hearth::policies
