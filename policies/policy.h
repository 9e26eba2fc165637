/// \file Policy: a compiled, immutable privacy policy. It raises a class, permits sites, and states preferences.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <hearth/confidence.h>
#include <hearth/device.h>
#include <hearth/mask.h>
#include <hearth/outcome.h>
#include <hearth/result.h>
#include <hearth/time.h>

namespace hearth::policies {

/// Index into Policy::classes(): 0 is the least restrictive, the last the most restrictive.
using DataClass = std::uint8_t;
/// Index into Policy::rule_id(); kNoRule where no rule decided.
using RuleIndex = std::uint16_t;
inline constexpr RuleIndex kNoRule = 0xffff;

/// What the detectors in privacy/ count. Names in policies: "detected.EMAIL" and so on.
enum class Detected : std::uint8_t {
  kEmail,
  kPhone,
  kCreditCard,
  kIban,
  kSsn,
  kIp,
  kMrn,
  kNpi,
  kDateOfBirth,
  kAddress,
  kPerson,
  kLocation,
  kSecret,
  kCount
};
inline constexpr std::size_t kDetectedCount = static_cast<std::size_t>(Detected::kCount);
std::string_view name_of(Detected type);

/// A type of a policy's own, found by a pattern (RE2 syntax) or by words. At most kOwnDetectorsMax in a policy; the
/// i-th is counted in slot kDetectedCount + i.
struct OwnDetector {
  std::string type;                ///< Upper-case letters, digits and '_', none of the names above.
  std::string pattern;             ///< Empty: words only.
  std::vector<std::string> words;  ///< Whole words or phrases, without case. Empty: pattern only.
};
inline constexpr std::size_t kOwnDetectorsMax = 16;
inline constexpr std::size_t kDetectorSlots = kDetectedCount + kOwnDetectorsMax;

/// The inputs of one decision, by reference. What is absent is unknown, and unknown reads as the most restrictive
/// answer. Threads: a plain value; the strings it points to must outlive the decision.
struct Facts {
  std::string_view label;
  std::string_view model;
  std::string_view text;
  /// `text` with look-alikes read as ASCII and without invisible characters; empty: as `text`. text.contains sees both.
  std::string_view folded_text;
  bool text_understood = true;  ///< False when a detector failed, gave up, or met bytes that are not UTF-8.
  bool has_tensors = true;      ///< Inputs that cannot be redacted.
  std::array<std::uint16_t, kDetectorSlots> detected{};  ///< By slot: Detected, then the policy's own.
  std::optional<double> payload_kib;
  DeviceState device;
  Consent consent = Consent::kAbsent;
  std::optional<bool> session_tainted;    ///< Unknown counts as tainted.
  std::optional<double> cloud_mib_today;  ///< Unknown counts as spent.
  std::optional<double> cloud_usd_today;  ///< The same.
  std::optional<unsigned> utc_hour;
};

/// What the permit stage knows of a cloud endpoint: `sites[i]` is site i + 1.
struct EndpointFacts {
  std::string_view name;
  std::string_view region;
};

struct Classified {
  DataClass data_class = 0;
  RuleIndex rule = kNoRule;  ///< The first rule, in file order, that raised the class to what it is.
};

struct Permission {
  Mask mask;
  RuleIndex rule = kNoRule;  ///< What took the first cloud site out; a class counts as a rule named "class:<name>".
};

struct Preference {
  PlanKind plan = PlanKind::kEdge;
  ConfidenceRule confidence;   ///< How the local confidence is computed.
  float confidence_below = 0;  ///< Cascade: ask the cloud when the local confidence is under this.
  std::optional<Duration> deadline;
  unsigned attempts_max = 0;           ///< Cloud attempts; 0: the configuration's.
  std::optional<Objective> objective;  ///< What weighs whether the cloud is worth asking, and where.
  RuleIndex rule = kNoRule;

  bool operator==(const Preference&) const = default;
};

/// What a class may do. kRedacted: only what was redacted may leave, and what cannot be redacted stays: tensors, and
/// text that was not understood.
enum class Egress : std::uint8_t { kNever, kRedacted, kAllow };
struct ClassRule {
  std::string name;
  Egress egress = Egress::kNever;
  std::vector<std::string> regions;  ///< Empty: any region. Else the endpoint's must be one of these, letter by letter.
  std::vector<std::string> endpoints;  ///< Empty: any endpoint. Else its name must be one of these.
  std::optional<std::chrono::seconds> taints_session_for;
  bool synced_record = true;  ///< The record of an egress is on the disk before the bytes leave, not only written.
};

struct Compiled;
class Conditions;

/// Threads: immutable after load; share freely. Evaluation neither allocates nor does I/O nor knows the time.
class Policy {
 public:
  /// Compiles the text of a policy file. `origin` names it in messages; `folder` is where the calibrations lie that it
  /// names, and empty where it may name none. All problems come in one error, a line each.
  static Result<std::shared_ptr<const Policy>> load(std::string_view json, const std::string& origin,
                                                    const std::string& folder = {});
  static Result<std::shared_ptr<const Policy>> load_file(const std::string& file);
  ~Policy();

  /// Label, default class (without one in the file: the most restrictive) and classify rules. Can only raise. Text that
  /// was not understood, or a label that is not in the policy, is the most restrictive class (rules
  /// "text-not-understood" and "unknown-label"). A rule on an unknown fact counts as matching.
  Classified classify(const Facts& facts) const;
  /// Stage 1: the sites that `data_class` may use. In this order, each only taking sites out: the class, session taint
  /// (a tainted or unknown session keeps every cloud out), budgets, forbid rules. Unknown denies. The mask does not
  /// depend on the order of the rules; raising the class, adding a rule or forgetting a fact never widens it.
  Permission permit(const Facts& facts, DataClass data_class, std::span<const EndpointFacts> endpoints) const;
  /// The same, told step by step: every standing rule that applies and every forbid rule, in order, with what it took
  /// out of what was left. For people: it allocates.
  struct Step {
    RuleIndex rule = kNoRule;
    Mask takes_out;
    const Conditions* when = nullptr;  ///< Of a forbid rule.
  };
  std::vector<Step> permit_steps(const Facts& facts, DataClass data_class,
                                 std::span<const EndpointFacts> endpoints) const;
  /// Stage 2: the first prefer rule that matches. A rule on an unknown fact does not match. Never sees the mask.
  Preference prefer(const Facts& facts, DataClass data_class) const;

  std::span<const ClassRule> classes() const;
  std::span<const OwnDetector> own_detectors() const;
  std::string_view rule_id(RuleIndex rule) const;  ///< Empty for kNoRule.
  const std::string& name() const;
  const std::string& sha256() const;  ///< Of the file's bytes and the hashes of what it names, lower-case hex.
  bool needs_text() const;            ///< Some rule reads the text or a detector.

  /// Whether the names in the policy exist in a configuration: endpoints of classes, `cloud:` and `region:` of forbid
  /// rules, models in classify and forbid rules. One kInvalidArgument with a line each. Not refused: a class's region
  /// that no endpoint has (the class stays home); a region while no endpoint's region is known (the rule takes all
  /// out); models of prefer rules; names of a kind of which the configuration has none at all.
  Status check_names(std::span<const EndpointFacts> endpoints, std::span<const std::string> models) const;

  /// Runs the `tests` of the file. One line per expectation that does not hold: `file:line:column: test "name": ...`.
  std::vector<std::string> run_tests() const;
  std::size_t test_count() const;
  /// The same, and the ids of the file's rules that decided in no test: as rule, classify_rule or prefer_rule, or by
  /// matching at all (a forbid rule that takes out what another took already is reached).
  struct TestReport {
    std::vector<std::string> failures;
    std::vector<std::string> not_reached;
  };
  TestReport test_report() const;
  const Compiled& compiled() const { return *compiled_; }  ///< For the tools of this folder.

 private:
  explicit Policy(std::unique_ptr<const Compiled> compiled);
  template <class Visit>
  Mask each_permit_step(const Facts& facts, DataClass data_class, std::span<const EndpointFacts> endpoints,
                        const Visit& visit) const;
  std::unique_ptr<const Compiled> compiled_;
};

}  // namespace hearth::policies
