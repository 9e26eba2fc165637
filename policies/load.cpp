// Reads and checks a policy file. All problems are collected before anything is refused.
#include <algorithm>
#include <cctype>
#include <filesystem>
#include <set>

#include "policies/calibration.h"
#include "policies/compiled.h"
#include "policies/query.h"
#include "policies/tests.h"
#include "runtime/base/digest.h"
#include "runtime/base/json_reader.h"

namespace hearth::policies {
namespace {

constexpr std::size_t kClassesMax = 64;
constexpr std::size_t kRulesMax = 1000;
constexpr std::size_t kWordsMax = 10'000;
constexpr std::size_t kWordMax = 256;
constexpr std::string_view kNamePattern = "1 to 64 letters, digits, '-', '_' or '.'";

bool is_name(std::string_view name) {
  return !name.empty() && name.size() <= 64 && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
           c == '.';
  });
}

class Loader {
 public:
  Loader(const JsonDocument& document, const std::string& folder, Problems& problems)
      : document_(document), folder_(folder), problems_(problems) {}

  std::unique_ptr<Compiled> load() {
    JsonReader file(document_, document_.root(), "", problems_);
    if (!document_.root().is_object()) return nullptr;
    std::string ignored;
    file.read("$schema", ignored);
    file.read("description", ignored);
    file.require({"version", "name", "classes"});
    read_version(file);
    file.read("name", out_->name);
    if (file.has("name") && out_->name.empty()) file.problem("name", "expected a name that is not empty");
    read_classes(file);
    for (const std::string_view rule : kStandingRules) out_->rule_ids.emplace_back(rule);
    for (const ClassRule& rule : out_->classes) out_->rule_ids.push_back("class:" + rule.name);
    read_default_class(file);
    file.objects("detectors", [&](JsonReader& detector, std::size_t index) { read_detector(detector, index); });
    file.object("min_class", [&](JsonReader& models) { read_min_classes(models); });
    file.objects("classify", [&](JsonReader& rule, std::size_t) { read_classify(rule); });
    file.objects("forbid", [&](JsonReader& rule, std::size_t) { read_forbid(rule); });
    file.object("budgets", [&](JsonReader& budgets) { read_budgets(budgets); });
    file.objects("prefer", [&](JsonReader& rule, std::size_t) { read_prefer(rule); });
    out_->rule_places.resize(out_->rule_ids.size());
    out_->origin = document_.origin();
    read_tests(file, *out_);
    file.objects("properties", [&](JsonReader& property, std::size_t) { read_property(property); });
    file.finish();
    for (const auto* list : {"classify", "forbid", "prefer"}) {
      const auto* rules = file.raw(list);
      if (rules != nullptr && rules->size() > kRulesMax) file.problem(list, "expected at most 1000 rules");
    }
    return std::move(out_);
  }

 private:
  void read_version(JsonReader& file) {
    const auto* version = file.raw("version");
    if (version == nullptr || (version->is_number_unsigned() && *version == 1u)) return;
    file.problem("version", "expected 1, the only version of the language so far; got " + describe(*version));
  }

  void read_classes(JsonReader& file) {
    file.objects("classes", [&](JsonReader& reader, std::size_t index) {
      ClassRule rule;
      reader.require({"name", "egress"});
      reader.read("name", rule.name);
      if (reader.has("name") && !is_name(rule.name)) {
        reader.problem("name", "expected " + std::string(kNamePattern));
      } else if (out_->find_class(rule.name)) {
        reader.problem("name", "class \"" + rule.name + "\" is there twice");
      }
      std::size_t egress = 0;
      reader.read_choice("egress", egress, {"never", "redacted", "allow"});
      rule.egress = static_cast<Egress>(egress);
      reader.read("regions", rule.regions);
      reader.read("endpoints", rule.endpoints);
      check_reach(reader, rule);
      std::uint64_t taint = 0;
      reader.read("taints_session_for_s", taint, 1, 366ull * 86400);
      if (taint > 0) rule.taints_session_for = std::chrono::seconds(taint);
      std::size_t record = 0;
      reader.read_choice("egress_record", record, {"synced", "written"});
      rule.synced_record = record == 0;
      if (index > 0 && !out_->classes.empty()) check_order(reader, out_->classes.back(), rule);
      if (index == kClassesMax) file.problem("classes", "expected at most 64 classes");
      if (index < kClassesMax) out_->classes.push_back(std::move(rule));
    });
    const auto* classes = file.raw("classes");
    if (classes != nullptr && classes->is_array() && classes->empty()) {
      file.problem("classes", "expected at least one class");
    }
  }

  void note(NameUse::Kind kind, const std::string& name, const std::string& pointer) {
    out_->names.push_back({kind, name, document_.place_of(pointer) + ": " + pointer});
  }

  void check_reach(JsonReader& reader, const ClassRule& rule) {
    for (const auto* key : {"regions", "endpoints"}) {
      const auto* list = reader.raw(key);
      if (list == nullptr) continue;
      if (list->is_array() && list->empty()) {
        reader.problem(key, "expected at least one name; \"egress\": \"never\" keeps the class home");
      }
      if (rule.egress == Egress::kNever && reader.has("egress")) {
        reader.problem(key, "contradicts \"egress\": \"never\": nothing of this class leaves");
      }
    }
    const auto check = [&](const char* key, const std::vector<std::string>& names, bool noted) {
      for (std::size_t i = 0; i < names.size(); ++i) {
        const std::string place = reader.pointer_to(key) + "/" + std::to_string(i);
        if (!is_name(names[i])) {
          problems_.add(document_, place, "expected " + std::string(kNamePattern) + "; got " + describe(names[i]));
        } else if (noted) {
          note(NameUse::Kind::kEndpoint, names[i], place);
        }
      }
    };
    check("regions", rule.regions, false);
    check("endpoints", rule.endpoints, true);
  }

  /// Raising a class must never permit more: that is what "can only be raised" is worth.
  void check_order(JsonReader& reader, const ClassRule& before, const ClassRule& rule) {
    const auto within = [](const std::vector<std::string>& inner, const std::vector<std::string>& outer) {
      if (outer.empty()) return true;
      return !inner.empty() && std::all_of(inner.begin(), inner.end(), [&](const std::string& name) {
        return std::find(outer.begin(), outer.end(), name) != outer.end();
      });
    };
    if (!reader.has("egress")) return;
    const bool farther = rule.egress != Egress::kNever &&
                         !(within(rule.regions, before.regions) && within(rule.endpoints, before.endpoints));
    const bool wider = rule.egress > before.egress || (before.egress != Egress::kNever && farther);
    if (wider) {
      reader.problem("egress", "class \"" + rule.name + "\" may do more than \"" + before.name +
                                   "\" before it; classes stand from least to most restrictive");
    }
  }

  void read_default_class(JsonReader& file) {
    if (!out_->classes.empty()) out_->default_class = out_->most_restrictive();
    if (auto found = read_class(file, "default_class")) out_->default_class = *found;
  }

  std::optional<DataClass> read_class(JsonReader& reader, std::string_view key) {
    std::string name;
    reader.read(key, name);
    const auto* value = reader.raw(key);
    if (value == nullptr || !value->is_string()) return {};
    const auto found = out_->find_class(name);
    if (found || out_->classes.empty()) return found;
    std::vector<std::string> names;
    std::string list;
    for (const ClassRule& rule : out_->classes) {
      names.push_back(rule.name);
      list += (list.empty() ? "" : ", ") + rule.name;
    }
    reader.problem(key, "expected one of the classes " + list + "; got " + describe(*value) + suggestion(name, names));
    return {};
  }

  void read_detector(JsonReader& reader, std::size_t index) {
    OwnDetector detector;
    reader.require({"type"});
    reader.read("type", detector.type);
    reader.read("pattern", detector.pattern);
    reader.read("words", detector.words);
    if (reader.has("type")) check_type(reader, detector.type);
    if (detector.pattern.empty() && detector.words.empty()) {
      reader.problem("", "expected \"pattern\" or \"words\", or both: without them nothing is found");
    }
    for (std::size_t i = 0; i < detector.words.size(); ++i) {
      if (!detector.words[i].empty() && detector.words[i].size() <= kWordMax) continue;
      problems_.add(document_, reader.pointer_to("words") + "/" + std::to_string(i), "expected 1 to 256 characters");
    }
    if (detector.words.size() > kWordsMax) reader.problem("words", "expected at most 10000 words");
    if (index == kOwnDetectorsMax) reader.problem("", "expected at most 16 detectors");
    if (index < kOwnDetectorsMax) out_->own_detectors.push_back(std::move(detector));
    out_->needs_text = true;
  }

  void check_type(JsonReader& reader, const std::string& type) {
    const bool upper = !type.empty() && type.size() <= 64 && std::all_of(type.begin(), type.end(), [](char c) {
      return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
    });
    bool twice = false;
    for (std::size_t i = 0; i < kDetectedCount; ++i) twice = twice || type == name_of(static_cast<Detected>(i));
    for (const OwnDetector& other : out_->own_detectors) twice = twice || type == other.type;
    if (!upper) {
      reader.problem("type", "expected 1 to 64 upper-case letters, digits or '_'; got " + describe(type));
    } else if (twice) {
      reader.problem("type", "type \"" + type + "\" is there already");
    }
  }

  /// What a model takes in tensors cannot be scanned: it counts as this class at least.
  void read_min_classes(JsonReader& models) {
    for (const auto& [key, value] : models.value().items()) {
      const std::string model = key;
      const auto data_class = read_class(models, model);
      if (!value.is_string() || !data_class) continue;
      if (!is_name(model)) models.problem(model, "expected a model's name, " + std::string(kNamePattern));
      Condition is_model;
      is_model.attribute = Attribute::kModel;
      is_model.names = {model};
      Condition has_tensors;
      has_tensors.attribute = Attribute::kPayload;
      has_tensors.choices = 1;
      ClassifyRule rule;
      rule.when.add(std::move(is_model));
      rule.when.add(std::move(has_tensors));
      rule.data_class = *data_class;
      out_->rule_ids.push_back("min_class:" + model);
      rule.id = static_cast<RuleIndex>(out_->rule_ids.size() - 1);
      note(NameUse::Kind::kModel, model, models.pointer_to(model));
      out_->classify.push_back(std::move(rule));
    }
  }

  RuleIndex read_id(JsonReader& rule) {
    std::string id;
    rule.read("id", id);
    if (!rule.has("id")) return kNoRule;
    const bool standing = std::find(kStandingRules.begin(), kStandingRules.end(), id) != kStandingRules.end();
    if (!is_name(id)) {
      rule.problem("id", "expected " + std::string(kNamePattern));
    } else if (standing) {
      rule.problem("id", "\"" + id + "\" is the name of a rule that is always there");
    } else if (!ids_.insert(id).second) {
      rule.problem("id", "rule \"" + id + "\" is there twice; ids are unique in a file");
    }
    out_->rule_ids.push_back(id);
    out_->rule_places.resize(out_->rule_ids.size());
    out_->rule_places.back() = document_.place_of(rule.pointer());
    return static_cast<RuleIndex>(out_->rule_ids.size() - 1);
  }

  Conditions read_when(JsonReader& rule, Asker asker) {
    Conditions conditions = read_conditions(rule, *out_, asker);
    out_->needs_text = out_->needs_text || conditions.reads_text();
    return conditions;
  }

  void note_models(JsonReader& rule, const Conditions& conditions) {
    const std::string pointer = rule.pointer_to("when") + "/model";
    for (const Condition& condition : conditions.all()) {
      if (condition.attribute != Attribute::kModel) continue;
      for (const std::string& name : condition.names) note(NameUse::Kind::kModel, name, pointer);
      for (const std::string& name : condition.names_except) note(NameUse::Kind::kModel, name, pointer);
    }
  }

  void read_classify(JsonReader& reader) {
    reader.require({"id", "when", "class"});
    ClassifyRule rule;
    rule.id = read_id(reader);
    rule.when = read_when(reader, Asker::kClassify);
    note_models(reader, rule.when);
    rule.data_class = read_class(reader, "class").value_or(0);
    out_->classify.push_back(std::move(rule));
  }

  void read_forbid(JsonReader& reader) {
    reader.require({"id", "when"});
    ForbidRule rule;
    rule.id = read_id(reader);
    rule.when = read_when(reader, Asker::kPermit);
    note_models(reader, rule.when);
    std::vector<std::string> sites{"cloud"};
    reader.read("sites", sites);
    if (sites.empty()) reader.problem("sites", "expected at least one site");
    for (std::size_t i = 0; i < sites.size(); ++i) read_site(reader, i, sites[i], rule.sites);
    check_upward(reader, rule);
    out_->forbid.push_back(std::move(rule));
  }

  void read_site(JsonReader& reader, std::size_t index, const std::string& site, Sites& sites) {
    const std::string place = reader.pointer_to("sites") + "/" + std::to_string(index);
    const auto add_name = [&](NameUse::Kind kind, std::string_view prefix, std::vector<std::string>& names) {
      const std::string name = site.substr(prefix.size());
      if (!is_name(name)) {
        problems_.add(
            document_, place,
            "expected " + std::string(kNamePattern) + " after \"" + std::string(prefix) + "\"; got " + describe(site));
        return;
      }
      names.push_back(name);
      note(kind, name, place);
    };
    if (site == "edge") {
      sites.edge = true;
    } else if (site == "cloud") {
      sites.cloud = true;
    } else if (site.starts_with("cloud:")) {
      add_name(NameUse::Kind::kEndpoint, "cloud:", sites.endpoints);
    } else if (site.starts_with("region:")) {
      add_name(NameUse::Kind::kRegion, "region:", sites.regions);
    } else {
      problems_.add(document_, place,
                    "expected edge, cloud, cloud:<endpoint> or region:<name>; got " + describe(site) +
                        suggestion(site, {"edge", "cloud"}));
    }
  }

  /// A rule that binds a class binds every more restrictive class, else raising a class would free it. A class that
  /// never leaves is bound already, unless the rule is about the edge.
  void check_upward(JsonReader& reader, const ForbidRule& rule) {
    for (const Condition& condition : rule.when.all()) {
      if (condition.attribute != Attribute::kClass) continue;
      for (std::size_t i = 0; i + 1 < out_->classes.size(); ++i) {
        const ClassRule& above = out_->classes[i + 1];
        if ((condition.choices >> i & 1u) == 0 || (condition.choices >> (i + 1) & 1u) != 0) continue;
        if (above.egress == Egress::kNever && !rule.sites.edge) continue;
        reader.problem("when", "forbids class \"" + out_->classes[i].name + "\" but not \"" + above.name +
                                   "\", which is more restrictive: use {\"class\": {\"ge\": \"" +
                                   out_->classes[i].name + "\"}}");
      }
    }
  }

  void read_budgets(JsonReader& budgets) {
    const auto read = [&](const char* key, std::optional<double>& out) {
      double limit = 0;
      budgets.read(key, limit, 0, 1e9);
      if (budgets.has(key)) out = limit;
    };
    read("cloud_mib_per_day", out_->cloud_mib_per_day);
    read("cloud_usd_per_day", out_->cloud_usd_per_day);
  }

  /// A threshold, or the file in which `hearth calibrate cascade` wrote one; for cascades only.
  void read_confidence(JsonReader& reader, Preference& preference) {
    double confidence = 0;
    reader.read("confidence_below", confidence, 0, 1);
    preference.confidence_below = static_cast<float>(confidence);
    std::string file;
    reader.read("calibration", file);
    const bool here = reader.has("confidence_below"), elsewhere = reader.has("calibration");
    if (preference.plan != PlanKind::kCascade) {
      for (const auto* key : {"confidence_below", "calibration"})
        if (reader.has(key)) reader.problem(key, "belongs to \"plan\": \"cascade\" only");
    } else if (here == elsewhere) {
      reader.problem("",
                     "\"plan\": \"cascade\" needs \"confidence_below\", a number from 0 to 1, or \"calibration\", the "
                     "file that `hearth calibrate cascade` wrote" +
                         std::string(here ? "; not both" : ""));
    } else if (elsewhere) {
      read_calibration(reader, file, preference);
    }
  }

  void read_calibration(JsonReader& reader, const std::string& file, Preference& preference) {
    if (folder_.empty())
      return reader.problem("calibration", "only a policy that is read from a file can name another file");
    const auto read = policies::read_calibration((std::filesystem::path(folder_) / file).string());
    if (!read.ok()) return reader.problem("calibration", read.error().message);
    preference.confidence = read->confidence;
    preference.confidence_below = read->confidence_below;
    out_->calibrations += read->sha256;
  }

  void read_prefer(JsonReader& reader) {
    reader.require({"id", "when"});
    PreferRule rule;
    rule.preference.rule = read_id(reader);
    rule.when = read_when(reader, Asker::kPermit);
    std::size_t plan = 0;
    reader.read_choice("plan", plan, kPlanNames);
    rule.preference.plan = static_cast<PlanKind>(plan);
    read_confidence(reader, rule.preference);
    double deadline_ms = 0;
    reader.read("deadline_ms", deadline_ms, 0.1, 3'600'000);
    if (deadline_ms > 0) rule.preference.deadline = from_ms(deadline_ms);
    std::uint64_t attempts = 0;
    reader.read("attempts_max", attempts, 1, kAttemptsMax);
    rule.preference.attempts_max = static_cast<unsigned>(attempts);
    if (attempts > 0 && rule.preference.plan == PlanKind::kEdge)
      reader.problem("attempts_max", "belongs to a plan that asks the cloud: cloud, cascade, safety_net, hedge");
    reader.object("objective", [&](JsonReader& objective) {
      auto& weights = rule.preference.objective.emplace();
      objective.read("quality", weights.quality, 0, 1000);
      objective.read("cost", weights.cost, 0, 1000);
      objective.read("energy", weights.energy, 0, 1000);
    });
    out_->prefer.push_back(std::move(rule));
  }

  void read_property(JsonReader& reader) {
    Property property;
    reader.require({"name"});
    reader.read("name", property.name);
    property.place = document_.place_of(reader.pointer());
    property.never = reader.has("never");
    const char* const key = property.never ? "never" : "always";
    reader.read(key, property.query);
    if (reader.has("never") == reader.has("always")) {
      return reader.problem("", "expected one of \"never\" and \"always\"");
    }
    if (out_->classes.empty() || property.query.empty()) return;
    if (const auto query = read_query(property.query, *out_); !query.ok()) {
      reader.problem(key, query.error().message);
    }
    out_->properties.push_back(std::move(property));
  }

  const JsonDocument& document_;
  const std::string folder_;
  Problems& problems_;
  std::unique_ptr<Compiled> out_ = std::make_unique<Compiled>();
  std::set<std::string> ids_;
};

static_assert(static_cast<int>(PlanKind::kEdge) == 0 && static_cast<int>(PlanKind::kCloud) == 1 &&
              static_cast<int>(PlanKind::kCascade) == 2);

}  // namespace

Result<std::shared_ptr<const Policy>> Policy::load(std::string_view json, const std::string& origin,
                                                   const std::string& folder) {
  auto document = JsonDocument::parse(json, origin);
  if (!document.ok()) return document.error();
  Problems problems;
  auto compiled = Loader(*document.value(), folder, problems).load();
  if (!problems.empty()) return problems.as_error();
  compiled->sha256 = sha256_hex(compiled->calibrations.empty() ? json : std::string(json) + compiled->calibrations);
  if (compiled->sha256.empty()) return {ErrorCode::kInternal, origin + ": SHA-256 failed"};
  return std::shared_ptr<const Policy>(new Policy(std::move(compiled)));
}

Result<std::shared_ptr<const Policy>> Policy::load_file(const std::string& file) {
  auto text = read_whole_file(file, JsonDocument::kSizeMaxBytes);
  if (!text.ok()) return text.error();
  const auto folder = std::filesystem::path(file).parent_path();
  return load(text.value(), file, folder.empty() ? "." : folder.string());
}

}  // namespace hearth::policies
