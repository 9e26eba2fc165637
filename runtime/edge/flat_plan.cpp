#include "runtime/edge/flat_plan.h"

#include <algorithm>
#include <cassert>
#include <numeric>
#include <optional>
#include <string>
#include <utility>

namespace hearth::edge {
namespace {

std::string text_of(const Shape& shape) {
  std::string text = "[";
  for (const std::int64_t size : shape.dims()) text += (text.size() > 1 ? "," : "") + std::to_string(size);
  return text + "]";
}

Error misfit(const std::string& what) { return {ErrorCode::kInvalidArgument, what}; }

/// -1 is the last dimension.
std::optional<std::size_t> dimension_of(const Shape& shape, std::int64_t dimension) {
  const auto rank = static_cast<std::int64_t>(shape.rank);
  if (dimension < -rank || dimension >= rank) return std::nullopt;
  return static_cast<std::size_t>(dimension < 0 ? dimension + rank : dimension);
}

Result<Shape> after_linear(Shape shape, std::size_t inputs, std::size_t outputs) {
  if (shape.rank == 0 || shape.sizes[shape.rank - 1] != static_cast<std::int64_t>(inputs)) {
    return misfit("linear layer: " + text_of(shape) + " given, expected [..., " + std::to_string(inputs) + "]");
  }
  shape.sizes[shape.rank - 1] = static_cast<std::int64_t>(outputs);
  return shape;
}

/// Without its leading ones, whose number says nothing.
std::span<const std::int64_t> core_of(const Shape& shape) {
  auto dims = shape.dims();
  while (!dims.empty() && dims.front() == 1) dims = dims.subspan(1);
  return dims;
}

/// The smaller shape must be the end of the larger: it is then repeated as a whole.
bool ends_with(const Shape& larger, const Shape& smaller) {
  const auto tail = core_of(smaller);
  return tail.size() <= larger.rank && std::ranges::equal(larger.dims().last(tail.size()), tail);
}

Result<Shape> after_binary(const Shape& a, const Shape& b) {
  const bool a_is_larger = ends_with(a, b);
  if (!a_is_larger && !ends_with(b, a)) return misfit(text_of(a) + " and " + text_of(b) + " do not fit together");
  const Shape& larger = a_is_larger ? a : b;
  const Shape& smaller = a_is_larger ? b : a;
  if (smaller.rank <= larger.rank) return larger;
  Shape grown;  // The smaller one brings leading ones.
  grown.rank = smaller.rank;
  std::ranges::fill(grown.sizes, 1);
  std::ranges::copy(larger.dims(), grown.sizes.begin() + static_cast<std::ptrdiff_t>(smaller.rank - larger.rank));
  std::fill(grown.sizes.begin() + static_cast<std::ptrdiff_t>(grown.rank), grown.sizes.end(), 0);
  return grown;
}

Result<Shape> after_flatten(const Shape& shape, std::int64_t first, std::int64_t last) {
  Shape scalar;
  scalar.rank = 1;
  scalar.sizes[0] = 1;
  if (shape.rank == 0) return scalar;
  const auto from = dimension_of(shape, first);
  const auto to = dimension_of(shape, last);
  if (!from || !to || *from > *to) return misfit("flatten: " + text_of(shape) + " has no such dimensions");
  Shape flat;
  for (std::size_t i = 0; i < shape.rank; ++i) {
    if (i > *from && i <= *to) {
      flat.sizes[flat.rank - 1] *= shape.sizes[i];
    } else {
      flat.sizes[flat.rank++] = shape.sizes[i];
    }
  }
  return flat;
}

}  // namespace

std::size_t Shape::count() const {
  return std::accumulate(
      sizes.begin(), sizes.begin() + static_cast<std::ptrdiff_t>(rank), std::size_t{1},
      [](std::size_t product, std::int64_t size) { return product * static_cast<std::size_t>(size); });
}

std::optional<Shape> shape_of(std::span<const std::int64_t> dims) {
  if (dims.size() > kRankMax || !element_count(dims)) return std::nullopt;
  Shape shape;
  shape.rank = dims.size();
  std::ranges::copy(dims, shape.sizes.begin());
  return shape;
}

FlatPlan::Value FlatPlan::add_input() {
  assert(values_.size() == inputs_);
  ++inputs_;
  values_.emplace_back();
  return static_cast<Value>(values_.size() - 1);
}

FlatPlan::Value FlatPlan::add_constant(const Shape& shape, std::vector<float> values) {
  assert(values.size() == shape.count());
  values_.push_back({kNoBuffer, static_cast<std::uint32_t>(constants_.size())});
  constants_.push_back({shape, std::move(values)});
  return static_cast<Value>(values_.size() - 1);
}

FlatPlan::Value FlatPlan::add(Step step) {
  values_.emplace_back();
  step.to = static_cast<Value>(values_.size() - 1);
  steps_.push_back(std::move(step));
  return steps_.back().to;
}

FlatPlan::Value FlatPlan::add_linear(Value x, std::shared_ptr<const kernels::PackedLinear> layer,
                                     kernels::Activation activation) {
  return add({.kind = Kind::kPacked, .x = x, .y = x, .packed = std::move(layer), .activation = activation});
}

FlatPlan::Value FlatPlan::add_linear(Value x, std::shared_ptr<const kernels::FloatLinear> layer) {
  return add({.kind = Kind::kFloat, .x = x, .y = x, .plain = std::move(layer)});
}

FlatPlan::Value FlatPlan::add_unary(Value x, kernels::Unary function) {
  return add({.kind = Kind::kUnary, .x = x, .y = x, .unary = function});
}

FlatPlan::Value FlatPlan::add_softmax(Value x, std::int64_t dimension, bool log) {
  return add({.kind = Kind::kSoftmax, .x = x, .y = x, .log = log, .first = dimension});
}

FlatPlan::Value FlatPlan::add_binary(Value a, Value b, kernels::Binary function) {
  return add({.kind = Kind::kBinary, .x = a, .y = b, .binary = function});
}

FlatPlan::Value FlatPlan::add_reshape(Value x, std::vector<Size> sizes) {
  return add({.kind = Kind::kReshape, .x = x, .y = x, .sizes = std::move(sizes)});
}

FlatPlan::Value FlatPlan::add_flatten(Value x, std::int64_t first, std::int64_t last) {
  return add({.kind = Kind::kFlatten, .x = x, .y = x, .first = first, .last = last});
}

void FlatPlan::finish(std::vector<Value> outputs) {
  outputs_ = std::move(outputs);
  // Whose memory a value lies in: a reshaped tensor lies in the one it was made from.
  std::vector<Value> root(values_.size());
  std::iota(root.begin(), root.end(), Value{0});
  for (const Step& step : steps_) {
    if (renames(step.kind)) root[step.to] = root[step.x];
  }
  std::vector<std::size_t> last_use(values_.size(), 0);
  for (std::size_t i = 0; i < steps_.size(); ++i) last_use[root[steps_[i].x]] = last_use[root[steps_[i].y]] = i;
  for (const Value output : outputs_) last_use[root[output]] = steps_.size();

  std::vector<std::uint32_t> free;
  for (std::size_t i = 0; i < steps_.size(); ++i) {
    const Step& step = steps_[i];
    if (renames(step.kind)) continue;
    // Taken before what the step reads is given back: no kernel but the element by element ones may work in place.
    const auto give_back = [&](Value value) {
      const std::uint32_t buffer = values_[root[value]].buffer;
      if (last_use[root[value]] == i && buffer != kNoBuffer && std::ranges::find(free, buffer) == free.end()) {
        free.push_back(buffer);
      }
    };
    const bool in_place = step.kind == Kind::kUnary || step.kind == Kind::kSoftmax;
    if (in_place) give_back(step.x);
    if (free.empty()) free.push_back(static_cast<std::uint32_t>(buffers_++));
    values_[step.to].buffer = free.back();
    free.pop_back();
    if (!in_place) {
      give_back(step.x);
      give_back(step.y);
    }
  }
  for (const Step& step : steps_) {
    if (renames(step.kind)) values_[step.to] = values_[root[step.x]];
  }
}

Result<Shape> FlatPlan::shape_after(const Step& step, const Workspace& workspace) const {
  const Shape& x = workspace.shapes_[step.x];
  switch (step.kind) {
    case Kind::kPacked:
      return after_linear(x, step.packed->inputs(), step.packed->outputs());
    case Kind::kFloat:
      return after_linear(x, step.plain->inputs(), step.plain->outputs());
    case Kind::kUnary:
      return x;
    case Kind::kSoftmax:
      if (dimension_of(x, step.first) != x.rank - 1) return misfit("softmax: not over the last dimension");
      return x;
    case Kind::kBinary:
      return after_binary(x, workspace.shapes_[step.y]);
    case Kind::kFlatten:
      return after_flatten(x, step.first, step.last);
    case Kind::kReshape:
      break;
  }
  Shape shape;
  std::optional<std::size_t> rest;
  std::int64_t product = 1;
  for (const Size& size : step.sizes) {
    std::int64_t number = size.number;
    if (size.of) {
      if (size.dimension >= workspace.shapes_[*size.of].rank) return misfit("reshape: no such dimension");
      number = workspace.shapes_[*size.of].sizes[size.dimension];
    }
    if (number == -1 && !rest) {
      rest = shape.rank;
      number = 1;
    }
    if (number < 0 || shape.rank == kRankMax) return misfit("reshape: a bad size");
    product *= number;
    shape.sizes[shape.rank++] = number;
  }
  const auto count = static_cast<std::int64_t>(x.count());
  if (rest && product > 0) {
    shape.sizes[*rest] = count / product;
    product *= count / product;
  } else if (rest) {
    return misfit("reshape: nothing says what is left over");
  }
  if (product != count) return misfit("reshape: " + text_of(x) + " does not fit");
  return shape;
}

Status FlatPlan::fit(std::span<const Tensor> inputs, Workspace& workspace) const {
  workspace.fitted_ = false;
  workspace.shapes_.assign(values_.size(), {});
  workspace.data_.assign(values_.size(), nullptr);
  workspace.buffers_.resize(buffers_);
  for (std::size_t i = 0; i < inputs_; ++i) {
    const auto shape = shape_of(inputs[i].shape);
    if (!shape || inputs[i].datatype != Datatype::kFp32 || inputs[i].data.size() != shape->count() * sizeof(float)) {
      return misfit("input " + std::to_string(i) + " is no FP32 tensor of its shape");
    }
    workspace.shapes_[i] = *shape;
  }
  for (std::size_t i = 0; i < values_.size(); ++i) {
    if (values_[i].constant == kNoBuffer) continue;
    workspace.shapes_[i] = constants_[values_[i].constant].shape;
    workspace.data_[i] = constants_[values_[i].constant].values.data();
  }
  for (const Step& step : steps_) {
    const auto shape = shape_after(step, workspace);
    if (!shape.ok()) return shape.error();
    workspace.shapes_[step.to] = *shape;
    if (renames(step.kind)) continue;
    auto& buffer = workspace.buffers_[values_[step.to].buffer];
    if (buffer.size() < shape->count()) buffer.resize(shape->count());
  }
  for (std::size_t i = 0; i < values_.size(); ++i) {
    if (values_[i].buffer != kNoBuffer) workspace.data_[i] = workspace.buffers_[values_[i].buffer].data();
  }
  workspace.fitted_ = true;
  return Done{};
}

Status FlatPlan::run(std::span<const Tensor> inputs, Workspace& workspace) const {
  if (inputs.size() != inputs_)
    return misfit("takes " + std::to_string(inputs_) + " inputs, got " + std::to_string(inputs.size()));
  bool same = workspace.fitted_;
  for (std::size_t i = 0; same && i < inputs_; ++i) {
    same = std::ranges::equal(workspace.shapes_[i].dims(), inputs[i].shape);
  }
  if (!same) {
    if (auto fitted = fit(inputs, workspace); !fitted.ok()) return fitted;
  }
  for (std::size_t i = 0; i < inputs_; ++i) {
    assert(inputs[i].data.size() == workspace.shapes_[i].count() * sizeof(float));
    workspace.data_[i] = reinterpret_cast<const float*>(inputs[i].data.data());
  }
  for (const Step& step : steps_) run_step(step, workspace);
  return Done{};
}

void FlatPlan::run_step(const Step& step, Workspace& workspace) const {
  if (renames(step.kind)) {
    workspace.data_[step.to] = workspace.data_[step.x];
    return;
  }
  const auto view = [&](Value value) {
    return std::span<const float>(workspace.data_[value], workspace.shapes_[value].count());
  };
  const auto x = view(step.x);
  const std::span<float> to(workspace.buffers_[values_[step.to].buffer].data(), workspace.shapes_[step.to].count());
  switch (step.kind) {
    case Kind::kPacked:
      kernels::run_linear(*step.packed, x, x.size() / step.packed->inputs(), to, step.activation, workspace.scratch_);
      break;
    case Kind::kFloat:
      kernels::run_linear(*step.plain, x, x.size() / step.plain->inputs(), to);
      break;
    case Kind::kUnary:
      kernels::apply(step.unary, x, to);
      break;
    case Kind::kSoftmax:
      kernels::softmax(x, static_cast<std::size_t>(workspace.shapes_[step.x].dims().back()), step.log, to);
      break;
    default: {
      const auto y = view(step.y);
      const bool x_is_larger = x.size() == to.size();
      kernels::apply(step.binary, x_is_larger ? x : y, x_is_larger ? y : x, to);
    }
  }
}

FlatPlan::View FlatPlan::output(const Workspace& workspace, std::size_t i) const {
  const Shape& shape = workspace.shapes_[outputs_[i]];
  return {shape.dims(), {workspace.data_[outputs_[i]], shape.count()}};
}

std::size_t FlatPlan::bytes() const {
  std::size_t sum = 0;
  for (const Step& step : steps_)
    sum += (step.packed ? step.packed->bytes() : 0) + (step.plain ? step.plain->bytes() : 0);
  for (const Constant& constant : constants_) sum += constant.values.size() * sizeof(float);
  return sum;
}

}  // namespace hearth::edge
