/// \file FlatPlan: a model as a flat list of kernels over buffers that are kept. No LibTorch, no interpreter; a call
/// allocates nothing once a workspace has seen its shapes.
///
/// FP32 tensors of at most kRankMax dimensions. Shapes are worked out when the inputs' shapes change, so a batch may be
/// of any size; what does not fit is an error of that call. Threads: a finished plan may be used from any number of
/// threads, a Workspace from one at a time.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include <hearth/result.h>
#include <hearth/tensor.h>

#include "runtime/edge/kernels/elementwise.h"
#include "runtime/edge/kernels/float_linear.h"
#include "runtime/edge/kernels/linear.h"

namespace hearth::edge {

inline constexpr std::size_t kRankMax = 8;

struct Shape {
  std::array<std::int64_t, kRankMax> sizes{};
  std::size_t rank = 0;

  std::span<const std::int64_t> dims() const { return {sizes.data(), rank}; }
  std::size_t count() const;
  bool operator==(const Shape&) const = default;
};
/// Nothing for too many dimensions or a negative one.
std::optional<Shape> shape_of(std::span<const std::int64_t> dims);

class FlatPlan {
 public:
  using Value = std::uint32_t;  ///< A tensor in the plan.

  /// One size of a new shape: a number (-1: what is left over), or a dimension that a tensor has.
  struct Size {
    std::int64_t number = 0;
    std::optional<Value> of = {};
    std::size_t dimension = 0;  ///< Of `of`.
  };

  /// What one pass works in: shapes, buffers, quantized rows. Grows to the largest inputs it has served.
  class Workspace {
   private:
    friend class FlatPlan;
    std::vector<Shape> shapes_;       // Of each value, for the inputs as they were last.
    std::vector<const float*> data_;  // Of each value.
    std::vector<std::vector<float>> buffers_;
    kernels::Scratch scratch_;
    bool fitted_ = false;
  };

  // ---- Building. Values are made before they are used.
  // ----------------------------------------------------------------
  Value add_input();
  Value add_constant(const Shape& shape, std::vector<float> values);
  Value add_linear(Value x, std::shared_ptr<const kernels::PackedLinear> layer, kernels::Activation activation);
  Value add_linear(Value x, std::shared_ptr<const kernels::FloatLinear> layer);
  Value add_unary(Value x, kernels::Unary function);
  Value add_softmax(Value x, std::int64_t dimension, bool log);  ///< Only the last dimension will run.
  Value add_binary(Value a, Value b, kernels::Binary function);  ///< One shape must be the end of the other.
  Value add_reshape(Value x, std::vector<Size> sizes);
  Value add_flatten(Value x, std::int64_t first, std::int64_t last);
  /// Decides which values share memory. Afterwards nothing is added.
  void finish(std::vector<Value> outputs);

  // ---- Running
  // --------------------------------------------------------------------------------------------------------
  /// `inputs`: FP32, as many as were added. kInvalidArgument, one line without numbers of the payload, when shapes do
  /// not fit the layers. What output() shows lives until the workspace's next run; it may lie in an input.
  Status run(std::span<const Tensor> inputs, Workspace& workspace) const;
  std::size_t outputs() const { return outputs_.size(); }
  struct View {
    std::span<const std::int64_t> shape;
    std::span<const float> values;
  };
  View output(const Workspace& workspace, std::size_t i) const;

  std::size_t steps() const { return steps_.size(); }
  std::size_t buffers() const { return buffers_; }
  /// Of the weights and constants.
  std::size_t bytes() const;

 private:
  enum class Kind : std::uint8_t { kPacked, kFloat, kUnary, kSoftmax, kBinary, kReshape, kFlatten };
  struct Step {
    Kind kind;
    Value x = 0, y = 0, to = 0;  // `y` of kBinary.
    std::shared_ptr<const kernels::PackedLinear> packed = {};
    std::shared_ptr<const kernels::FloatLinear> plain = {};
    kernels::Activation activation = kernels::Activation::kNone;
    kernels::Unary unary = kernels::Unary::kRelu;
    kernels::Binary binary = kernels::Binary::kAdd;
    bool log = false;
    std::int64_t first = 0, last = 0;  // Dimensions.
    std::vector<Size> sizes = {};
  };
  static constexpr std::uint32_t kNoBuffer = 0xFFFFFFFF;
  struct Slot {
    std::uint32_t buffer = kNoBuffer;
    std::uint32_t constant = kNoBuffer;  // Index in constants_.
  };
  struct Constant {
    Shape shape;
    std::vector<float> values;
  };

  Value add(Step step);
  static bool renames(Kind kind) { return kind == Kind::kReshape || kind == Kind::kFlatten; }
  Status fit(std::span<const Tensor> inputs, Workspace& workspace) const;
  Result<Shape> shape_after(const Step& step, const Workspace& workspace) const;
  void run_step(const Step& step, Workspace& workspace) const;

  std::size_t inputs_ = 0;
  std::vector<Slot> values_;  // The inputs come first.
  std::vector<Constant> constants_;
  std::vector<Step> steps_;
  std::vector<Value> outputs_;
  std::size_t buffers_ = 0;
};

}  // namespace hearth::edge
