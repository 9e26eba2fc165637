// Compiled once for each processor that Highway knows and this compiler can write for; the best is chosen when it runs.
// Every FP32 operation is written out (no fused multiply-add), so that all of them give the same bits.
#include "runtime/edge/kernels/linear_kernels.h"

#include <algorithm>
#include <cstring>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "runtime/edge/kernels/linear_kernels.cpp"  // NOLINT
#include <hwy/foreach_target.h>                                       // NOLINT: must come before highway.h
#include <hwy/highway.h>

#include "runtime/edge/kernels/vector_math.inc"

HWY_BEFORE_NAMESPACE();
#if HWY_TARGET == HWY_AVX3_DL
#pragma GCC target("avx512vnni")  // Highway asks the processor for it, but 1.0.3 does not tell the compiler.
#endif
namespace hearth::edge::kernels {
namespace HWY_NAMESPACE {

constexpr std::size_t kVectorBytes = kLanes * sizeof(std::int32_t);

// ---- Products. A lane holds four weights, or four q, of one output; `sum` takes the four products.
// -------------------

#if HWY_TARGET == HWY_AVX3_DL

// vpdpbusd wants one side unsigned: q + 128, which the sums of the weights take back. It does not saturate.
constexpr int kInt8Offset = 128;
using Weights = VI;
HWY_INLINE Weights prepare(VI raw) { return raw; }
HWY_INLINE VI dot_int8(VI sum, Weights w, VI q) { return VI{_mm512_dpbusd_epi32(sum.raw, q.raw, w.raw)}; }

// The upper halves stay where they are, 16 times too large, in a sum of their own.
constexpr std::size_t kInt4Sums = 2;
HWY_INLINE VI upper_half(VI both) { return hn::AndNot(hn::Set(kInts, 0x0F0F0F0F), both); }
HWY_INLINE void add_int4(VI (&sum)[kInt4Sums], VI low, VI high, VI q_low, VI q_high) {
  sum[0] = VI{_mm512_dpbusd_epi32(sum[0].raw, low.raw, q_low.raw)};
  sum[1] = VI{_mm512_dpbusd_epi32(sum[1].raw, high.raw, q_high.raw)};
}
HWY_INLINE VI total_of(const VI (&sum)[kInt4Sums]) { return hn::Add(sum[0], hn::ShiftRight<4>(sum[1])); }

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
using Weights = VI;
HWY_INLINE Weights prepare(VI raw) { return raw; }

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

HWY_INLINE VI dot_int8(VI sum, Weights w, VI q) { return dot_quads(sum, w, q); }
HWY_INLINE VI dot_int4(VI sum, VI low, VI high, VI q_low, VI q_high) {
  return dot_quads(dot_quads(sum, low, q_low), high, q_high);
}

#endif

/// Quads stand at multiples of four bytes, of buffers that are only written as bytes.
HWY_INLINE VI load_quads(const std::uint8_t* from) {
  return hn::LoadU(kInts, reinterpret_cast<const std::int32_t*>(from));
}

HWY_INLINE VI broadcast_quad(const std::uint8_t* from) {
  std::int32_t quad;
  std::memcpy(&quad, from, sizeof quad);
  return hn::Set(kInts, quad);
}

#if HWY_TARGET != HWY_AVX3_DL

constexpr std::size_t kInt4Sums = 1;
HWY_INLINE VI upper_half(VI both) { return hn::And(hn::ShiftRight<4>(both), hn::Set(kInts, 0x0F0F0F0F)); }
HWY_INLINE void add_int4(VI (&sum)[kInt4Sums], VI low, VI high, VI q_low, VI q_high) {
  sum[0] = dot_int4(sum[0], low, high, q_low, q_high);
}
HWY_INLINE VI total_of(const VI (&sum)[kInt4Sums]) { return sum[0]; }

#endif

HWY_INLINE VI lower_half(VI both) { return hn::And(both, hn::Set(kInts, 0x0F0F0F0F)); }

// ---- Sums to outputs
// -------------------------------------------------------------------------------------------------

HWY_INLINE VF activated(VF x, Activation activation) {
  if (activation == Activation::kNone) return x;
  if (activation == Activation::kGelu) return gelu(x);
  return relu(x);
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

/// `sums` holds `width` sums of each of `count` rows. Not part of the tiles, whose sums stay in registers only while no
/// loop runs over them.
HWY_NOINLINE void finish_int8(const Tile& tile, const std::int32_t* sums, std::size_t count, std::size_t width) {
  for (std::size_t r = 0; r < count; ++r) {
    const Scratch::Row row = tile.rows.rows[tile.row + r];
    const VI zero = hn::Set(kInts, row.zero_point + kInt8Offset);
    for (std::size_t i = 0; i < width; i += kLanes) {
      const std::size_t n = tile.first_output() + i;
      const VI sum =
          hn::Sub(hn::LoadU(kInts, sums + r * width + i), hn::Mul(zero, hn::LoadU(kInts, tile.layer.sums + n)));
      const VF scale = hn::Mul(hn::Set(kFloats, row.scale), hn::LoadU(kFloats, tile.layer.scales + n));
      finish(tile, r, n, hn::Mul(hn::ConvertTo(kFloats, sum), scale));
    }
  }
}

HWY_NOINLINE void finish_int4(const Tile& tile, const float* totals, std::size_t count, std::size_t width) {
  for (std::size_t r = 0; r < count; ++r) {
    const Scratch::Row row = tile.rows.rows[tile.row + r];
    const VF zero = hn::Set(kFloats, static_cast<float>(row.zero_point));
    for (std::size_t i = 0; i < width; i += kLanes) {
      const std::size_t n = tile.first_output() + i;
      const VF sum = hn::Sub(hn::LoadU(kFloats, totals + r * width + i),
                             hn::Mul(zero, hn::LoadU(kFloats, tile.layer.scaled_sums + n)));
      finish(tile, r, n, hn::Mul(sum, hn::Set(kFloats, row.scale)));
    }
  }
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
  std::int32_t kept[R * V * kLanes];
  HWY_UNROLL(8) for (std::size_t r = 0; r < R; ++r) {
    HWY_UNROLL(8) for (std::size_t v = 0; v < V; ++v) hn::StoreU(sums[r][v], kInts, kept + (r * V + v) * kLanes);
  }
  finish_int8(tile, kept, R, V * kLanes);
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
  VF totals[R][V];
  HWY_UNROLL(8) for (std::size_t r = 0; r < R; ++r) {
    HWY_UNROLL(8) for (std::size_t v = 0; v < V; ++v) totals[r][v] = hn::Zero(kFloats);
  }
  for (std::size_t g = 0; g < groups; ++g, group += int4_group_bytes(width)) {
    VI sums[R][V][kInt4Sums];  // Begin at what the weights' offset of 8 adds.
    HWY_UNROLL(8) for (std::size_t r = 0; r < R; ++r) {
      const VI start = hn::Set(kInts, -8 * tile.rows.group_sums[(tile.row + r) * groups + g]);
      HWY_UNROLL(8) for (std::size_t v = 0; v < V; ++v) {
        sums[r][v][kInt4Sums - 1] = hn::Zero(kInts);
        sums[r][v][0] = start;
      }
    }
    const std::uint8_t* weights = group + tile.begin * kQuad;
    HWY_UNROLL(4) for (std::size_t i = 0; i < kInt4Group; i += 2 * kQuad, weights += width * kQuad) {
      VI low[V], high[V];
      HWY_UNROLL(8) for (std::size_t v = 0; v < V; ++v) {
        const VI both = load_quads(weights + v * kVectorBytes);
        low[v] = lower_half(both);
        high[v] = upper_half(both);
      }
      HWY_UNROLL(8) for (std::size_t r = 0; r < R; ++r) {
        const std::uint8_t* const q = tile.q(r) + g * kInt4Group + i;
        const VI q_low = broadcast_quad(q);
        const VI q_high = broadcast_quad(q + kQuad);
        HWY_UNROLL(8) for (std::size_t v = 0; v < V; ++v) add_int4(sums[r][v], low[v], high[v], q_low, q_high);
      }
    }
    const std::uint8_t* const scales = group + width * (kInt4Group / 2) + tile.begin * sizeof(std::uint16_t);
    HWY_UNROLL(8) for (std::size_t v = 0; v < V; ++v) {
      const VF scale = load_bfloat16(scales + v * kLanes * sizeof(std::uint16_t));
      HWY_UNROLL(8) for (std::size_t r = 0; r < R; ++r) {
        totals[r][v] = hn::Add(totals[r][v], hn::Mul(hn::ConvertTo(kFloats, total_of(sums[r][v])), scale));
      }
    }
  }
  float kept[R * V * kLanes];
  HWY_UNROLL(8) for (std::size_t r = 0; r < R; ++r) {
    HWY_UNROLL(8) for (std::size_t v = 0; v < V; ++v) hn::StoreU(totals[r][v], kFloats, kept + (r * V + v) * kLanes);
  }
  finish_int4(tile, kept, R, V * kLanes);
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

/// Vectors beside each other in a tile of so many rows, so that its sums and weights fit the registers: 32 of them with
/// AVX-512 and on Arm, else 16. Where they fit, a whole panel, which is then read from front to end.
constexpr std::size_t vectors_of(Format format, std::size_t rows) {
  constexpr bool kMany = HWY_TARGET == HWY_AVX3_DL || HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_NEON;
  const std::size_t sums = (kMany ? 16 : 8) / (format == Format::kInt8 ? 1 : 2);
  return rows == 1 ? 4 : std::min<std::size_t>(sums / rows, 4);
}

template <Format kFormat>
void run_panel(Tile tile) {
  std::size_t left = tile.rows.count;
  for (; left >= 4; left -= 4, tile.row += 4) run_rows<kFormat, 4, vectors_of(kFormat, 4)>(tile);
  for (; left >= 2; left -= 2, tile.row += 2) run_rows<kFormat, 2, vectors_of(kFormat, 2)>(tile);
  if (left == 1) run_rows<kFormat, 1, vectors_of(kFormat, 1)>(tile);
}

/// Another thread has written the rows and read the outputs: all lines are asked for at once, not one after the other.
HWY_INLINE void fetch_rows(const QuantizedRows& rows) {
  constexpr std::size_t kLine = 64, kFewBytes = 8192;
  const std::size_t bytes = rows.count * rows.stride;
  for (std::size_t i = 0; i < std::min(bytes, kFewBytes); i += kLine) __builtin_prefetch(rows.values + i);
  for (std::size_t i = 0; i < rows.groups; i += kLine / sizeof(std::int32_t)) __builtin_prefetch(rows.group_sums + i);
}
HWY_INLINE void fetch_outputs(const Tile& tile) {
  constexpr std::size_t kLineFloats = 16, kRowsMax = 4;
  for (std::size_t r = 0; r < std::min(tile.rows.count, kRowsMax); ++r) {
    const float* const to = tile.output + r * tile.layer.outputs + tile.panel * kPanel;
    for (std::size_t i = 0; i < kPanel; i += kLineFloats) __builtin_prefetch(to + i, 1);
  }
}

void run_panels(const PackedView& layer, Format format, const QuantizedRows& rows, std::size_t first, std::size_t last,
                float* output, Activation activation) {
  fetch_rows(rows);
  for (std::size_t panel = first; panel < last; ++panel) {
    const Tile tile{layer, rows, 0, panel, 0, output, activation};
    fetch_outputs(tile);
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

HWY_EXPORT(run_panels);

void run_panels(const PackedView& layer, Format format, const QuantizedRows& rows, std::size_t first, std::size_t last,
                float* output, Activation activation) {
  HWY_DYNAMIC_DISPATCH(run_panels)(layer, format, rows, first, last, output, activation);
}

}  // namespace hearth::edge::kernels
#endif  // HWY_ONCE
