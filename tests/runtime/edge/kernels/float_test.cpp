// Goal: FP32 layers and what stands between layers. Method: random shapes against plain loops in double, with every
// vector code of this machine.
#include <rapidcheck.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "runtime/edge/kernels/elementwise.h"
#include "runtime/edge/kernels/float_linear.h"
#include "runtime/edge/kernels/linear.h"

using namespace hearth;
using namespace hearth::edge::kernels;

namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

std::vector<float> numbers(std::size_t count, std::uint64_t seed, float size) {
  std::vector<float> made(count);
  std::uint64_t state = seed * 2 + 1;
  for (float& x : made) {
    state = state * 6364136223846793005U + 1442695040888963407U;
    x = (static_cast<float>(state >> 40) / static_cast<float>(1 << 23) - 1) * size;
  }
  return made;
}

void for_each_code(const std::function<void()>& check) {
  for (const std::string& code : vector_codes()) {
    choose_vector_code(code);
    check();
  }
  choose_vector_code("");
}

double exact(Unary function, double x) {
  switch (function) {
    case Unary::kRelu:
      return x < 0 ? 0 : x;
    case Unary::kGelu:
      return x * (1 + std::erf(x / std::sqrt(2.0))) / 2;
    case Unary::kGeluTanh:
      return x / 2 * (1 + std::tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
    case Unary::kTanh:
      return std::tanh(x);
    case Unary::kSigmoid:
      return 1 / (1 + std::exp(-x));
  }
  return 0;
}

constexpr Unary kAllUnary[] = {Unary::kRelu, Unary::kGelu, Unary::kGeluTanh, Unary::kTanh, Unary::kSigmoid};

}  // namespace

TEST_CASE("An FP32 layer gives what plain loops in double give, and each row the same in every batch") {
  const bool held = rc::check([] {
    const auto outputs = *rc::gen::inRange<std::size_t>(1, 150);
    const auto inputs = *rc::gen::inRange<std::size_t>(1, 90);
    const auto rows = *rc::gen::inRange<std::size_t>(0, 10);
    const auto seed = *rc::gen::inRange<std::uint64_t>(0, 1'000'000);
    const auto weights = numbers(outputs * inputs, seed, 1);
    const auto bias = seed % 3 == 0 ? std::vector<float>() : numbers(outputs, seed + 1, 1);
    const auto input = numbers(rows * inputs, seed + 2, 1);
    const auto layer = FloatLinear::pack(outputs, inputs, weights, bias);
    RC_ASSERT(layer.ok());
    for_each_code([&] {
      std::vector<float> output(rows * outputs, 7);
      run_linear(*layer, input, rows, output);
      std::vector<float> alone(outputs);
      for (std::size_t r = 0; r < rows; ++r) {
        run_linear(*layer, std::span(input).subspan(r * inputs, inputs), 1, alone);
        for (std::size_t n = 0; n < outputs; ++n) {
          double sum = bias.empty() ? 0 : bias[n];
          for (std::size_t k = 0; k < inputs; ++k) sum += double{input[r * inputs + k]} * weights[n * inputs + k];
          RC_ASSERT(std::abs(output[r * outputs + n] - sum) < 2e-5);
          RC_ASSERT(output[r * outputs + n] == alone[n]);
        }
      }
    });
  });
  CHECK(held);
}

TEST_CASE("An FP32 layer whose sizes disagree is refused") {
  const std::vector<float> six(6);
  CHECK(FloatLinear::pack(2, 3, six, {}).ok());
  CHECK(FloatLinear::pack(2, 4, six, {}).error().message ==
        "linear layer: 6 weights and 0 bias values, expected 2 x 4");
  CHECK_FALSE(FloatLinear::pack(2, 3, six, six).ok());
  CHECK_FALSE(FloatLinear::pack(0, 3, {}, {}).ok());
}

TEST_CASE("Activations are within a millionth of the exact ones, keep NaN, and reach their limits") {
  for_each_code([] {
    for (const Unary function : kAllUnary) {
      for (const float size : {0.01F, 1.0F, 5.0F, 30.0F}) {
        const auto from = numbers(1003, 5, size);
        std::vector<float> to(from.size());
        apply(function, from, to);
        double worst = 0;
        for (std::size_t i = 0; i < from.size(); ++i) {
          worst = std::max(worst, std::abs(to[i] - exact(function, from[i])) / std::max(1.0F, size));
        }
        INFO("function " << static_cast<int>(function) << ", size " << size);
        CHECK(worst < 1e-6);
      }
      std::vector<float> ends = {kNan, kInfinity, -kInfinity, 0};
      apply(function, ends, ends);
      CHECK(std::isnan(ends[0]));
      const bool saturates = function == Unary::kTanh || function == Unary::kSigmoid;
      CHECK(ends[1] == (saturates ? 1 : kInfinity));
      if (saturates || function == Unary::kRelu) CHECK(std::abs(ends[2] - (function == Unary::kTanh ? -1 : 0)) < 1e-30);
      CHECK(ends[3] == (function == Unary::kSigmoid ? 0.5F : 0));
    }
  });
}

TEST_CASE("Softmax and its logarithm are within a millionth of the exact ones, whatever a row's length and offset") {
  const bool held = rc::check([] {
    const auto width = *rc::gen::inRange<std::size_t>(1, 70);
    const auto rows = *rc::gen::inRange<std::size_t>(0, 4);
    const auto seed = *rc::gen::inRange<std::uint64_t>(0, 1'000'000);
    auto from = numbers(rows * width, seed, 20);
    for (float& x : from) x += static_cast<float>(seed % 200) - 100;
    if (!from.empty() && width > 1) from[0] = -kInfinity;  // As attention masks do.
    for_each_code([&] {
      std::vector<float> to(from.size());
      std::vector<float> log = from;
      softmax(from, width, false, to);
      softmax(log, width, true, log);
      for (std::size_t r = 0; r < rows; ++r) {
        const float* const row = from.data() + r * width;
        const double top = *std::max_element(row, row + width);
        double sum = 0;
        for (std::size_t i = 0; i < width; ++i) sum += std::exp(row[i] - top);
        for (std::size_t i = 0; i < width; ++i) {
          const double x = row[i] - top;
          RC_ASSERT(std::abs(to[r * width + i] - std::exp(x) / sum) < 1e-6);
          if (std::isfinite(x)) RC_ASSERT(std::abs(log[r * width + i] - (x - std::log(sum))) < 4e-5);
        }
      }
      if (!from.empty() && width > 1) RC_ASSERT(to[0] == 0 && log[0] == -kInfinity);
    });
  });
  CHECK(held);
}

TEST_CASE("A sum and a product repeat the shorter side") {
  for_each_code([] {
    for (const std::size_t period : {1U, 3U, 21U, 42U}) {
      const auto a = numbers(42, 1, 1);
      const auto b = numbers(period, 2, 1);
      std::vector<float> sum = a;
      std::vector<float> product(a.size());
      apply(Binary::kAdd, sum, b, sum);
      apply(Binary::kMultiply, a, b, product);
      std::size_t wrong = 0;
      for (std::size_t i = 0; i < a.size(); ++i) {
        wrong += sum[i] != a[i] + b[i % period] || product[i] != a[i] * b[i % period] ? 1 : 0;
      }
      CHECK(wrong == 0);
    }
  });
}
