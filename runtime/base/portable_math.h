/// \file Logarithm, exponential and normal quantile that give the same bits on every processor.
/// They use only + - * / on doubles, which IEEE 754 fixes, and are built with -ffp-contract=off. Library versions
/// differ in the last bit between processors. The quantile has seven digits, the others fifteen: ample for draws.
#pragma once

namespace hearth {

double portable_log(double x);              ///< x > 0, finite.
double portable_exp(double x);              ///< Clamped to [-700, 700].
double portable_normal_quantile(double p);  ///< 0 < p < 1.

}  // namespace hearth
