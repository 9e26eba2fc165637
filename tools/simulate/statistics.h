/// \file Statistics: intervals over few samples, and what a paired difference says.
#pragma once

#include <cstddef>
#include <optional>
#include <span>

namespace hearth::simulate {

/// The 95 % quantile of Student's t for a two-sided interval. `freedom` >= 1. Table: NIST/SEMATECH
/// e-Handbook 1.3.6.7.2; between its rows the next smaller one, which makes an interval wider, never narrower.
double student_t95(std::size_t freedom);

/// A mean with its two-sided 95 % interval.
struct Interval {
  double mean = 0;
  double half_width = 0;

  double low() const { return mean - half_width; }
  double high() const { return mean + half_width; }
};

/// By Student's t over independent samples. Nothing for fewer than two.
std::optional<Interval> interval_of(std::span<const double> samples);

enum class Better { kLower, kHigher, kNeither };

/// What B against A came to for one figure.
enum class Verdict {
  kABetter,
  kBBetter,
  kALarger,  ///< For figures of which neither more nor less is better.
  kBLarger,
  kEquivalent,    ///< The whole interval of the difference lies within the margin.
  kInconclusive,  ///< It reaches over zero and over the margin, or there is only one seed.
};
const char* name_of(Verdict verdict);  ///< "A better", ...

struct Difference {
  double a = 0, b = 0;                ///< Means over the seeds.
  std::optional<Interval> b_minus_a;  ///< Of the paired differences.
  double margin = 0;
  Verdict verdict = Verdict::kInconclusive;
};

/// `a[i]` and `b[i]` are of the same seed: the noise that both share drops out of their difference. The margin is
/// `within` times the mean of A; of a share, times the smaller of the share and what it lacks to 1, so that 99 % and
/// 96 % of deadlines met are not the same.
Difference compare_paired(std::span<const double> a, std::span<const double> b, Better better, bool is_share,
                          double within = 0.05);

}  // namespace hearth::simulate
