#include "runtime/base/portable_math.h"

#include <bit>
#include <cassert>
#include <cstdint>

namespace hearth {
namespace {

constexpr double kLn2 = 0.693147180559945309417232121458;
constexpr double kReciprocal[] = {0,       1.0,     1.0 / 2,  1.0 / 3,  1.0 / 4,  1.0 / 5,  1.0 / 6, 1.0 / 7,
                                  1.0 / 8, 1.0 / 9, 1.0 / 10, 1.0 / 11, 1.0 / 12, 1.0 / 13, 1.0 / 14};

// 2^n for |n| <= 1022, by writing the exponent field.
double power_of_two(int n) { return std::bit_cast<double>(static_cast<std::uint64_t>(n + 1023) << 52); }

// Square root by Newton's method: std::sqrt is exact too, but this keeps the promise visible. Where a step changes
// nothing, no other would.
double square_root(double x) {
  double y = x > 1 ? x : 1;
  for (int i = 0; i < 60; ++i) {
    const double next = 0.5 * (y + x / y);
    if (next == y) break;
    y = next;
  }
  return y;
}

}  // namespace

double portable_log(double x) {
  assert(x > 0);
  auto bits = std::bit_cast<std::uint64_t>(x);
  int exponent = static_cast<int>(bits >> 52) - 1023;
  if (exponent == -1023) return portable_log(x * power_of_two(54)) - 54 * kLn2;  // subnormal
  double m = std::bit_cast<double>((bits & 0xfffffffffffff) | (1023ull << 52));  // [1, 2)
  if (m > 1.4142135623730951) m *= 0.5, ++exponent;
  // ln m = 2 atanh(t), t = (m-1)/(m+1), |t| < 0.172: ten terms leave less than 1e-16.
  const double t = (m - 1) / (m + 1), t2 = t * t;
  double sum = 0;
  for (int k = 21; k >= 1; k -= 2) sum = sum * t2 + 1.0 / k;
  return 2 * t * sum + exponent * kLn2;
}

double portable_exp(double x) {
  if (x > 700) x = 700;
  if (x < -700) x = -700;
  const double scaled = x / kLn2;
  const int n = static_cast<int>(scaled < 0 ? scaled - 0.5 : scaled + 0.5);
  const double r = x - n * kLn2;  // |r| <= 0.347
  double sum = 1;
  for (int k = 14; k >= 1; --k) sum = 1 + sum * (r * kReciprocal[k]);  // Taylor, Horner form
  return sum * power_of_two(n);
}

// Wichura's AS 241 (PPND7), Applied Statistics 37 (1988): about seven decimal digits.
double portable_normal_quantile(double p) {
  assert(p > 0 && p < 1);
  const double q = p - 0.5;
  if (q >= -0.425 && q <= 0.425) {
    const double r = 0.180625 - q * q;
    return q * (((59.109374720 * r + 159.29113202) * r + 50.434271938) * r + 3.3871327179) /
           (((67.187563600 * r + 78.757757664) * r + 17.895169469) * r + 1.0);
  }
  double r = square_root(-portable_log(q < 0 ? p : 1 - p));
  double value;
  if (r <= 5) {
    r -= 1.6;
    value = (((0.17023821103 * r + 1.3067284816) * r + 2.7568153900) * r + 1.4234372777) /
            ((0.12021132975 * r + 0.73700164250) * r + 1.0);
  } else {
    r -= 5;
    value = (((0.017337203997 * r + 0.42868294337) * r + 3.0812263860) * r + 6.6579051150) /
            ((0.012258202635 * r + 0.24197894225) * r + 1.0);
  }
  return q < 0 ? -value : value;
}

}  // namespace hearth
