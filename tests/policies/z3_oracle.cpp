#include "z3_oracle.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <functional>
#include <map>
#include <stdexcept>

#include <z3++.h>

namespace hearth::policies {
namespace {

using nlohmann::json;
using z3::expr;

std::string lower_case(std::string text) {
  for (char& c : text) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return text;
}

std::string decimal(double number) {
  char digits[400];
  const auto end = std::to_chars(digits, digits + sizeof digits, number, std::chars_format::fixed).ptr;
  return {digits, end};
}

/// What is asked of one attribute: whether it is known, and comparing it when it is.
struct Subject {
  expr known;
  std::function<expr(const std::string& op, const json& value)> compare;  ///< op: eq gt ge lt le.
  std::string unknown_word = {};                                          ///< The value that stands for "not known".
};

struct Truth3 {
  expr may;    ///< Holds, or is unknown.
  expr sure;   ///< Is known to hold.
  expr asked;  ///< As a query means it: unknown is a value of its own.
};

/// The variables: one of each for every attribute that is asked for, shared by all policies.
class Inputs {
 public:
  explicit Inputs(z3::context& context) : c_(context) {}

  expr name(const std::string& text) {  // 0 is the empty name: absent, unknown.
    const auto [at, fresh] = ids_.emplace(text, static_cast<unsigned>(ids_.size()));
    return c_.bv_val(at->second, 16);
  }
  expr absent() { return name(""); }
  expr named(const char* variable) { return c_.bv_const(variable, 16); }
  expr flag(const std::string& variable) { return c_.bool_const(variable.c_str()); }
  expr is_known(const std::string& attribute) { return flag("known " + attribute); }
  expr understood() { return flag("text understood"); }
  expr has_tensors() { return flag("has tensors"); }
  expr has_text() { return flag("has text"); }

  static bool whole(const std::string& attribute) {
    return attribute == "utc_hour" || attribute.starts_with("detected.");
  }
  expr value(const std::string& attribute, double number) {
    return whole(attribute) ? c_.int_val(static_cast<int>(number)) : c_.real_val(decimal(number).c_str());
  }
  expr number(const std::string& attribute) {
    const expr variable = whole(attribute) ? c_.int_const(attribute.c_str()) : c_.real_const(attribute.c_str());
    if (numbers_.emplace(attribute, variable).second) {
      const double max = attribute == "utc_hour"                 ? 23
                         : attribute.starts_with("detected.")    ? 65535
                         : attribute == "device.battery_percent" ? 100
                                                                 : 1e9;
      bounds_.push_back(variable >= value(attribute, 0) && variable <= value(attribute, max));
    }
    return variable;
  }
  expr found(const std::string& needle) {
    const std::string plain = lower_case(needle);
    needles_.emplace(plain, flag("found " + plain));
    return flag("found " + plain);
  }
  /// One of `words`, the first of which means unknown.
  expr choice(const std::string& attribute) { return c_.bv_const(attribute.c_str(), 2); }
  expr choice_value(unsigned value) { return c_.bv_val(value, 2); }

  /// What holds for every input.
  void add_bounds(z3::solver& solver) {
    for (const expr& bound : bounds_) solver.add(bound);
    solver.add(choice("consent") != choice_value(3));
    solver.add(named("endpoint") != absent());
    for (const auto& [needle, here] : needles_) {
      solver.add(z3::implies(here, has_text()));
      for (const auto& [other, there] : needles_) {
        if (needle != other && other.find(needle) != std::string::npos) solver.add(z3::implies(there, here));
      }
    }
  }
  const std::map<std::string, expr>& numbers() const { return numbers_; }
  const std::map<std::string, expr>& needles() const { return needles_; }
  z3::context& context() { return c_; }

 private:
  z3::context& c_;
  std::map<std::string, unsigned> ids_{{"", 0}};
  std::map<std::string, expr> numbers_;
  std::map<std::string, expr> needles_;
  std::vector<expr> bounds_;
};

const std::vector<std::string> kNetworks = {"unknown", "offline", "metered", "unmetered"};
const std::vector<std::string> kConsents = {"absent", "given", "revoked"};

unsigned index_of(const std::vector<std::string>& words, const std::string& word) {
  return static_cast<unsigned>(std::find(words.begin(), words.end(), word) - words.begin());
}

/// The formulas of one policy.
class Formulas {
 public:
  Formulas(Inputs& in, const json& policy, std::map<std::string, int>& plans)
      : in_(in), c_(in.context()), policy_(policy), plans_(plans) {
    for (const json& rule : policy_["classes"]) classes_.push_back(rule["name"]);
    classify();
  }

  expr no() { return c_.bool_val(false); }
  expr yes() { return c_.bool_val(true); }
  const std::vector<std::string>& classes() const { return classes_; }
  expr class_is(std::size_t i) { return i + 1 < classes_.size() ? at_least_[i] && !at_least_[i + 1] : at_least_[i]; }

  Truth3 conditions(const json& when) {
    z3::expr_vector may(c_);
    z3::expr_vector sure(c_);
    z3::expr_vector asked(c_);
    for (const auto& [attribute, test] : when.items()) {
      const Truth3 entry = condition(attribute, test);
      may.push_back(entry.may);
      sure.push_back(entry.sure);
      asked.push_back(entry.asked);
    }
    return {z3::mk_and(may), z3::mk_and(sure), z3::mk_and(asked)};
  }

  expr edge_permitted() {
    z3::expr_vector against(c_);
    for (const json& rule : list("forbid")) {
      const json sites = rule.value("sites", json::array({"cloud"}));
      if (std::find(sites.begin(), sites.end(), "edge") != sites.end()) against.push_back(conditions(rule["when"]).may);
    }
    return !z3::mk_or(against);
  }

  /// Of the endpoint that the variables `endpoint` and `region` are.
  expr cloud_permitted() {
    z3::expr_vector all(c_);
    for (std::size_t i = 0; i < classes_.size(); ++i) {
      all.push_back(z3::implies(class_is(i), class_permits(policy_["classes"][i])));
    }
    all.push_back(in_.is_known("session.tainted") && !in_.flag("session.tainted"));
    const json budgets = policy_.value("budgets", json::object());
    for (const auto& [key, limit] : budgets.items()) {
      const std::string today = key == "cloud_mib_per_day" ? "cloud_mib_today" : "cloud_usd_today";
      all.push_back(in_.is_known(today) && in_.number(today) < in_.value(today, limit));
    }
    for (const json& rule : list("forbid")) {
      all.push_back(!(site_among(rule.value("sites", json::array({"cloud"}))) && conditions(rule["when"]).may));
    }
    return z3::mk_and(all);
  }

  expr plan() {
    expr chosen = plan_id({{"plan", "edge"}});
    const json rules = list("prefer");
    for (auto rule = rules.rbegin(); rule != rules.rend(); ++rule) {
      chosen = z3::ite(conditions((*rule)["when"]).sure, plan_id(*rule), chosen);
    }
    return chosen;
  }

 private:
  json list(const char* key) const { return policy_.value(key, json::array()); }

  expr plan_id(const json& rule) {
    const json parts = {rule.value("plan", "edge"), rule.value("confidence_below", 0.0),
                        rule.value("deadline_ms", 0.0)};
    return c_.int_val(plans_.emplace(parts.dump(), static_cast<int>(plans_.size())).first->second);
  }

  void classify() {
    const std::size_t count = classes_.size();
    z3::expr_vector labels(c_);
    for (const std::string& name : classes_) labels.push_back(in_.named("label") == in_.name(name));
    const bool absent_is_known = policy_.contains("default_class");
    const std::size_t without = absent_is_known ? index_of(classes_, policy_["default_class"]) : count - 1;
    const expr absent = in_.named("label") == in_.absent();
    std::vector<z3::expr_vector> to(count, z3::expr_vector(c_));  // What makes it exactly so much, at least.
    for (std::size_t i = 0; i < count; ++i) to[i] = z3::expr_vector(c_);
    for (std::size_t i = 0; i < count; ++i) to[i].push_back(labels[static_cast<int>(i)]);
    to[without].push_back(absent);
    to[count - 1].push_back(!absent && !z3::mk_or(labels));
    to[count - 1].push_back(!in_.understood());
    const json models = policy_.value("min_class", json::object());
    for (const auto& [model, data_class] : models.items()) {
      const expr maybe = in_.named("model") == in_.name(model) || in_.named("model") == in_.absent();
      to[index_of(classes_, data_class)].push_back(maybe && in_.has_tensors());
    }
    for (const json& rule : list("classify")) {
      to[index_of(classes_, rule["class"])].push_back(conditions(rule["when"]).may);
    }
    expr above = no();
    for (std::size_t i = count; i-- > 0;) {
      above = above || z3::mk_or(to[i]);
      at_least_.insert(at_least_.begin(), i == 0 ? yes() : above);
    }
  }

  expr class_permits(const json& rule) {
    if (rule["egress"] == "never") return no();
    expr permits = rule["egress"] == "allow" ? yes() : !in_.has_tensors() && in_.understood();
    if (rule.contains("regions")) permits = permits && one_of("region", rule["regions"]);
    if (rule.contains("endpoints")) permits = permits && one_of("endpoint", rule["endpoints"]);
    return permits;
  }

  expr one_of(const char* variable, const json& names) {
    z3::expr_vector any(c_);
    for (const json& name : names) any.push_back(in_.named(variable) == in_.name(name));
    return z3::mk_or(any);
  }

  expr site_among(const json& sites) {
    z3::expr_vector any(c_);
    for (const std::string site : sites) {
      if (site == "cloud") any.push_back(yes());
      if (site.starts_with("cloud:")) any.push_back(in_.named("endpoint") == in_.name(site.substr(6)));
      if (site.starts_with("region:")) {
        any.push_back(in_.named("region") == in_.name(site.substr(7)) || in_.named("region") == in_.absent());
      }
    }
    return z3::mk_or(any);
  }

  Truth3 condition(const std::string& attribute, const json& test) {
    const json ops = test.is_object() ? test : json{{test.is_array() ? "in" : "eq", test}};
    const Subject subject = subject_of(attribute);
    expr holds = yes();
    expr asked = yes();
    bool asks_for_unknown = false;
    for (const auto& [op, operand] : ops.items()) {
      const json values = op == "in" ? operand : json::array({operand});
      expr any = no();
      bool unknown = false;
      for (const json& value : values) {
        any = any || subject.compare(op == "ne" || op == "in" ? "eq" : op, value);
        unknown = unknown || (!subject.unknown_word.empty() && value == subject.unknown_word);
      }
      holds = holds && (op == "ne" ? !any : any);
      asks_for_unknown = asks_for_unknown || (unknown && op != "ne");
      asked = asked && ((subject.known && (op == "ne" ? !any : any)) ||
                        (!subject.known && c_.bool_val(unknown != (op == "ne"))));
    }
    const expr sure = (subject.known && holds) || (!subject.known && c_.bool_val(asks_for_unknown));
    return {!subject.known || holds, sure, asked};
  }

  Subject subject_of(const std::string& attribute) {
    if (attribute == "label") {
      return {one_of("label", classes_),
              ordered([this](std::size_t i) { return in_.named("label") == in_.name(classes_[i]); })};
    }
    if (attribute == "class") return {yes(), ordered([this](std::size_t i) { return class_is(i); })};
    if (attribute == "model") {
      return {in_.named("model") != in_.absent(),
              [this](const auto&, const json& value) { return in_.named("model") == in_.name(value); }};
    }
    if (attribute == "payload") {
      return {yes(),
              [this](const auto&, const json& value) { return value == "text" ? in_.has_text() : in_.has_tensors(); }};
    }
    if (attribute == "text.contains") {
      return {in_.understood(), [this](const auto&, const json& value) { return in_.found(value); }};
    }
    if (attribute == "device.network") return chosen(attribute, kNetworks);
    if (attribute == "consent") return chosen(attribute, kConsents);
    if (attribute == "device.charging" || attribute == "session.tainted") {
      return {in_.is_known(attribute), [this, attribute](const auto&, const json& value) {
                return value == true ? in_.flag(attribute) : !in_.flag(attribute);
              }};
    }
    return {attribute.starts_with("detected.") ? in_.understood() : in_.is_known(attribute),
            [this, attribute](const std::string& op, const json& operand) {
              const expr left = in_.number(attribute);
              const expr right = in_.value(attribute, operand);
              if (op == "eq") return left == right;
              if (op == "gt") return left > right;
              if (op == "ge") return left >= right;
              return op == "lt" ? left < right : left <= right;
            }};
  }

  Subject chosen(const std::string& attribute, const std::vector<std::string>& words) {
    return {in_.choice(attribute) != in_.choice_value(0),
            [this, attribute, &words](const auto&, const json& value) {
              return in_.choice(attribute) == in_.choice_value(index_of(words, value));
            },
            words.front()};
  }

  std::function<expr(const std::string&, const json&)> ordered(std::function<expr(std::size_t)> is) {
    return [this, is = std::move(is)](const std::string& op, const json& value) {
      const std::size_t at = index_of(classes_, value);
      expr any = no();
      for (std::size_t i = 0; i < classes_.size(); ++i) {
        const bool within = op == "eq"   ? i == at
                            : op == "gt" ? i > at
                            : op == "ge" ? i >= at
                            : op == "lt" ? i < at
                                         : i <= at;
        if (within) any = any || is(i);
      }
      return any;
    };
  }

  Inputs& in_;
  z3::context& c_;
  json policy_;
  std::map<std::string, int>& plans_;
  std::vector<std::string> classes_;
  std::vector<expr> at_least_;  ///< The class is this one or a more restrictive one.
};

}  // namespace

struct Z3Oracle::State {
  State(const json& first, const json& second, Endpoints only_these)
      : policy(first), only(std::move(only_these)), in(c), a(in, first, plans) {
    if (!second.is_null()) b.emplace(in, second, plans);
  }

  Answer ask(const expr& question, bool about_cloud) {
    z3::solver solver(c);
    z3::params limits(c);
    if (timeout_ms > 0) limits.set("timeout", timeout_ms);
    solver.set(limits);
    solver.add(question);
    if (about_cloud && !only.empty()) solver.add(one_of_only());
    in.add_bounds(solver);
    const auto start = std::chrono::steady_clock::now();
    const z3::check_result result = solver.check();
    solver_ms = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
    switch (result) {
      case z3::unsat:
        return Answer::kNone;
      case z3::sat:
        return Answer::kSome;
      default:
        return Answer::kUnknown;
    }
  }

  expr one_of_only() {
    z3::expr_vector any(c);
    for (const auto& [name, region] : only) {
      any.push_back(in.named("endpoint") == in.name(name) && in.named("region") == in.name(region));
    }
    return z3::mk_or(any);
  }

  void pin(z3::solver& solver, const Facts& facts);

  json policy;
  Endpoints only;
  unsigned timeout_ms = 0;
  double solver_ms = 0;
  z3::context c;
  Inputs in;
  std::map<std::string, int> plans;
  Formulas a;
  std::optional<Formulas> b;
};

Z3Oracle::Z3Oracle(const json& policy, const json& other, const Endpoints& only)
    : state_(std::make_unique<State>(policy, other, only)) {}
Z3Oracle::~Z3Oracle() = default;

double Z3Oracle::solver_ms() const { return state_->solver_ms; }

void Z3Oracle::set_timeout_ms(unsigned timeout_ms) { state_->timeout_ms = timeout_ms; }

Answer Z3Oracle::some(const json& when, const std::string& target, bool permitted) {
  State& s = *state_;
  const expr asked = s.a.conditions(when).asked;
  if (target == "edge") {
    const expr edge = s.a.edge_permitted();
    return s.ask(asked && (permitted ? edge : !edge), false);
  }
  expr there = s.a.yes();
  if (target.starts_with("cloud:")) there = s.in.named("endpoint") == s.in.name(target.substr(6));
  if (target.starts_with("region:")) {  // One of unknown region may be there; it is not known to be.
    there = s.in.named("region") == s.in.name(target.substr(7));
    if (permitted) there = there || s.in.named("region") == s.in.absent();
  }
  const expr cloud = s.a.cloud_permitted();
  return s.ask(asked && there && (permitted ? cloud : !cloud), true);
}

Answer Z3Oracle::some_permitted_by_first_only() {
  State& s = *state_;
  const Answer edge = s.ask(s.a.edge_permitted() && !s.b->edge_permitted(), false);
  return edge != Answer::kNone ? edge : s.ask(s.a.cloud_permitted() && !s.b->cloud_permitted(), true);
}

Answer Z3Oracle::some_mask_differs() {
  State& s = *state_;
  const Answer edge = s.ask(s.a.edge_permitted() != s.b->edge_permitted(), false);
  return edge != Answer::kNone ? edge : s.ask(s.a.cloud_permitted() != s.b->cloud_permitted(), true);
}

Answer Z3Oracle::some_class_differs() {
  State& s = *state_;
  expr differs = s.a.no();
  for (std::size_t i = 0; i < s.a.classes().size(); ++i) {
    for (std::size_t j = 0; j < s.b->classes().size(); ++j) {
      if (s.a.classes()[i] != s.b->classes()[j]) differs = differs || (s.a.class_is(i) && s.b->class_is(j));
    }
  }
  return s.ask(differs, false);
}

Answer Z3Oracle::some_plan_differs() { return state_->ask(state_->a.plan() != state_->b->plan(), false); }

void Z3Oracle::State::pin(z3::solver& solver, const Facts& facts) {
  const auto flag = [&](const std::string& attribute, std::optional<bool> value) {
    solver.add(in.is_known(attribute) == c.bool_val(value.has_value()));
    if (value) solver.add(in.flag(attribute) == c.bool_val(*value));
  };
  const auto number = [&](const std::string& attribute, std::optional<double> value) {
    solver.add(in.is_known(attribute) == c.bool_val(value.has_value()));
    if (value) solver.add(in.number(attribute) == in.value(attribute, *value));
  };
  solver.add(in.named("label") == in.name(std::string(facts.label)));
  solver.add(in.named("model") == in.name(std::string(facts.model)));
  solver.add(in.has_text() == c.bool_val(!facts.text.empty()));
  solver.add(in.has_tensors() == c.bool_val(facts.has_tensors));
  solver.add(in.understood() == c.bool_val(facts.text_understood));
  const std::string sent = lower_case(std::string(facts.text));
  const std::string read = lower_case(std::string(facts.folded_text));
  for (const auto& [needle, found] : in.needles()) {
    const bool here = sent.find(needle) != std::string::npos || read.find(needle) != std::string::npos;
    solver.add(found == c.bool_val(here));
  }
  const auto count = [&](const std::string& type, std::size_t slot) {
    solver.add(in.number("detected." + type) == in.value("detected." + type, facts.detected[slot]));
  };
  for (std::size_t i = 0; i < kDetectedCount; ++i) count(std::string(name_of(static_cast<Detected>(i))), i);
  const json own = policy.value("detectors", json::array());
  for (std::size_t i = 0; i < own.size(); ++i) count(own[i]["type"], kDetectedCount + i);
  number("payload_kib", facts.payload_kib);
  number("device.battery_percent", facts.device.battery_percent);
  number("cloud_mib_today", facts.cloud_mib_today);
  number("cloud_usd_today", facts.cloud_usd_today);
  number("utc_hour", facts.utc_hour ? std::optional<double>(*facts.utc_hour) : std::nullopt);
  flag("device.charging", facts.device.charging);
  flag("session.tainted", facts.session_tainted);
  solver.add(in.choice("device.network") == in.choice_value(static_cast<unsigned>(facts.device.network)));
  solver.add(in.choice("consent") == in.choice_value(static_cast<unsigned>(facts.consent)));
}

std::optional<Z3Oracle::Decision> Z3Oracle::decide(const Facts& facts, const EndpointFacts& endpoint) {
  State& s = *state_;
  const expr edge = s.a.edge_permitted();
  const expr cloud = s.a.cloud_permitted();
  const expr plan = s.a.plan();
  z3::solver solver(s.c);
  s.pin(solver, facts);
  solver.add(s.in.named("endpoint") == s.in.name(std::string(endpoint.name)));
  solver.add(s.in.named("region") == s.in.name(std::string(endpoint.region)));
  s.in.add_bounds(solver);
  if (solver.check() != z3::sat) return {};
  const z3::model found = solver.get_model();
  const auto holds = [&](const expr& formula) { return found.eval(formula, true).is_true(); };
  Decision decision;
  for (std::size_t i = 0; i < s.a.classes().size(); ++i) {
    if (!holds(s.a.class_is(i))) continue;
    if (!decision.data_class.empty()) return {};
    decision.data_class = s.a.classes()[i];
  }
  decision.edge = holds(edge);
  decision.cloud = holds(cloud);
  for (const auto& [parts, id] : s.plans) {
    if (holds(plan == s.c.int_val(id))) decision.plan = json::parse(parts)[0];
  }
  return decision;
}

}  // namespace hearth::policies
