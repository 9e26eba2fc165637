// Compiled once for each processor; see linear_kernels.cpp.
#include "runtime/edge/kernels/elementwise.h"

#include <cassert>
#include <cmath>
#include <limits>

#include "runtime/edge/kernels/linear_kernels.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "runtime/edge/kernels/elementwise.cpp"  // NOLINT
#include <hwy/foreach_target.h>                                    // NOLINT: must come before highway.h
#include <hwy/highway.h>

#include "runtime/edge/kernels/vector_math.inc"

HWY_BEFORE_NAMESPACE();
namespace hearth::edge::kernels {
namespace HWY_NAMESPACE {

/// exp(x) for any x that is no NaN: zero below the smallest normal number, finite above the largest.
HWY_INLINE VF exp_of(VF x) {
  const VF bound = hn::Set(kFloats, 87.0F);
  const VF some = exp_within(hn::Max(hn::Min(x, bound), hn::Neg(bound)));
  return hn::IfThenElse(hn::Lt(x, hn::Neg(bound)), hn::Zero(kFloats), some);
}

HWY_INLINE VF or_nan(VF x, VF result) { return hn::IfThenElse(hn::IsNaN(x), x, result); }

HWY_INLINE VF sigmoid(VF x) {
  const VF one = hn::Set(kFloats, 1.0F);
  return or_nan(x, hn::Div(one, hn::Add(one, exp_of(hn::Neg(x)))));
}

/// Near zero the polynomial of Cephes' tanhf, else 1 - 2 / (exp(2 |x|) + 1).
HWY_INLINE VF tanh_of(VF x) {
  const VF size = hn::Min(hn::Abs(x), hn::Set(kFloats, 10.0F));
  const VF square = hn::Mul(size, size);
  VF p = hn::Set(kFloats, -5.70498872745e-3F);
  for (const float c : {2.06390887954e-2F, -5.37397155531e-2F, 1.33314422036e-1F, -3.33332819422e-1F})
    p = hn::Add(hn::Mul(p, square), hn::Set(kFloats, c));
  const VF small = hn::Add(hn::Mul(hn::Mul(p, square), size), size);
  const VF one = hn::Set(kFloats, 1.0F);
  const VF large = hn::Sub(one, hn::Div(hn::Set(kFloats, 2.0F), hn::Add(exp_within(hn::Add(size, size)), one)));
  const VF result = hn::IfThenElse(hn::Lt(size, hn::Set(kFloats, 0.625F)), small, large);
  return or_nan(x, hn::CopySign(result, x));
}

HWY_INLINE VF gelu_tanh(VF x) {
  const VF cube = hn::Mul(hn::Mul(x, x), hn::Mul(x, hn::Set(kFloats, 0.044715F)));
  const VF inner = hn::Mul(hn::Add(x, cube), hn::Set(kFloats, 0.797884561F));
  return hn::Mul(hn::Mul(x, hn::Set(kFloats, 0.5F)), hn::Add(tanh_of(inner), hn::Set(kFloats, 1.0F)));
}

template <class Function>
HWY_INLINE void map(std::span<const float> from, std::span<float> to, const Function& function) {
  for (std::size_t i = 0; i < from.size(); i += kLanes) {
    store_some(function(load_some(from.data(), i, from.size())), to.data() + i, from.size() - i);
  }
}

void unary(Unary kind, std::span<const float> from, std::span<float> to) {
  switch (kind) {
    case Unary::kRelu:
      return map(from, to, [](VF x) HWY_ATTR { return relu(x); });
    case Unary::kGelu:
      return map(from, to, [](VF x) HWY_ATTR { return or_nan(x, gelu(x)); });
    case Unary::kGeluTanh:
      return map(from, to, [](VF x) HWY_ATTR { return gelu_tanh(x); });
    case Unary::kTanh:
      return map(from, to, [](VF x) HWY_ATTR { return tanh_of(x); });
    case Unary::kSigmoid:
      return map(from, to, [](VF x) HWY_ATTR { return sigmoid(x); });
  }
}

void softmax_row(const float* from, std::size_t width, bool log, float* to) {
  float largest = -std::numeric_limits<float>::infinity();
  for (std::size_t i = 0; i < width; ++i) largest = from[i] > largest ? from[i] : largest;
  const VF top = hn::Set(kFloats, largest);
  float sum = 0;
  for (std::size_t i = 0; i < width; i += kLanes) {
    const VF x = hn::Sub(load_some(from, i, width), top);
    float lanes[kLanes];
    hn::StoreU(or_nan(x, exp_of(x)), kFloats, lanes);
    for (std::size_t lane = 0; lane < kLanes && i + lane < width; ++lane) sum += lanes[lane];
    if (!log) store_some(hn::LoadU(kFloats, lanes), to + i, width - i);
  }
  const VF last = hn::Set(kFloats, log ? std::log(sum) : sum);
  for (std::size_t i = 0; i < width; i += kLanes) {
    const VF result =
        log ? hn::Sub(hn::Sub(load_some(from, i, width), top), last) : hn::Div(load_some(to, i, width), last);
    store_some(result, to + i, width - i);
  }
}

void binary(Binary kind, std::span<const float> a, std::span<const float> b, std::span<float> to) {
  for (std::size_t begin = 0; begin < a.size(); begin += b.size()) {
    for (std::size_t i = 0; i < b.size(); i += kLanes) {
      const VF x = load_some(a.data() + begin, i, b.size());
      const VF y = load_some(b.data(), i, b.size());
      store_some(kind == Binary::kAdd ? hn::Add(x, y) : hn::Mul(x, y), to.data() + begin + i, b.size() - i);
    }
  }
}

void scalar(Binary kind, std::span<const float> a, float b, std::span<float> to) {
  const VF y = hn::Set(kFloats, b);
  map(a, to, [&](VF x) HWY_ATTR { return kind == Binary::kAdd ? hn::Add(x, y) : hn::Mul(x, y); });
}

}  // namespace HWY_NAMESPACE
}  // namespace hearth::edge::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace hearth::edge::kernels {

HWY_EXPORT(unary);
HWY_EXPORT(softmax_row);
HWY_EXPORT(binary);
HWY_EXPORT(scalar);

void apply(Unary function, std::span<const float> from, std::span<float> to) {
  assert(from.size() == to.size());
  HWY_DYNAMIC_DISPATCH(unary)(function, from, to);
}

void softmax(std::span<const float> from, std::size_t width, bool log, std::span<float> to) {
  assert(from.size() == to.size() && (width == 0 || from.size() % width == 0));
  for (std::size_t begin = 0; begin < from.size(); begin += width) {
    HWY_DYNAMIC_DISPATCH(softmax_row)(from.data() + begin, width, log, to.data() + begin);
  }
}

void apply(Binary function, std::span<const float> a, std::span<const float> b, std::span<float> to) {
  if (a.empty()) return;
  assert(!b.empty() && a.size() % b.size() == 0 && a.size() == to.size());
  if (b.size() == 1) {
    HWY_DYNAMIC_DISPATCH(scalar)(function, a, b[0], to);
  } else {
    HWY_DYNAMIC_DISPATCH(binary)(function, a, b, to);
  }
}

}  // namespace hearth::edge::kernels
#endif  // HWY_ONCE
