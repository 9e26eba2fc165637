/// \file Summary: what a run came to, gathered while it runs in memory that does not grow with its requests.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "tools/simulate/record.h"
#include "tools/simulate/tally.h"

namespace hearth::simulate {

/// Where the time of a request goes. The edge's parts count where a local pass ran, the others where the cloud
/// answered.
enum class Component : std::uint8_t { kEdgeWait, kEdgeTime, kNetwork, kServerWait, kServerWork };
inline constexpr std::size_t kComponents = 5;
const char* name_of(Component component);  ///< "edge_wait", ...

/// Requests that came before the warm-up was over are counted apart and nowhere else.
///
/// Each record lands in one tally of its stream, class, site and reason, and in one of kBatches equal stretches of the
/// run, by arrival; all else is merged from those when asked for. Memory: a tally (2 to 10 KB) for each combination
/// that occurs. Threads: none of its own; a value for one run.
class Summary : public RecordSink {
 public:
  static constexpr std::size_t kBatches = 20;

  /// `names` must hold every name that the records point to.
  Summary(Names names, Duration warm_up, Duration length);
  void take(const Record& record) override;
  /// Adds another run of the same scenario: same names, warm-up and length, another seed.
  void merge(const Summary& other);

  enum class By { kStream, kClass, kSite, kReason };
  Tally all() const;
  /// Of those that occur, in the order of the names; `none` among the sites is what was not served.
  std::vector<std::pair<std::string, Tally>> by(By what) const;
  /// By time of arrival. Of merged runs each holds that stretch of every run.
  std::span<const Tally> batches() const { return batches_; }
  const LatencyHistogram& component(Component which) const { return components_[static_cast<std::size_t>(which)]; }
  std::uint64_t before_warm_up() const { return before_warm_up_; }
  const Names& names() const { return names_; }
  Duration warm_up() const { return warm_up_; }
  Duration length() const { return length_; }

 private:
  Tally& cell_of(const Record& record);
  Tally& batch_of(TimePoint arrived);

  Names names_;
  Duration warm_up_, length_, batch_length_;
  std::size_t classes_, sites_;
  std::vector<std::unique_ptr<Tally>> cells_;  ///< By stream, class, site, reason; null where nothing came.
  std::vector<Tally> batches_;
  std::size_t batch_ = 0;    ///< Of the record before,
  TimePoint batch_begin_{};  ///< and where it begins.
  std::array<LatencyHistogram, kComponents> components_;
  std::uint64_t before_warm_up_ = 0;
};

/// One metric over all runs, with its interval.
struct Estimate {
  double value = 0;                  ///< Over all requests of all runs; not a number where nothing counts.
  std::optional<Interval> interval;  ///< About `value`'s place; nothing where there are fewer than two samples.
};

/// Runs of one scenario under different seeds, pooled.
class Results {
 public:
  /// Every run must be of the same scenario.
  void add(const RunFacts& facts, const Summary& summary);

  bool empty() const { return facts_.empty(); }
  std::span<const RunFacts> facts() const { return facts_; }
  const Summary& summary() const { return *summary_; }  ///< Pooled. Not when empty.
  /// One value a run, in the order in which they were added.
  std::vector<double> per_run(const Metric& metric) const;
  /// Over several runs: Student's t over the runs' own figures. Over one: over its batch means (Law, Simulation
  /// Modeling and Analysis, 9.5.3), which is honest only while a batch is long against what requests do to each other.
  Estimate estimate(const Metric& metric) const;

 private:
  std::vector<RunFacts> facts_;
  std::vector<Tally> totals_;
  std::unique_ptr<Summary> summary_;
};

/// Deterministic: the same runs give the same bytes. Durations in milliseconds, shares as fractions, six digits.
nlohmann::ordered_json summary_json(const Results& results);

/// wall_s, requests_per_second and events_per_second: of the machine that ran it, and so apart from the rest.
nlohmann::ordered_json speed_json(const Results& results);

/// Six digits: what a figure is worth, and the same text from every library. `null` for what is no number.
nlohmann::ordered_json figure(double value);

/// Figures of a group as JSON; `null` where there is nothing to count.
nlohmann::ordered_json tally_json(const Tally& tally);

/// For people: the figures, by stream and class, and where the time went.
std::string summary_table(const Results& results);

}  // namespace hearth::simulate
