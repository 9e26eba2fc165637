// Compiled once for each processor that Highway knows and this compiler can write for; the best is chosen when it runs.
// Every FP32 operation is written out (no fused multiply-add), so that all of them give the same bits.
#include "runtime/edge/kernels/linear_kernels.h"

#include <cmath>
#include <cstring>
#include <limits>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "runtime/edge/kernels/linear_kernels.cpp"  // NOLINT
#define HWY_WANT_AVX3_DL                                              // NOLINT: the one with VNNI
#define HWY_DISABLED_TARGETS \
  (HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128 | HWY_RVV)  // NOLINT: no arrays of vectors
#include <hwy/foreach_target.h>                                // NOLINT: must come before highway.h
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
#if HWY_TARGET == HWY_AVX3_DL
#pragma GCC target("avx512vnni")  // Highway asks the processor for it, but 1.0.3 does not tell the compiler.
#endif
namespace hearth::edge::kernels {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

using Ints = hn::CappedTag<std::int32_t, kBlock>;
using Floats = hn::Rebind<float, Ints>;
using VI = hn::Vec<Ints>;
using VF = hn::Vec<Floats>;
constexpr Ints kInts;
constexpr Floats kFloats;
constexpr std::size_t kLanes = hn::MaxLanes(Ints());
constexpr std::size_t kVectorBytes = kLanes * sizeof(std::int32_t);

// ---- Products. A lane holds four weights, or four q, of one output; `sum` takes the four products.
// -------------------

#if HWY_TARGET == HWY_AVX3_DL

// vpdpbusd wants one side unsigned: q + 128, which the sums of the weights take back. It does not saturate.
constexpr int kInt8Offset = 128;
struct Weights {
  VI raw;
};
HWY_INLINE Weights prepare(VI raw) { return {raw}; }
HWY_INLINE VI dot_int8(VI sum, const Weights& w, VI q) { return VI{_mm512_dpbusd_epi32(sum.raw, q.raw, w.raw.raw)}; }
HWY_INLINE VI dot_int4(VI sum, VI low, VI high, VI q_low, VI q_high) {
  return VI{_mm512_dpbusd_epi32(_mm512_dpbusd_epi32(sum.raw, low.raw, q_low.raw), high.raw, q_high.raw)};
}

#elif HWY_TARGET == HWY_AVX3

// vpmaddubsw adds two products of unsigned and signed bytes and saturates at 32,767. |w| <= 128 and |q| <= 127 keep the
// pair within 32,512, so it never does; the sign of w goes to q, which has no -128 to overflow.
constexpr int kInt8Offset = 0;
struct Weights {
  __m512i size;
  __mmask64 negative;
};
HWY_INLINE Weights prepare(VI raw) { return {_mm512_abs_epi8(raw.raw), _mm512_movepi8_mask(raw.raw)}; }
HWY_INLINE VI dot_int8(VI sum, const Weights& w, VI q) {
  const __m512i turned = _mm512_mask_sub_epi8(q.raw, w.negative, _mm512_setzero_si512(), q.raw);
  const __m512i pairs = _mm512_maddubs_epi16(w.size, turned);
  return VI{_mm512_add_epi32(sum.raw, _mm512_madd_epi16(pairs, _mm512_set1_epi16(1)))};
}
// 4 * 15 * 127 = 7,620 fits an int16.
HWY_INLINE VI dot_int4(VI sum, VI low, VI high, VI q_low, VI q_high) {
  const __m512i sums =
      _mm512_add_epi16(_mm512_maddubs_epi16(low.raw, q_low.raw), _mm512_maddubs_epi16(high.raw, q_high.raw));
  return VI{_mm512_add_epi32(sum.raw, _mm512_madd_epi16(sums, _mm512_set1_epi16(1)))};
}

#elif HWY_TARGET == HWY_AVX2

// As for AVX3.
constexpr int kInt8Offset = 0;
struct Weights {
  __m256i raw, size;
};
HWY_INLINE Weights prepare(VI raw) { return {raw.raw, _mm256_abs_epi8(raw.raw)}; }
HWY_INLINE VI dot_int8(VI sum, const Weights& w, VI q) {
  const __m256i pairs = _mm256_maddubs_epi16(w.size, _mm256_sign_epi8(q.raw, w.raw));
  return VI{_mm256_add_epi32(sum.raw, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)))};
}
HWY_INLINE VI dot_int4(VI sum, VI low, VI high, VI q_low, VI q_high) {
  const __m256i sums =
      _mm256_add_epi16(_mm256_maddubs_epi16(low.raw, q_low.raw), _mm256_maddubs_epi16(high.raw, q_high.raw));
  return VI{_mm256_add_epi32(sum.raw, _mm256_madd_epi16(sums, _mm256_set1_epi16(1)))};
}

#elif HWY_TARGET == HWY_SSE4 || HWY_TARGET == HWY_SSSE3

// As for AVX3.
constexpr int kInt8Offset = 0;
struct Weights {
  __m128i raw, size;
};
HWY_INLINE Weights prepare(VI raw) { return {raw.raw, _mm_abs_epi8(raw.raw)}; }
HWY_INLINE VI dot_int8(VI sum, const Weights& w, VI q) {
  const __m128i pairs = _mm_maddubs_epi16(w.size, _mm_sign_epi8(q.raw, w.raw));
  return VI{_mm_add_epi32(sum.raw, _mm_madd_epi16(pairs, _mm_set1_epi16(1)))};
}
HWY_INLINE VI dot_int4(VI sum, VI low, VI high, VI q_low, VI q_high) {
  const __m128i sums = _mm_add_epi16(_mm_maddubs_epi16(low.raw, q_low.raw), _mm_maddubs_epi16(high.raw, q_high.raw));
  return VI{_mm_add_epi32(sum.raw, _mm_madd_epi16(sums, _mm_set1_epi16(1)))};
}

#else

constexpr int kInt8Offset = 0;
struct Weights {
  VI raw;
};
HWY_INLINE Weights prepare(VI raw) { return {raw}; }

#if HWY_TARGET == HWY_NEON && HWY_ARCH_ARM_A64

// -128 * 127 fits an int16; the sums are int32 from then on.
HWY_INLINE VI dot_quads(VI sum, VI w, VI q) {
#ifdef __ARM_FEATURE_DOTPROD
  return VI{vdotq_s32(sum.raw, vreinterpretq_s8_s32(w.raw), vreinterpretq_s8_s32(q.raw))};
#else
  const int8x16_t a = vreinterpretq_s8_s32(w.raw);
  const int8x16_t b = vreinterpretq_s8_s32(q.raw);
  const int32x4_t first = vpaddlq_s16(vmull_s8(vget_low_s8(a), vget_low_s8(b)));
  const int32x4_t second = vpaddlq_s16(vmull_s8(vget_high_s8(a), vget_high_s8(b)));
  return VI{vaddq_s32(sum.raw, vpaddq_s32(first, second))};
#endif
}

#else

template <int kByte>
HWY_INLINE VI byte_of(VI quads) {
  return hn::ShiftRight<24>(hn::ShiftLeft<24 - 8 * kByte>(quads));
}
HWY_INLINE VI dot_quads(VI sum, VI w, VI q) {
  const VI even = hn::Add(hn::Mul(byte_of<0>(w), byte_of<0>(q)), hn::Mul(byte_of<2>(w), byte_of<2>(q)));
  const VI odd = hn::Add(hn::Mul(byte_of<1>(w), byte_of<1>(q)), hn::Mul(byte_of<3>(w), byte_of<3>(q)));
  return hn::Add(sum, hn::Add(even, odd));
}

#endif

HWY_INLINE VI dot_int8(VI sum, const Weights& w, VI q) { return dot_quads(sum, w.raw, q); }
HWY_INLINE VI dot_int4(VI sum, VI low, VI high, VI q_low, VI q_high) {
  return dot_quads(dot_quads(sum, low, q_low), high, q_high);
}

#endif

// ---- Rows to q
// -------------------------------------------------------------------------------------------------------

/// Quads stand at multiples of four bytes, of buffers that are only written as bytes.
HWY_INLINE VI load_quads(const std::uint8_t* from) {
  return hn::LoadU(kInts, reinterpret_cast<const std::int32_t*>(from));
}

HWY_INLINE VI broadcast_quad(const std::uint8_t* from) {
  std::int32_t quad;
  std::memcpy(&quad, from, sizeof quad);
  return hn::Set(kInts, quad);
}

/// To the nearest, ties to even, for |x| < 2^22: adding 1.5 * 2^23 leaves no bits below one.
HWY_INLINE VF nearest(VF x) {
  const VF big = hn::Set(kFloats, 12582912.0F);
  return hn::Sub(hn::Add(x, big), big);
}

/// The next lanes of a row, zero beyond its end.
HWY_INLINE VF load_some(const float* row, std::size_t i, std::size_t end) {
  if (i + kLanes <= end) return hn::LoadU(kFloats, row + i);
  float rest[kLanes] = {};
  for (std::size_t lane = 0; i + lane < end; ++lane) rest[lane] = row[i + lane];
  return hn::LoadU(kFloats, rest);
}

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

void quantize_rows(const PackedView& layer, Format format, const float* input, const QuantizedRows& rows) {
  const int offset = format == Format::kInt8 ? kInt8Offset : 0;
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

// ---- Sums to outputs
// -------------------------------------------------------------------------------------------------

/// exp(-y), 0 <= y <= 87, within 2 units in the last place: 2^n times a Taylor polynomial on half a bit around zero.
HWY_INLINE VF exp_minus(VF y) {
  const VF n = nearest(hn::Mul(y, hn::Set(kFloats, -1.44269504F)));
  const VF r = hn::Sub(hn::Sub(hn::Neg(y), hn::Mul(n, hn::Set(kFloats, 0.693359375F))),
                       hn::Mul(n, hn::Set(kFloats, -2.12194440e-4F)));
  VF p = hn::Set(kFloats, 1.0F / 720);
  for (const float c : {1.0F / 120, 1.0F / 24, 1.0F / 6, 0.5F, 1.0F, 1.0F})
    p = hn::Add(hn::Mul(p, r), hn::Set(kFloats, c));
  const VI power = hn::ShiftLeft<23>(hn::Add(hn::ConvertTo(kInts, n), hn::Set(kInts, 127)));
  return hn::Mul(p, hn::BitCast(kFloats, power));
}

/// x (1 + erf(x / sqrt 2)) / 2; erf by Abramowitz and Stegun 7.1.26.
HWY_INLINE VF gelu(VF x) {
  const VF size = hn::Min(hn::Abs(x), hn::Set(kFloats, 12.0F));
  const VF z = hn::Mul(size, hn::Set(kFloats, 0.707106781F));
  const VF t =
      hn::Div(hn::Set(kFloats, 1.0F), hn::Add(hn::Set(kFloats, 1.0F), hn::Mul(z, hn::Set(kFloats, 0.3275911F))));
  VF p = hn::Set(kFloats, 1.061405429F);
  for (const float c : {-1.453152027F, 1.421413741F, -0.284496736F, 0.254829592F})
    p = hn::Add(hn::Mul(p, t), hn::Set(kFloats, c));
  const VF rest = hn::Mul(hn::Mul(hn::Mul(p, t), exp_minus(hn::Mul(z, z))), hn::Mul(size, hn::Set(kFloats, 0.5F)));
  return hn::IfThenElse(hn::Lt(x, hn::Zero(kFloats)), hn::Neg(rest), hn::Sub(x, rest));
}

/// A NaN stays one.
HWY_INLINE VF activated(VF x, Activation activation) {
  if (activation == Activation::kNone) return x;
  if (activation == Activation::kGelu) return gelu(x);
  return hn::IfThenElse(hn::Lt(x, hn::Zero(kFloats)), hn::Zero(kFloats), x);
}

HWY_INLINE void store_some(VF values, float* to, std::size_t room) {
  if (room >= kLanes) {
    hn::StoreU(values, kFloats, to);
    return;
  }
  float lanes[kLanes];
  hn::StoreU(values, kFloats, lanes);
  std::memcpy(to, lanes, room * sizeof(float));
}

/// What a tile is computed from: R rows, and the outputs of V vectors from `begin` on, in one panel.
struct Tile {
  const PackedView& layer;
  const QuantizedRows& rows;
  std::size_t row;
  std::size_t panel;
  std::size_t begin;  ///< In the panel.
  float* output;
  Activation activation;

  std::size_t first_output() const { return panel * kPanel + begin; }
  const std::uint8_t* q(std::size_t r) const { return rows.values + (row + r) * rows.stride; }
};

HWY_INLINE void finish(const Tile& tile, std::size_t r, std::size_t n, VF scaled) {
  if (n >= tile.layer.outputs) return;
  const VF sum = hn::Add(scaled, hn::LoadU(kFloats, tile.layer.bias + n));
  store_some(activated(sum, tile.activation), tile.output + (tile.row + r) * tile.layer.outputs + n,
             tile.layer.outputs - n);
}

template <std::size_t R, std::size_t V>
void int8_tile(const Tile& tile) {
  const PackedView& layer = tile.layer;
  const std::size_t step = layer.width(tile.panel) * kQuad;
  const std::uint8_t* weights = layer.weights + tile.panel * kPanel * layer.padded_inputs + tile.begin * kQuad;
  VI sums[R][V];
  HWY_UNROLL(8) for (std::size_t r = 0; r < R; ++r) {
    HWY_UNROLL(8) for (std::size_t v = 0; v < V; ++v) sums[r][v] = hn::Zero(kInts);
  }
  for (std::size_t k = 0; k < layer.padded_inputs; k += kQuad, weights += step) {
    Weights w[V];
    HWY_UNROLL(8) for (std::size_t v = 0; v < V; ++v) w[v] = prepare(load_quads(weights + v * kVectorBytes));
    HWY_UNROLL(8) for (std::size_t r = 0; r < R; ++r) {
      const VI q = broadcast_quad(tile.q(r) + k);
      HWY_UNROLL(8) for (std::size_t v = 0; v < V; ++v) sums[r][v] = dot_int8(sums[r][v], w[v], q);
    }
  }
  for (std::size_t r = 0; r < R; ++r) {
    const Scratch::Row row = tile.rows.rows[tile.row + r];
    const VI zero = hn::Set(kInts, row.zero_point + kInt8Offset);
    HWY_UNROLL(8) for (std::size_t v = 0; v < V; ++v) {
      const std::size_t n = tile.first_output() + v * kLanes;
      const VI sum = hn::Sub(sums[r][v], hn::Mul(zero, hn::LoadU(kInts, layer.sums + n)));
      const VF scale = hn::Mul(hn::Set(kFloats, row.scale), hn::LoadU(kFloats, layer.scales + n));
      finish(tile, r, n, hn::Mul(hn::ConvertTo(kFloats, sum), scale));
    }
  }
}

HWY_INLINE VF load_bfloat16(const std::uint8_t* from) {
  const hn::Rebind<std::uint16_t, Ints> halves;
  const hn::Rebind<std::uint32_t, Ints> words;
  std::uint16_t raw[kLanes];
  std::memcpy(raw, from, sizeof raw);
  return hn::BitCast(kFloats, hn::ShiftLeft<16>(hn::PromoteTo(words, hn::LoadU(halves, raw))));
}

template <std::size_t R, std::size_t V>
void int4_tile(const Tile& tile) {
  const PackedView& layer = tile.layer;
  const std::size_t width = layer.width(tile.panel);
  const std::size_t groups = layer.padded_inputs / kInt4Group;
  const std::uint8_t* group = layer.weights + tile.panel * groups * int4_group_bytes(kPanel);
  const VI half = hn::Set(kInts, 0x0F0F0F0F);
  VF totals[R][V];
  HWY_UNROLL(8) for (std::size_t r = 0; r < R; ++r) {
    HWY_UNROLL(8) for (std::size_t v = 0; v < V; ++v) totals[r][v] = hn::Zero(kFloats);
  }
  for (std::size_t g = 0; g < groups; ++g, group += int4_group_bytes(width)) {
    VI sums[R][V];  // Begin at what the weights' offset of 8 adds.
    HWY_UNROLL(8) for (std::size_t r = 0; r < R; ++r) {
      const VI start = hn::Set(kInts, -8 * tile.rows.group_sums[(tile.row + r) * groups + g]);
      HWY_UNROLL(8) for (std::size_t v = 0; v < V; ++v) sums[r][v] = start;
    }
    HWY_UNROLL(4) for (std::size_t i = 0; i < kInt4Group / 8; ++i) {
      VI low[V], high[V];
      HWY_UNROLL(8) for (std::size_t v = 0; v < V; ++v) {
        const VI both = load_quads(group + (i * width + tile.begin) * kQuad + v * kVectorBytes);
        low[v] = hn::And(both, half);
        high[v] = hn::And(hn::ShiftRight<4>(both), half);
      }
      HWY_UNROLL(8) for (std::size_t r = 0; r < R; ++r) {
        const std::uint8_t* const q = tile.q(r) + g * kInt4Group + i * 8;
        const VI q_low = broadcast_quad(q);
        const VI q_high = broadcast_quad(q + kQuad);
        HWY_UNROLL(8)
        for (std::size_t v = 0; v < V; ++v) sums[r][v] = dot_int4(sums[r][v], low[v], high[v], q_low, q_high);
      }
    }
    const std::uint8_t* const scales = group + width * (kInt4Group / 2) + tile.begin * sizeof(std::uint16_t);
    HWY_UNROLL(8) for (std::size_t v = 0; v < V; ++v) {
      const VF scale = load_bfloat16(scales + v * kLanes * sizeof(std::uint16_t));
      HWY_UNROLL(8) for (std::size_t r = 0; r < R; ++r) {
        totals[r][v] = hn::Add(totals[r][v], hn::Mul(hn::ConvertTo(kFloats, sums[r][v]), scale));
      }
    }
  }
  for (std::size_t r = 0; r < R; ++r) {
    const Scratch::Row row = tile.rows.rows[tile.row + r];
    const VF zero = hn::Set(kFloats, static_cast<float>(row.zero_point));
    HWY_UNROLL(8) for (std::size_t v = 0; v < V; ++v) {
      const std::size_t n = tile.first_output() + v * kLanes;
      const VF sum = hn::Sub(totals[r][v], hn::Mul(zero, hn::LoadU(kFloats, layer.scaled_sums + n)));
      finish(tile, r, n, hn::Mul(sum, hn::Set(kFloats, row.scale)));
    }
  }
}

template <Format kFormat, std::size_t R, std::size_t V>
HWY_INLINE void run_tile(const Tile& tile) {
  if constexpr (kFormat == Format::kInt8) {
    int8_tile<R, V>(tile);
  } else {
    int4_tile<R, V>(tile);
  }
}

/// R rows across a panel, V vectors at a time, then what is left.
template <Format kFormat, std::size_t R, std::size_t V>
void run_rows(Tile tile) {
  const std::size_t width = tile.layer.width(tile.panel);
  while (tile.begin + V * kLanes <= width) {
    run_tile<kFormat, R, V>(tile);
    tile.begin += V * kLanes;
  }
  if constexpr (V > 1) run_rows<kFormat, R, V / 2>(tile);
}

/// Tiles that keep their sums in registers: 32 of them with AVX-512 and on Arm, else 16.
constexpr bool kManyRegisters = HWY_TARGET == HWY_AVX3_DL || HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_NEON;

template <Format kFormat>
void run_panel(Tile tile) {
  std::size_t left = tile.rows.count;
  for (std::size_t rows; left > 0; left -= rows, tile.row += rows) {
    if (kManyRegisters && left >= 8) {
      run_rows<kFormat, 8, kFormat == Format::kInt8 ? 2 : 1>(tile);
      rows = 8;
    } else if (left >= 4) {
      run_rows<kFormat, 4, kManyRegisters ? 4 - 2 * (kFormat == Format::kInt4) : 2 - (kFormat == Format::kInt4)>(tile);
      rows = 4;
    } else if (left >= 2) {
      run_rows<kFormat, 2, kManyRegisters ? 4 : 2>(tile);
      rows = 2;
    } else {
      run_rows<kFormat, 1, 4>(tile);
      rows = 1;
    }
  }
}

void run_panels(const PackedView& layer, Format format, const QuantizedRows& rows, std::size_t first, std::size_t last,
                float* output, Activation activation) {
  for (std::size_t panel = first; panel < last; ++panel) {
    const Tile tile{layer, rows, 0, panel, 0, output, activation};
    if (format == Format::kInt8) {
      run_panel<Format::kInt8>(tile);
    } else {
      run_panel<Format::kInt4>(tile);
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
HWY_EXPORT(run_panels);

void quantize_rows(const PackedView& layer, Format format, const float* input, const QuantizedRows& rows) {
  HWY_DYNAMIC_DISPATCH(quantize_rows)(layer, format, input, rows);
}

void run_panels(const PackedView& layer, Format format, const QuantizedRows& rows, std::size_t first, std::size_t last,
                float* output, Activation activation) {
  HWY_DYNAMIC_DISPATCH(run_panels)(layer, format, rows, first, last, output, activation);
}

}  // namespace hearth::edge::kernels
#endif  // HWY_ONCE
