/// \file Compiled: a policy file in the form in which it is evaluated.
#pragma once

#include <array>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "policies/conditions.h"
#include "policies/policy.h"

namespace hearth::policies {

struct ClassifyRule {
  Conditions when;
  DataClass data_class = 0;
  RuleIndex id = kNoRule;
};

/// The sites that a forbid rule takes out.
struct Sites {
  bool edge = false;
  bool cloud = false;                  ///< Every endpoint.
  std::vector<std::string> endpoints;  ///< By name.
  std::vector<std::string> regions;    ///< An endpoint of unknown region counts as being in each.
};

struct ForbidRule {
  Conditions when;
  Sites sites;
  RuleIndex id = kNoRule;
};

/// Plans that a rule may prefer, by PlanKind.
inline constexpr std::array<std::string_view, 5> kPlanNames = {"edge", "cloud", "cascade", "safety_net", "hedge"};
inline constexpr std::uint64_t kAttemptsMax = 5;

struct PreferRule {
  Conditions when;
  Preference preference;
};

/// Facts that own their strings, as a test in a policy file states them.
struct TestCase {
  std::string place;  ///< `file:line:column`.
  std::string name;
  std::string label;
  std::string model;
  std::string text;
  Facts facts;  ///< Its string views are set when the test runs.
  std::optional<DataClass> data_class;
  std::vector<std::pair<std::string, std::string>> endpoints;  ///< Name, region.
  std::map<std::string, std::string> expected;                 ///< What -> value, as text.
};

/// What the file says of itself, for `hearth policy prove`.
struct Property {
  std::string place;  ///< `file:line:column`.
  std::string name;
  bool never = true;  ///< Else always.
  std::string query;
};

/// A name in the file that only a configuration can give a meaning.
struct NameUse {
  enum class Kind : std::uint8_t { kEndpoint, kRegion, kModel };
  Kind kind = Kind::kEndpoint;
  std::string name;
  std::string place;  ///< `file:line:column: /pointer`.
};

struct Compiled {
  std::string name;
  std::string origin;
  std::string sha256;
  std::vector<ClassRule> classes;
  std::vector<OwnDetector> own_detectors;
  DataClass default_class = 0;
  /// Those of min_class come first, named "min_class:<model>".
  std::vector<ClassifyRule> classify;
  std::vector<ForbidRule> forbid;
  std::optional<double> cloud_mib_per_day;
  std::optional<double> cloud_usd_per_day;
  std::vector<PreferRule> prefer;
  std::vector<TestCase> tests;
  std::vector<Property> properties;
  std::vector<NameUse> names;
  std::string calibrations;  ///< SHA-256 of each that is named, one after the other.
  /// Rules that are always there come first, then "class:<name>" of each class, then the file's own.
  std::vector<std::string> rule_ids;
  std::vector<std::string> rule_places;  ///< By the same index: `file:line:column` of the file's own rules, else empty.
  bool needs_text = false;

  DataClass most_restrictive() const { return static_cast<DataClass>(classes.size() - 1); }
  std::optional<DataClass> find_class(std::string_view wanted) const;
};

/// Indexes of the rules that are always there, and their names.
inline constexpr RuleIndex kUnknownLabel = 0;
inline constexpr RuleIndex kTextNotUnderstood = 1;
inline constexpr RuleIndex kSessionTaint = 2;
inline constexpr RuleIndex kCloudBudget = 3;
inline constexpr RuleIndex kMoneyBudget = 4;
inline constexpr std::array<std::string_view, 5> kStandingRules = {
    "unknown-label", "text-not-understood", "session-taint", "budget:cloud_mib_per_day", "budget:cloud_usd_per_day"};
inline RuleIndex rule_of_class(DataClass data_class) {
  return static_cast<RuleIndex>(kStandingRules.size() + data_class);
}

/// Only text can be redacted, and only text that was understood.
inline bool can_redact(const Facts& facts) { return !facts.has_tensors && facts.text_understood; }
/// Of a daily budget; none is never spent, and an unknown sum is.
inline bool spent(std::optional<double> limit, std::optional<double> today) {
  return limit && (!today || !(*today < *limit));
}
/// What a class leaves of `mask`, and what a forbid rule that holds does.
Mask kept_by(const ClassRule& rule, bool can_redact, Mask mask, std::span<const EndpointFacts> endpoints);
Mask kept_by(const Sites& sites, Mask mask, std::span<const EndpointFacts> endpoints);

/// A mask on its way through the permit stage.
class Narrowing {
 public:
  explicit Narrowing(Mask mask) : mask_(mask) {}
  void keep(Mask kept, RuleIndex by) {
    const Mask after = mask_ & kept;
    if (after == mask_) return;
    const bool takes_cloud = after.without(kEdgeSite) != mask_.without(kEdgeSite);
    if (first_ == kNoRule) first_ = by;
    if (takes_cloud && first_of_cloud_ == kNoRule) first_of_cloud_ = by;
    mask_ = after;
  }
  Mask mask() const { return mask_; }
  Permission permission() const { return {mask_, first_of_cloud_ != kNoRule ? first_of_cloud_ : first_}; }

 private:
  Mask mask_;
  RuleIndex first_ = kNoRule;
  RuleIndex first_of_cloud_ = kNoRule;
};

/// Of a detector's slot, as `detected.<type>` names it.
std::string type_of(const Compiled& policy, std::size_t slot);

/// Of a `test` or a request on its own: facts with their views set; valid as long as the case.
Facts facts_of(const TestCase& test);

/// The tests of a file, as text for comparing and for people.
std::string mask_text(Mask mask, const TestCase& test);

}  // namespace hearth::policies
