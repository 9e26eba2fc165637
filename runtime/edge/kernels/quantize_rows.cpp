// Rows of FP32 to q, once for each processor; see linear_kernels.cpp.
#include <cmath>
#include <cstring>
#include <limits>

#include "runtime/edge/kernels/linear_kernels.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "runtime/edge/kernels/quantize_rows.cpp"  // NOLINT
#include <hwy/foreach_target.h>                                      // NOLINT: must come before highway.h
#include <hwy/highway.h>

#include "runtime/edge/kernels/vector_math.inc"

HWY_BEFORE_NAMESPACE();
namespace hearth::edge::kernels {
namespace HWY_NAMESPACE {

// ---- Rows to q
// -------------------------------------------------------------------------------------------------------

struct Range {
  float low = 0, high = 0;  ///< Both with zero among them.
  bool finite = true;
};

Range range_of(const float* row, std::size_t size) {
  VF low = hn::Zero(kFloats);
  VF high = low;
  VI bits = hn::Zero(kInts);
  for (std::size_t i = 0; i < size; i += kLanes) {
    const VF x = load_some(row, i, size);
    low = hn::Min(low, x);
    high = hn::Max(high, x);
    bits = hn::Max(bits, hn::BitCast(kInts, hn::Abs(x)));
  }
  float lows[kLanes], highs[kLanes];
  std::int32_t largest[kLanes];
  hn::StoreU(low, kFloats, lows);
  hn::StoreU(high, kFloats, highs);
  hn::StoreU(bits, kInts, largest);
  constexpr std::int32_t kInfinity = 0x7F800000;
  Range range;
  for (std::size_t lane = 0; lane < kLanes; ++lane) {
    if (lows[lane] < range.low) range.low = lows[lane];
    if (highs[lane] > range.high) range.high = highs[lane];
    if (largest[lane] >= kInfinity) range.finite = false;
  }
  return range;
}

/// q of a row; returns its scale and zero point. Bytes are q + offset, kept modulo 256.
Scratch::Row quantize_row(const float* row, std::size_t size, std::size_t padded, int offset, std::uint8_t* to) {
  const Range range = range_of(row, size);
  const float scale = range.high * (1.0F / 254) - range.low * (1.0F / 254);
  if (!range.finite || scale < std::numeric_limits<float>::min()) {
    std::memset(to, offset, padded);
    return {range.finite ? 0.0F : std::numeric_limits<float>::quiet_NaN(), 0};
  }
  const float inverse = 1.0F / scale;
  const int unclamped = static_cast<int>(std::nearbyint(-127.0F - range.low * inverse));
  const int zero_point = unclamped < -127 ? -127 : unclamped > 127 ? 127 : unclamped;
  const VF factor = hn::Set(kFloats, inverse);
  const VI zero = hn::Set(kInts, zero_point);
  const VI lowest = hn::Set(kInts, -127);
  const VI highest = hn::Set(kInts, 127);
  const hn::Rebind<std::int8_t, Ints> bytes;
  const auto flip = hn::Set(bytes, static_cast<std::int8_t>(offset));
  std::size_t i = 0;
  for (; i < size; i += kLanes) {
    const VI steps = hn::ConvertTo(kInts, nearest(hn::Mul(load_some(row, i, size), factor)));
    const VI q = hn::Min(hn::Max(hn::Add(steps, zero), lowest), highest);
    const auto narrow = hn::Xor(hn::DemoteTo(bytes, q), flip);
    if (i + kLanes <= padded) {
      hn::StoreU(narrow, bytes, reinterpret_cast<std::int8_t*>(to + i));
    } else {
      std::int8_t rest[kLanes];
      hn::StoreU(narrow, bytes, rest);
      std::memcpy(to + i, rest, padded - i);
    }
  }
  if (size < padded) std::memset(to + size, offset, padded - size);
  return {scale, zero_point};
}

bool quantize_static(const float* values, std::size_t size, const StaticRange& range, std::uint8_t* to) {
  constexpr std::int32_t kInfinity = 0x7F800000;
  constexpr float kFar = 1000;  // Beyond any q, and few enough steps for nearest().
  const VF factor = hn::Set(kFloats, range.inverse), far = hn::Set(kFloats, kFar), near = hn::Set(kFloats, -kFar);
  const VI zero = hn::Set(kInts, range.zero_point);
  const VI lowest = hn::Set(kInts, -127), highest = hn::Set(kInts, 127);
  const hn::Rebind<std::int8_t, Ints> bytes;
  const auto flip = hn::Set(bytes, static_cast<std::int8_t>(HWY_TARGET == HWY_AVX3_DL ? 128 : 0));
  VI bits = hn::Zero(kInts);
  for (std::size_t i = 0; i < size; i += kLanes) {
    const VF x = load_some(values, i, size);
    bits = hn::Max(bits, hn::BitCast(kInts, hn::Abs(x)));
    const VI steps = hn::ConvertTo(kInts, nearest(hn::Min(hn::Max(hn::Mul(x, factor), near), far)));
    const VI q = hn::Min(hn::Max(hn::Add(steps, zero), lowest), highest);
    const auto narrow = hn::Xor(hn::DemoteTo(bytes, q), flip);
    if (i + kLanes <= size) {
      hn::StoreU(narrow, bytes, reinterpret_cast<std::int8_t*>(to + i));
    } else {
      std::int8_t rest[kLanes];
      hn::StoreU(narrow, bytes, rest);
      std::memcpy(to + i, rest, size - i);
    }
  }
  std::int32_t largest[kLanes];
  hn::StoreU(bits, kInts, largest);
  for (const std::int32_t lane : largest) {
    if (lane >= kInfinity) return false;
  }
  return true;
}

void quantize_rows(const PackedView& layer, Format format, const float* input, const QuantizedRows& rows) {
  const int offset = HWY_TARGET == HWY_AVX3_DL && format == Format::kInt8 ? 128 : 0;
  for (std::size_t r = 0; r < rows.count; ++r) {
    std::uint8_t* const q = rows.values + r * rows.stride;
    rows.rows[r] = quantize_row(input + r * layer.inputs, layer.inputs, rows.stride, offset, q);
    for (std::size_t g = 0; g < rows.groups; ++g) {
      std::int32_t sum = 0;
      for (std::size_t i = 0; i < kInt4Group; ++i) sum += static_cast<std::int8_t>(q[g * kInt4Group + i]);
      rows.group_sums[r * rows.groups + g] = sum;
    }
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace hearth::edge::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace hearth::edge::kernels {

std::vector<std::string> vector_codes() {
  std::vector<std::string> names;
  for (const std::int64_t target : hwy::SupportedAndGeneratedTargets()) names.emplace_back(hwy::TargetName(target));
  return names;
}

void choose_vector_code(std::string_view name) {
  hwy::SetSupportedTargetsForTest(0);
  for (const std::int64_t target : hwy::SupportedAndGeneratedTargets()) {
    if (name == hwy::TargetName(target)) hwy::SetSupportedTargetsForTest(target);
  }
  hwy::GetChosenTarget().Update(hwy::SupportedTargets());
}

HWY_EXPORT(quantize_rows);
HWY_EXPORT(quantize_static);

StaticRange::StaticRange(float low, float high) {
  const float step = high * (1.0F / 254) - low * (1.0F / 254);
  if (step < std::numeric_limits<float>::min()) return;
  scale = step;
  inverse = 1.0F / step;
  const int unclamped = static_cast<int>(std::nearbyint(-127.0F - low * inverse));
  zero_point = unclamped < -127 ? -127 : unclamped > 127 ? 127 : unclamped;
}

bool quantize_static(const float* values, std::size_t size, const StaticRange& range, std::uint8_t* to) {
  return HWY_DYNAMIC_DISPATCH(quantize_static)(values, size, range, to);
}

void quantize_rows(const PackedView& layer, Format format, const float* input, const QuantizedRows& rows) {
  HWY_DYNAMIC_DISPATCH(quantize_rows)(layer, format, input, rows);
}

}  // namespace hearth::edge::kernels
#endif  // HWY_ONCE
