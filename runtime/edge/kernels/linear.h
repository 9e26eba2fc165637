/// \file Linear layers with int8 or int4 weights: activation(x W^T + b), x in FP32, quantized row by row as it comes.
///
/// Arithmetic. A row x is mapped to q in [-127, 127] with one scale and one zero point, so that zero stays exact; the
/// products q * w are summed exactly in int32 (nothing saturates, on any processor); the sums are scaled in FP32 in one
/// fixed order. So every processor gives the same bits, whatever its vectors, the batch or the number of threads.
/// A row that holds a NaN or an infinity gives NaN in each of its outputs. A row whose scale is below FLT_MIN counts as
/// zero. Numbers too small for a scale round to zero.
/// Threads: a PackedLinear may be used from any number of threads, a Scratch from one at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <hearth/result.h>

#include "runtime/edge/kernels/aligned_bytes.h"

namespace hearth::edge::kernels {

inline constexpr std::size_t kInputsMax = 65536;  ///< 254 * 128 * 65,536 < 2^31: what an int32 sum holds for sure.
inline constexpr std::size_t kInt4Group = 32;     ///< Inputs that share an int4 scale: 4.5 bits a weight.

enum class Format : std::uint8_t { kInt8, kInt4 };
enum class Activation : std::uint8_t { kNone, kRelu, kGelu };  ///< kGelu: the exact one (erf), within 3e-7 * |x|.

/// Weights as they stand in a file: one row of inputs for each output.
struct Int8Weights {
  std::size_t outputs = 0;
  std::size_t inputs = 0;
  std::span<const std::int8_t> values;  ///< outputs x inputs; -128 is as good as any.
  std::span<const float> scales;        ///< outputs.
  std::span<const float> bias;          ///< outputs, or empty.
};
struct Int4Weights {
  std::size_t outputs = 0;
  std::size_t inputs = 0;
  std::span<const std::uint8_t> values;   ///< outputs x ceil(inputs / 2); w + 8, the lower half first.
  std::span<const std::uint16_t> scales;  ///< outputs x ceil(inputs / kInt4Group), the bits of bfloat16.
  std::span<const float> bias;            ///< outputs, or empty.
};

/// Weights that own their memory, in either format; what is not of the format is empty.
struct PlainWeights {
  std::size_t outputs = 0;
  std::size_t inputs = 0;
  std::vector<std::int8_t> int8;
  std::vector<float> int8_scales;
  std::vector<std::uint8_t> int4;
  std::vector<std::uint16_t> int4_scales;
  std::vector<float> bias;  ///< Zeros when there was none.
};

/// A layer laid out for reading from front to end: panels of 64 outputs, four inputs of each output side by side.
/// The layout is the same on every processor.
class PackedLinear {
 public:
  /// kInvalidArgument, one line, when sizes disagree, a side is zero or above its bound, a scale or bias is not finite.
  static Result<PackedLinear> pack(const Int8Weights& weights);
  static Result<PackedLinear> pack(const Int4Weights& weights);
  /// What was packed, to be saved. With an odd number of int4 inputs the last half byte of a row is 8.
  PlainWeights unpack() const;

  Format format() const { return format_; }
  std::size_t inputs() const { return inputs_; }
  std::size_t outputs() const { return outputs_; }
  /// What one pass over the layer reads.
  std::size_t bytes() const;

 private:
  friend struct PackedView;
  PackedLinear(Format format, std::size_t outputs, std::size_t inputs, std::span<const float> bias);

  Format format_;
  std::size_t outputs_;
  std::size_t inputs_;
  AlignedBytes weights_;
  std::vector<float> scales_;       // int8
  std::vector<std::int32_t> sums_;  // int8: of each output's weights
  std::vector<float> scaled_sums_;  // int4: of each output's weights, scaled
  std::vector<float> bias_;
};

/// Runs task(0) ... task(parts - 1), on any threads, and returns when all have returned.
using Task = std::function<void(std::size_t part)>;
using ParallelFor = std::function<void(std::size_t parts, const Task& task)>;

/// Who computes. The kernels own no thread.
struct Threads {
  std::size_t count = 1;
  ParallelFor run;  ///< Gets a few parts for each thread; may be empty when count is 1.
};

/// Where a call keeps its quantized rows; grows to the largest call it has served.
class Scratch {
 public:
  struct Row {
    float scale;
    std::int32_t zero_point;
  };

 private:
  friend struct QuantizedRows;
  AlignedBytes values_;
  std::vector<Row> rows_;
  std::vector<std::int32_t> group_sums_;
};

/// output[r][n] = activation(sum_k input[r][k] * weight[n][k] + bias[n]). `input` holds rows x inputs, `output` rows x
/// outputs; they must not overlap. No rows: nothing happens.
void run_linear(const PackedLinear& layer, std::span<const float> input, std::size_t rows, std::span<float> output,
                Activation activation, Scratch& scratch, const Threads& threads = {});

/// The names of the vector code that runs on this processor, best first: "AVX3_DL" (AVX-512 with VNNI), "AVX3", "AVX2",
/// "NEON", ... The first is what runs.
std::vector<std::string> vector_codes();
/// For tests and benchmarks: from now on this one of vector_codes() runs; an empty name brings the best back. Not while
/// a layer runs.
void choose_vector_code(std::string_view name);

}  // namespace hearth::edge::kernels
