#include "tools/simulate/marks.h"

#include <algorithm>

#include "tools/hearth/svg.h"

namespace hearth::simulate {
namespace {

/// Marks of one scenario, cut at its end.
class Marks {
 public:
  explicit Marks(Duration end) : end_(end) {}

  void add(Duration from, Duration to, const std::string& words) {
    if (from < end_ && from < to) all_.push_back({from, std::min(to, end_) - from, words});
  }
  void add_fault(const sim::FaultSpec& fault, const std::string& endpoint) {
    const std::string words = std::string(sim::facts_of(fault.kind).name) + " at " + endpoint;
    Duration from = fault.at;
    for (std::size_t i = 0; i < kMarksMax && from < end_; ++i, from += fault.every) {
      add(from, fault.length >= end_ - from ? end_ : from + fault.length, words);
      if (fault.every <= Duration::zero()) return;
    }
  }
  std::vector<Mark> all() { return std::move(all_); }

 private:
  Duration end_;
  std::vector<Mark> all_;
};

}  // namespace

std::vector<Mark> marks_of(const Scenario& scenario) {
  const sim::FleetModel& fleet = scenario.fleet;
  Marks marks(fleet.length);
  for (std::size_t i = 0; i < fleet.clouds.size(); ++i) {
    const std::string& endpoint = fleet.runtime.endpoints[i].name;
    for (const auto& fault : fleet.clouds[i].faults.faults) marks.add_fault(fault, endpoint);
    const auto& prices = fleet.clouds[i].prices;
    for (std::size_t k = 0; k < prices.size() && k < kMarksMax; ++k) {
      const Duration until = k + 1 < prices.size() ? prices[k + 1].at : fleet.length;
      if (prices[k].factor != 1)
        marks.add(prices[k].at, until, "price \u00d7 " + tool::short_number(prices[k].factor) + " at " + endpoint);
    }
  }
  const auto& network = fleet.device.network;
  for (std::size_t k = 0; k < network.size() && k < kMarksMax; ++k) {
    const Duration until = k + 1 < network.size() ? network[k + 1].at : fleet.length;
    if (network[k].value == NetworkKind::kOffline) marks.add(network[k].at, until, "offline");
  }
  const auto& outages = fleet.link.outages;
  for (std::size_t k = 0; k < outages.size() && k < kMarksMax; ++k)
    marks.add(outages[k].at, outages[k].at + outages[k].length, "the link is silent");
  return marks.all();
}

}  // namespace hearth::simulate
