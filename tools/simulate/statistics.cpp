#include "tools/simulate/statistics.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

namespace hearth::simulate {

double student_t95(std::size_t freedom) {
  constexpr std::array<double, 30> kTable = {12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228,
                                             2.201,  2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086,
                                             2.080,  2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042};
  if (freedom <= kTable.size()) return kTable[std::max<std::size_t>(freedom, 1) - 1];
  return freedom < 40 ? 2.042 : freedom < 60 ? 2.021 : freedom < 100 ? 2.000 : freedom < 1000 ? 1.984 : 1.962;
}

std::optional<Interval> interval_of(std::span<const double> samples) {
  const std::size_t n = samples.size();
  if (n < 2) return {};
  double sum = 0, squares = 0;
  for (const double one : samples) sum += one;
  const double mean = sum / static_cast<double>(n);
  for (const double one : samples) squares += (one - mean) * (one - mean);
  const double deviation = std::sqrt(squares / static_cast<double>(n - 1));
  return Interval{mean, student_t95(n - 1) * deviation / std::sqrt(static_cast<double>(n))};
}

const char* name_of(Verdict verdict) {
  switch (verdict) {
    case Verdict::kABetter:
      return "A better";
    case Verdict::kBBetter:
      return "B better";
    case Verdict::kALarger:
      return "A larger";
    case Verdict::kBLarger:
      return "B larger";
    case Verdict::kEquivalent:
      return "equivalent";
    case Verdict::kInconclusive:
      return "inconclusive";
  }
  return "inconclusive";
}

Difference compare_paired(std::span<const double> a, std::span<const double> b, Better better, bool is_share,
                          double within) {
  Difference found;
  const std::size_t n = std::min(a.size(), b.size());
  std::vector<double> differences;
  for (std::size_t i = 0; i < n; ++i) {
    found.a += a[i] / static_cast<double>(n);
    found.b += b[i] / static_cast<double>(n);
    differences.push_back(b[i] - a[i]);
  }
  const double size = is_share ? std::min(found.a, 1 - found.a) : found.a;
  found.margin = within * std::max(0.0, std::abs(size));
  found.b_minus_a = interval_of(differences);
  if (!found.b_minus_a) return found;
  const double low = found.b_minus_a->low(), high = found.b_minus_a->high();
  if (low >= -found.margin && high <= found.margin) {
    found.verdict = Verdict::kEquivalent;
  } else if (low > 0 || high < 0) {
    const bool b_larger = low > 0;
    if (better == Better::kNeither) {
      found.verdict = b_larger ? Verdict::kBLarger : Verdict::kALarger;
    } else {
      found.verdict = b_larger == (better == Better::kHigher) ? Verdict::kBBetter : Verdict::kABetter;
    }
  }
  return found;
}

}  // namespace hearth::simulate
