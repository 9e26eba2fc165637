// Goal: a plan runs its steps over buffers that it shares out, and allocates nothing. Method: random plans next to the
// same steps with a buffer for each value; a program of its own, since it counts what it allocates.
#include "runtime/edge/flat_plan.h"

#include <rapidcheck.h>

#include <catch2/catch.hpp>
#include <cmath>
#include <functional>
#include <string>

#include "bench/counted_new.h"
#include "runtime/edge/flat_model.h"
#include "runtime/edge/kernels/quantize_weights.h"

using namespace hearth;
using namespace hearth::edge;
using kernels::Activation;
using kernels::Binary;
using kernels::Unary;

namespace {

std::vector<float> numbers(std::size_t count, std::size_t seed) {
  std::vector<float> made(count);
  for (std::size_t i = 0; i < count; ++i) made[i] = std::sin(static_cast<float>(i + 31 * seed) * 12.9898F);
  return made;
}

std::shared_ptr<const kernels::FloatLinear> float_layer(std::size_t outputs, std::size_t inputs, std::size_t seed) {
  return std::make_shared<const kernels::FloatLinear>(
      kernels::FloatLinear::pack(outputs, inputs, numbers(outputs * inputs, seed), numbers(outputs, seed + 1)).value());
}

std::shared_ptr<const kernels::PackedLinear> int8_layer(std::size_t outputs, std::size_t inputs, std::size_t seed) {
  const auto q = kernels::quantize_int8(numbers(outputs * inputs, seed), outputs).value();
  return std::make_shared<const kernels::PackedLinear>(
      kernels::PackedLinear::pack(kernels::Int8Weights{outputs, inputs, q.values, q.scales, {}}).value());
}

std::vector<Tensor> input_of(std::vector<std::int64_t> shape) {
  std::size_t count = 1;
  for (const std::int64_t size : shape) count *= static_cast<std::size_t>(size);
  return {Tensor::of_floats("x", std::move(shape), numbers(count, 3))};
}

std::vector<float> values_of(const FlatPlan::View& view) { return {view.values.begin(), view.values.end()}; }
std::vector<std::int64_t> dims_of(const FlatPlan::View& view) { return {view.shape.begin(), view.shape.end()}; }

/// The plan, and next to it what each of its values must be.
struct Twin {
  FlatPlan plan;
  std::vector<std::vector<float>> values;  // All of [rows, kWidth].
  static constexpr std::size_t kWidth = 24;

  void add_step(std::size_t rows) {
    const auto any = [&] { return *rc::gen::inRange<std::size_t>(0, values.size()); };
    const std::size_t x = any();
    std::vector<float> to(rows * kWidth);
    switch (*rc::gen::inRange(0, 6)) {
      case 0: {
        const auto layer = int8_layer(kWidth, kWidth, x);
        kernels::Scratch scratch;
        kernels::run_linear(*layer, values[x], rows, to, Activation::kRelu, scratch);
        plan.add_linear(static_cast<FlatPlan::Value>(x), layer, Activation::kRelu);
        break;
      }
      case 1: {
        const auto layer = float_layer(kWidth, kWidth, x);
        kernels::run_linear(*layer, values[x], rows, to);
        plan.add_linear(static_cast<FlatPlan::Value>(x), layer);
        break;
      }
      case 2:
        kernels::apply(Unary::kTanh, values[x], to);
        plan.add_unary(static_cast<FlatPlan::Value>(x), Unary::kTanh);
        break;
      case 3:
        kernels::softmax(values[x], kWidth, false, to);
        plan.add_softmax(static_cast<FlatPlan::Value>(x), -1, false);
        break;
      case 4: {
        const std::size_t y = any();
        kernels::apply(Binary::kAdd, values[x], values[y], to);
        plan.add_binary(static_cast<FlatPlan::Value>(x), static_cast<FlatPlan::Value>(y), Binary::kAdd);
        break;
      }
      default:
        to = values[x];
        plan.add_reshape(static_cast<FlatPlan::Value>(x), {{.number = -1}, {.number = kWidth}});
    }
    values.push_back(std::move(to));
  }
};

}  // namespace

TEST_CASE("Whatever the steps and whoever reads what, sharing buffers changes no bit") {
  const bool held = rc::check([] {
    const auto rows = *rc::gen::inRange<std::size_t>(0, 4);
    const auto inputs = input_of({static_cast<std::int64_t>(rows), Twin::kWidth});
    Twin twin;
    twin.plan.add_input();
    twin.values.push_back(numbers(rows * Twin::kWidth, 3));
    const auto steps = *rc::gen::inRange(1, 12);
    for (int i = 0; i < steps; ++i) twin.add_step(rows);
    const auto shown = *rc::gen::container<std::vector<FlatPlan::Value>>(
        3, rc::gen::inRange<FlatPlan::Value>(0, static_cast<FlatPlan::Value>(twin.values.size())));
    twin.plan.finish(shown);
    FlatPlan::Workspace workspace;
    for (int pass = 0; pass < 2; ++pass) {
      RC_ASSERT(twin.plan.run(inputs, workspace).ok());
      for (std::size_t i = 0; i < shown.size(); ++i) {
        RC_ASSERT(values_of(twin.plan.output(workspace, i)) == twin.values[shown[i]]);
      }
    }
  });
  CHECK(held);
}

TEST_CASE("A chain of layers needs two buffers, and a call on shapes it has seen allocates nothing") {
  FlatPlan plan;
  auto x = plan.add_input();
  x = plan.add_flatten(x, 1, -1);
  for (std::size_t i = 0; i < 6; ++i) {
    x = i % 2 == 0 ? plan.add_linear(x, float_layer(40, 40, i))
                   : plan.add_linear(x, int8_layer(40, 40, i), Activation::kGelu);
    x = plan.add_unary(x, Unary::kSigmoid);
  }
  const auto bias = plan.add_constant(*shape_of(std::vector<std::int64_t>{40}), numbers(40, 9));
  x = plan.add_softmax(plan.add_binary(x, bias, Binary::kAdd), 1, true);
  plan.finish({x});
  CHECK(plan.buffers() == 2);
  FlatPlan::Workspace workspace;
  const auto large = input_of({9, 5, 8});
  const auto small = input_of({1, 5, 8});
  REQUIRE(plan.run(large, workspace).ok());
  const auto first = values_of(plan.output(workspace, 0));
  REQUIRE(plan.run(small, workspace).ok());
  CHECK(dims_of(plan.output(workspace, 0)) == std::vector<std::int64_t>{1, 40});
  bool good = true;
  const std::size_t before = bench::allocations;
  for (int i = 0; i < 50; ++i) good &= plan.run(i % 2 == 0 ? large : small, workspace).ok();
  CHECK(bench::allocations - before == 0);
  CHECK(good);
  REQUIRE(plan.run(large, workspace).ok());
  CHECK(values_of(plan.output(workspace, 0)) == first);
}

TEST_CASE("A model that is a plan allocates its answer and nothing else") {
  FlatPlan plan;
  plan.finish({plan.add_linear(plan.add_input(), float_layer(10, 40, 1))});
  EdgeBinding binding;
  binding.file = "m.pt";
  binding.outputs = {{"scores", Datatype::kFp32, {1, 10}}};
  const auto model = std::make_shared<FlatModel>(std::move(plan), binding, "hash", std::make_shared<WorkerPool>(1));
  const auto inputs = input_of({1, 40});
  CHECK(model->run(inputs).ok());
  const std::size_t before = bench::allocations;
  CHECK(model->run(inputs).ok());
  const std::size_t after = bench::allocations;
  CHECK(after - before == 3);  // The vector of outputs, the output's shape, its bytes.
  CHECK(model->run(input_of({2, 40})).error().message == "m.pt: output \"scores\" has another shape than bound");
}

TEST_CASE("Shapes: what a batch or a reshape may be, and how a call that does not fit is refused") {
  const auto outcome = [](const std::function<FlatPlan::Value(FlatPlan&, FlatPlan::Value)>& make,
                          std::vector<std::int64_t> shape) {
    FlatPlan plan;
    plan.finish({make(plan, plan.add_input())});
    FlatPlan::Workspace workspace;
    const Status done = plan.run(input_of(std::move(shape)), workspace);
    if (!done.ok()) return done.error().message;
    std::string text;
    for (const std::int64_t size : plan.output(workspace, 0).shape) text += std::to_string(size) + " ";
    return text;
  };
  using Sizes = std::vector<FlatPlan::Size>;
  const auto reshape = [](Sizes sizes) {
    return [sizes](FlatPlan& plan, FlatPlan::Value x) { return plan.add_reshape(x, sizes); };
  };
  CHECK(outcome(reshape({{.number = -1}, {.number = 6}}), {4, 3}) == "2 6 ");
  CHECK(outcome(reshape({{.number = -1}, {.number = 6}}), {0, 3}) == "0 6 ");
  CHECK(outcome(reshape({{.of = 0, .dimension = 0}, {.number = -1}}), {4, 3, 2}) == "4 6 ");
  CHECK(outcome(reshape({{.number = 5}, {.number = -1}}), {4, 3}) == "reshape: [4,3] does not fit");
  CHECK(outcome(reshape({{.number = 0}, {.number = -1}}), {0, 3}) == "reshape: nothing says what is left over");
  CHECK(outcome(reshape({{.number = -1}, {.number = -1}}), {4, 3}) == "reshape: a bad size");
  CHECK(outcome(reshape({{.of = 0, .dimension = 2}}), {4, 3}) == "reshape: no such dimension");

  const auto linear = [](FlatPlan& plan, FlatPlan::Value x) { return plan.add_linear(x, float_layer(5, 3, 1)); };
  CHECK(outcome(linear, {2, 7, 3}) == "2 7 5 ");
  CHECK(outcome(linear, {3}) == "5 ");
  CHECK(outcome(linear, {0, 3}) == "0 5 ");
  CHECK(outcome(linear, {3, 2}) == "linear layer: [3,2] given, expected [..., 3]");

  const auto plus = [](std::vector<std::int64_t> dims) {
    return [dims](FlatPlan& plan, FlatPlan::Value x) {
      const Shape shape = *shape_of(dims);
      return plan.add_binary(x, plan.add_constant(shape, numbers(shape.count(), 1)), Binary::kAdd);
    };
  };
  CHECK(outcome(plus({3}), {2, 3}) == "2 3 ");
  CHECK(outcome(plus({3}), {0, 3}) == "0 3 ");
  CHECK(outcome(plus({2, 3}), {3}) == "2 3 ");
  CHECK(outcome(plus({1, 1, 3}), {2, 3}) == "1 2 3 ");
  CHECK(outcome(plus({}), {2, 3}) == "2 3 ");
  CHECK(outcome(plus({2, 1}), {2, 3}) == "[2,3] and [2,1] do not fit together");

  const auto softmax = [](FlatPlan& plan, FlatPlan::Value x) { return plan.add_softmax(x, 0, false); };
  CHECK(outcome(softmax, {3}) == "3 ");
  CHECK(outcome(softmax, {2, 3}) == "softmax: not over the last dimension");
  const auto flatten = [](FlatPlan& plan, FlatPlan::Value x) { return plan.add_flatten(x, 1, -2); };
  CHECK(outcome(flatten, {2, 3, 4, 5}) == "2 12 5 ");
  CHECK(outcome(flatten, {2}) == "flatten: [2] has no such dimensions");
}
