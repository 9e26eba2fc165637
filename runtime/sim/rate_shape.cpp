#include "runtime/sim/rate_shape.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace hearth::sim {
namespace {

constexpr Duration::rep kPoints = 96;

/// cos(2 pi i / kPoints) by the recurrence of Chebyshev.
constexpr std::array<double, kPoints + 1> kCosines = [] {
  constexpr double h = 2 * 3.14159265358979323846 / kPoints;
  std::array<double, kPoints + 1> cosines{1, 1 - h * h / 2 + h * h * h * h / 24 - h * h * h * h * h * h / 720};
  for (std::size_t i = 2; i <= kPoints; ++i) cosines[i] = 2 * cosines[1] * cosines[i - 1] - cosines[i - 2];
  return cosines;
}();

/// A stretch in which the rate goes along one line.
struct Stretch {
  TimePoint end;
  double first = 1;  ///< The rate's factor at its begin
  double last = 1;   ///< and at its end.
};

double spikes_at(const RateShape& shape, TimePoint moment) {
  double factor = 1;
  const Duration at = moment.time_since_epoch();
  for (const auto& spike : shape.spikes)
    if (at >= spike.at && at - spike.at < spike.length) factor *= spike.factor;
  return factor;
}

TimePoint next_edge(const RateShape& shape, TimePoint from, TimePoint until) {
  for (const auto& spike : shape.spikes)
    for (const TimePoint edge : {TimePoint(spike.at), TimePoint(spike.at + spike.length)})
      if (edge > from) until = std::min(until, edge);
  return until;
}

Duration since_peak(const RateShape& shape, TimePoint moment) {
  const Duration since = (moment.time_since_epoch() - shape.peak) % shape.day;
  return since < Duration{} ? since + shape.day : since;
}

/// The day's curve at `since` its peak, which lies between point `i` and the next.
double curve(const RateShape& shape, Duration since, Duration::rep i) {
  const double place = static_cast<double>(since.count()) * kPoints / static_cast<double>(shape.day.count());
  const auto low = kCosines[static_cast<std::size_t>(i)], high = kCosines[static_cast<std::size_t>(i) + 1];
  return 1 + shape.diurnal_amplitude * (low + (high - low) * (place - static_cast<double>(i)));
}

Stretch stretch_from(const RateShape& shape, TimePoint from, TimePoint until) {
  Stretch stretch{until};
  if (shape.diurnal_amplitude > 0) {
    const Duration since = since_peak(shape, from);
    const auto i = since.count() * kPoints / shape.day.count();
    const Duration point((shape.day.count() * (i + 1) + kPoints - 1) / kPoints);
    stretch.end = std::min(until, from + (point - since));
    stretch.first = curve(shape, since, i);
    stretch.last = curve(shape, since + (stretch.end - from), i);
  }
  const double factor = spikes_at(shape, from);
  stretch.first *= factor;
  stretch.last *= factor;
  return stretch;
}

}  // namespace

double RateShape::at(TimePoint moment) const { return stretch_from(*this, moment, TimePoint::max()).first; }

Passed pass_time(const RateShape& shape, TimePoint from, double work_ns, TimePoint until) {
  while (from < until) {
    if (work_ns <= 0) return {from};
    const TimePoint edge = next_edge(shape, from, until);
    if (shape.diurnal_amplitude > 0) {  // a whole day lets as much pass as one without a curve
      const double day_ns = static_cast<double>(shape.day.count()) * spikes_at(shape, from);
      const double days = std::min(day_ns > 0 ? work_ns / day_ns : 1e18,
                                   static_cast<double>((edge - from).count()) / static_cast<double>(shape.day.count()));
      if (days >= 2) {
        const auto whole = static_cast<Duration::rep>(days) - 1;
        from += shape.day * whole;
        work_ns -= day_ns * static_cast<double>(whole);
      }
    }
    const Stretch stretch = stretch_from(shape, from, edge);
    const auto length = static_cast<double>((stretch.end - from).count());
    const double area = (stretch.first + stretch.last) / 2 * length;
    if (work_ns < area) {
      // first x + (last - first) x^2 / (2 length) = work, solved without cancellation.
      const double bend = 2 * (stretch.last - stretch.first) / length;
      const double root = std::sqrt(std::max(0.0, stretch.first * stretch.first + bend * work_ns));
      const double x = 2 * work_ns / (stretch.first + root);
      return {std::min(stretch.end, from + Duration(static_cast<Duration::rep>(x + 0.5)))};
    }
    work_ns -= area;
    from = stretch.end;
  }
  return {until, work_ns};
}

}  // namespace hearth::sim
