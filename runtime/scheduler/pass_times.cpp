#include "runtime/scheduler/pass_times.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace hearth::scheduler {
namespace {

Duration whole(double ns) { return Duration(std::llround(ns)); }

}  // namespace

void PassTimes::observe(std::size_t size, Duration took, TimePoint now) {
  forecast_.observe(took, now);
  largest_ = std::max(largest_, size);
  Size& one = sizes_[size - 1];
  const auto ns = static_cast<double>(took.count());
  if (one.seen) {
    one.deviation += (std::abs(ns - one.mean) - one.deviation) / 4;
    one.mean += (ns - one.mean) / 8;
  } else {
    one.mean = ns;
    one.deviation = ns / 2;
  }
  one.seen = true;
  one.last = now;
  estimate(now);
}

void PassTimes::start_from(const signals::QuantileSketch& profile) {
  if (profile.weight() <= 0) return;
  forecast_.start_from(profile);
  largest_ = std::max<std::size_t>(largest_, 1);
  Size& one = sizes_.front();
  one.mean = static_cast<double>(profile.quantile(0.5).count());
  one.deviation = std::max(0.0, static_cast<double>(profile.quantile(0.9).count()) - one.mean) / 2;
  one.seen = true;
  estimate(TimePoint{});
}

void PassTimes::estimate(TimePoint now) {
  constexpr double kUnknown = std::numeric_limits<double>::infinity();
  const auto lately = [&](const Size& one) { return one.seen && now - one.last <= kLately; };
  for (std::size_t i = 0; i < sizes_.size(); ++i) {
    Size& one = sizes_[i];
    one.usual = one.seen ? one.mean : kUnknown;
    one.at_most = one.seen ? one.mean + 4 * one.deviation : kUnknown;
    if (lately(one) || i == 0) continue;
    const double larger = static_cast<double>(i + 1) / static_cast<double>(i);
    one.usual = std::min(one.usual, sizes_[i - 1].usual * larger);
    one.at_most = std::min(one.at_most, sizes_[i - 1].at_most * larger);
  }
  for (std::size_t i = sizes_.size() - 1; i-- > 0;) {
    Size& one = sizes_[i];
    if (lately(one)) continue;
    one.usual = std::min(one.usual, sizes_[i + 1].usual);
    one.at_most = std::min(one.at_most, sizes_[i + 1].at_most);
  }
}

Duration PassTimes::usual(std::size_t size) const { return whole(sizes_[size - 1].usual); }
Duration PassTimes::at_most(std::size_t size) const { return whole(sizes_[size - 1].at_most); }

}  // namespace hearth::scheduler
