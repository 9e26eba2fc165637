#include "tools/simulate/summary.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <iterator>

namespace hearth::simulate {
namespace {

constexpr std::size_t kReasons = static_cast<std::size_t>(Reason::kShutDown) + 1;

}  // namespace

const char* name_of(Component component) {
  switch (component) {
    case Component::kEdgeWait:
      return "edge_wait";
    case Component::kEdgeTime:
      return "edge_time";
    case Component::kNetwork:
      return "network";
    case Component::kServerWait:
      return "server_wait";
    case Component::kServerWork:
      return "server_work";
  }
  return "edge_wait";
}

Summary::Summary(Names names, Duration warm_up, Duration length)
    : names_(std::move(names)),
      warm_up_(warm_up),
      length_(length),
      batch_length_(std::max(Duration(1), (length - warm_up) / static_cast<Duration::rep>(kBatches))),
      classes_(names_.classes.size()),
      sites_(names_.endpoints.size() + 2),
      cells_(names_.streams.size() * classes_ * sites_ * kReasons),
      batches_(kBatches),
      batch_begin_(warm_up) {}

void Summary::take(const Record& record) {
  if (record.arrived.time_since_epoch() < warm_up_) {
    ++before_warm_up_;
    return;
  }
  const Judged judged(record);
  cell_of(record).add(record, judged);
  batch_of(record.arrived).add(record, judged);
  const auto observe = [this](Component which, Duration value) {
    components_[static_cast<std::size_t>(which)].observe(value);
  };
  if (record.edge_time > Duration::zero()) {
    observe(Component::kEdgeWait, record.edge_wait);
    observe(Component::kEdgeTime, record.edge_time);
  }
  if (judged.answered == Answered::kCloud) {
    observe(Component::kNetwork, record.cloud_time - record.server_time);
    observe(Component::kServerWait, record.server_wait);
    observe(Component::kServerWork, record.server_time - record.server_wait);
  }
}

Tally& Summary::cell_of(const Record& record) {
  // Site 0 of the table is "none", 1 the edge, then the endpoints.
  const std::size_t site = record.status == OutcomeStatus::kServed ? record.answered_by + 1u : 0u;
  assert(record.stream < names_.streams.size() && record.data_class < classes_ && site < sites_);
  const std::size_t index = ((record.stream * classes_ + record.data_class) * sites_ + site) * kReasons +
                            static_cast<std::size_t>(record.reason);
  if (!cells_[index]) cells_[index] = std::make_unique<Tally>();
  return *cells_[index];
}

/// Records come nearly in order of arrival, so most stay in the batch of the one before.
Tally& Summary::batch_of(TimePoint arrived) {
  if (arrived < batch_begin_ || arrived - batch_begin_ >= batch_length_) {
    const auto passed = static_cast<std::size_t>((arrived.time_since_epoch() - warm_up_) / batch_length_);
    batch_ = std::min(passed, kBatches - 1);
    batch_begin_ = TimePoint(warm_up_ + batch_length_ * static_cast<Duration::rep>(batch_));
  }
  return batches_[batch_];
}

void Summary::merge(const Summary& other) {
  assert(cells_.size() == other.cells_.size());
  for (std::size_t i = 0; i < cells_.size(); ++i) {
    if (!other.cells_[i]) continue;
    if (!cells_[i]) cells_[i] = std::make_unique<Tally>();
    cells_[i]->merge(*other.cells_[i]);
  }
  for (std::size_t i = 0; i < kBatches; ++i) batches_[i].merge(other.batches_[i]);
  for (std::size_t i = 0; i < kComponents; ++i) components_[i].merge(other.components_[i]);
  before_warm_up_ += other.before_warm_up_;
}

Tally Summary::all() const {
  Tally sum;
  for (const auto& cell : cells_)
    if (cell) sum.merge(*cell);
  return sum;
}

std::vector<std::pair<std::string, Tally>> Summary::by(By what) const {
  std::vector<std::string> words;
  switch (what) {
    case By::kStream:
      words = names_.streams;
      break;
    case By::kClass:
      words = names_.classes;
      break;
    case By::kSite:
      words = {"none", "edge"};
      words.insert(words.end(), names_.endpoints.begin(), names_.endpoints.end());
      break;
    case By::kReason:
      for (std::size_t i = 0; i < kReasons; ++i) words.emplace_back(hearth::name_of(static_cast<Reason>(i)));
      break;
  }
  std::vector<Tally> sums(words.size());
  for (std::size_t i = 0; i < cells_.size(); ++i) {
    if (!cells_[i]) continue;
    const std::size_t reason = i % kReasons, site = i / kReasons % sites_, rest = i / kReasons / sites_;
    const std::size_t place = what == By::kReason  ? reason
                              : what == By::kSite  ? site
                              : what == By::kClass ? rest % classes_
                                                   : rest / classes_;
    sums[place].merge(*cells_[i]);
  }
  std::vector<std::pair<std::string, Tally>> found;
  for (std::size_t i = 0; i < words.size(); ++i)
    if (sums[i].requests > 0) found.emplace_back(std::move(words[i]), std::move(sums[i]));
  return found;
}

void Results::add(const RunFacts& facts, const Summary& summary) {
  facts_.push_back(facts);
  totals_.push_back(summary.all());
  if (!summary_) summary_ = std::make_unique<Summary>(summary.names(), summary.warm_up(), summary.length());
  summary_->merge(summary);
}

std::vector<double> Results::per_run(const Metric& metric) const {
  std::vector<double> values;
  std::transform(totals_.begin(), totals_.end(), std::back_inserter(values), metric.of);
  return values;
}

Estimate Results::estimate(const Metric& metric) const {
  Tally sum;
  for (const Tally& total : totals_) sum.merge(total);
  std::vector<double> samples;
  if (totals_.size() > 1) {
    samples = per_run(metric);
  } else {
    for (const Tally& batch : summary_->batches()) samples.push_back(metric.of(batch));
  }
  std::erase_if(samples, [](double value) { return std::isnan(value); });
  return {metric.of(sum), interval_of(samples)};
}

}  // namespace hearth::simulate
