#include <rapidcheck.h>

#include <algorithm>
#include <bit>
#include <catch2/catch.hpp>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "runtime/edge/kernels/conv.h"
#include "tests/runtime/edge/kernels/reference.h"

using namespace hearth;
using namespace hearth::edge::kernels;
using Catch::Matchers::Contains;

namespace {

/// Numbers that need no library: the same ones each time.
class Numbers {
 public:
  explicit Numbers(std::uint64_t seed) : state_(seed * 2 + 1) {}
  std::uint32_t next() {
    state_ = state_ * 6364136223846793005U + 1442695040888963407U;
    return static_cast<std::uint32_t>(state_ >> 33);
  }
  float real() { return static_cast<float>(next() % 20001) / 10000 - 1; }

 private:
  std::uint64_t state_;
};

struct Case {
  ConvShape shape;
  ActivationRange range;
  std::size_t images, height, width;
  std::vector<std::int8_t> int8;
  std::vector<float> scales, bias, input;

  Int8Weights weights() const { return {shape.outputs, shape.patch(), int8, scales, bias}; }
  std::size_t out_size() const { return images * shape.out(0, height) * shape.out(1, width) * shape.outputs; }
};

Case make_case(const ConvShape& shape, std::size_t images, std::size_t height, std::size_t width, ActivationRange range,
               bool extreme, std::uint64_t seed) {
  Numbers numbers(seed);
  Case made{shape, range, images, height, width, {}, {}, {}, {}};
  for (std::size_t i = 0; i < shape.outputs * shape.patch(); ++i) {
    const auto any = static_cast<std::int8_t>(numbers.next());
    made.int8.push_back(extreme ? (any < 0 ? std::int8_t{-128} : std::int8_t{127}) : any);
  }
  for (std::size_t i = 0; i < shape.outputs; ++i) made.scales.push_back(numbers.real() / 100);
  for (std::size_t i = 0; i < shape.outputs && numbers.next() % 2 == 0; ++i) made.bias.push_back(0);
  made.bias.resize(made.bias.size() == shape.outputs ? shape.outputs : 0);
  for (float& b : made.bias) b = numbers.real();
  for (std::size_t i = 0; i < images * height * width * shape.channels; ++i) {
    made.input.push_back(extreme ? (numbers.real() < 0 ? -1.0F : 1.0F) : numbers.real());
  }
  return made;
}

/// Plain loops, int64 sums.
std::vector<float> reference(const Case& c, Activation activation) {
  const float low = std::min(c.range.low, 0.0F), high = std::max(c.range.high, 0.0F);
  float scale = high * (1.0F / 254) - low * (1.0F / 254), inverse = 0;
  std::int64_t zero = 0;
  if (scale < std::numeric_limits<float>::min()) {
    scale = 0;
  } else {
    inverse = 1 / scale;
    zero = std::clamp<std::int64_t>(std::llrint(-127 - low * inverse), -127, 127);
  }
  const std::size_t size = c.height * c.width * c.shape.channels;
  std::vector<float> output;
  for (std::size_t i = 0; i < c.images; ++i) {
    const auto image = std::span(c.input).subspan(i * size, size);
    const bool finite = std::ranges::all_of(image, [](float x) { return std::isfinite(x); });
    const auto q = [&](std::int64_t y, std::int64_t x, std::size_t channel) -> std::int64_t {
      if (y < 0 || x < 0 || y >= static_cast<std::int64_t>(c.height) || x >= static_cast<std::int64_t>(c.width))
        return 0;
      const float value =
          image[(static_cast<std::size_t>(y) * c.width + static_cast<std::size_t>(x)) * c.shape.channels + channel];
      const float steps = std::clamp(value * inverse, -1000.0F, 1000.0F);
      return std::clamp<std::int64_t>(std::llrint(steps) + zero, -127, 127) - zero;
    };
    for (std::size_t y = 0; y < c.shape.out(0, c.height); ++y) {
      for (std::size_t x = 0; x < c.shape.out(1, c.width); ++x) {
        for (std::size_t n = 0; n < c.shape.outputs; ++n) {
          std::int64_t sum = 0;
          for (std::size_t k = 0; finite && k < c.shape.patch(); ++k) {
            const std::size_t channel = k % c.shape.channels, kx = k / c.shape.channels % c.shape.kernel[1],
                              ky = k / c.shape.channels / c.shape.kernel[1];
            sum += q(static_cast<std::int64_t>(y * c.shape.stride[0] + ky * c.shape.dilation[0]) -
                         static_cast<std::int64_t>(c.shape.padding[0]),
                     static_cast<std::int64_t>(x * c.shape.stride[1] + kx * c.shape.dilation[1]) -
                         static_cast<std::int64_t>(c.shape.padding[1]),
                     channel) *
                   c.int8[n * c.shape.patch() + k];
          }
          const float row_scale = finite ? scale : std::numeric_limits<float>::quiet_NaN();
          const float scaled = static_cast<float>(static_cast<std::int32_t>(sum)) * (row_scale * c.scales[n]);
          const float made = scaled + (c.bias.empty() ? 0 : c.bias[n]);
          output.push_back(activation == Activation::kRelu && made < 0 ? 0 : made);
        }
      }
    }
  }
  return output;
}

std::vector<float> run(const Case& c, Activation activation) {
  const auto conv = PackedConv::pack(c.shape, c.range, c.weights());
  INFO((conv.ok() ? "" : conv.error().message));
  REQUIRE(conv.ok());
  ConvScratch scratch;
  std::vector<float> output(c.out_size());
  run_conv(*conv, c.input, c.images, c.height, c.width, output, activation, scratch);
  return output;
}

bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  return std::ranges::equal(a, b, [](float x, float y) {
    return std::isnan(x) ? std::isnan(y) : std::bit_cast<std::uint32_t>(x) == std::bit_cast<std::uint32_t>(y);
  });
}

/// The first vector code whose bits are not those of the reference; empty when there is none.
std::string first_difference(const Case& c, Activation activation) {
  const auto exact = reference(c, activation);
  std::string found;
  for (const std::string& name : vector_codes()) {
    choose_vector_code(name);
    if (!same_bits(run(c, activation), exact)) found = name;
  }
  choose_vector_code("");
  return found;
}

std::size_t between(std::size_t low, std::size_t high) { return *rc::gen::inRange(low, high + 1); }

}  // namespace

TEST_CASE("Every vector code gives the bits of plain loops, over random convolutions") {
  const auto holds = rc::check([] {
    ConvShape shape;
    shape.channels = between(1, 20);
    shape.outputs = between(1, 70);
    for (std::size_t axis = 0; axis < 2; ++axis) {
      shape.kernel[axis] = between(1, 4);
      shape.stride[axis] = between(1, 3);
      shape.padding[axis] = between(0, 3);
      shape.dilation[axis] = between(1, 2);
    }
    const float low = -static_cast<float>(between(0, 20)) / 10, high = static_cast<float>(between(0, 20)) / 10;
    const Case c = make_case(shape, between(0, 2), between(1, 10), between(1, 10), {low, high}, between(0, 4) == 0,
                             between(0, 1'000'000));
    RC_ASSERT(first_difference(c, between(0, 1) == 0 ? Activation::kNone : Activation::kRelu).empty());
  });
  CHECK(holds);
}

TEST_CASE("The largest sums that there are leave no int32, whatever the vector code") {
  ConvShape shape;
  shape.channels = 64;
  shape.outputs = 5;
  shape.kernel[0] = shape.kernel[1] = 3;
  CHECK(first_difference(make_case(shape, 1, 5, 5, {-1, 1}, true, 7), Activation::kNone).empty());
}

TEST_CASE("An image with a NaN or an infinity gives NaN everywhere, and its neighbour what it gives alone") {
  ConvShape shape;
  shape.channels = 2;
  shape.outputs = 3;
  shape.kernel[0] = shape.kernel[1] = 3;
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
                          -std::numeric_limits<float>::infinity()}) {
    Case c = make_case(shape, 2, 6, 6, {-1, 1}, false, 3);
    c.input[17] = bad;
    const auto output = run(c, Activation::kRelu);
    const auto half = static_cast<std::ptrdiff_t>(output.size() / 2);
    CHECK(std::all_of(output.begin(), output.begin() + half, [](float x) { return std::isnan(x); }));
    CHECK(std::all_of(output.begin() + half, output.end(), [](float x) { return std::isfinite(x); }));
    CHECK(first_difference(c, Activation::kRelu).empty());
  }
}

TEST_CASE("Huge activations go to the end of the range") {
  ConvShape shape;
  Case c = make_case(shape, 1, 1, 2, {-1, 1}, false, 1);
  c.int8 = {100};
  c.scales = {1};
  c.bias.clear();
  c.input = {3e38F, -3e38F};
  const auto output = run(c, Activation::kNone);
  CHECK(output[0] == Approx(100));
  CHECK(output[1] == Approx(-100));
}

TEST_CASE("A convolution that does not add up is refused in one line") {
  const std::vector<std::int8_t> values(18);
  const std::vector<float> scales(2);
  ConvShape shape;
  shape.outputs = 2;
  shape.kernel[0] = shape.kernel[1] = 3;
  const auto refusal = [&](const ConvShape& of, ActivationRange range) {
    const auto conv = PackedConv::pack(of, range, Int8Weights{2, 9, values, scales, {}});
    return conv.ok() ? "packed" : conv.error().message;
  };
  CHECK(refusal(shape, {0, 1}) == "packed");
  auto wrong = shape;
  wrong.channels = 2;
  CHECK_THAT(refusal(wrong, {0, 1}), Contains("weights of 2 x 9, expected 2 x 18"));
  wrong = shape;
  wrong.stride[1] = 0;
  CHECK_THAT(refusal(wrong, {0, 1}), Contains("a stride of 0, expected 1 to 4096"));
  wrong = shape;
  wrong.dilation[0] = 5000;
  CHECK_THAT(refusal(wrong, {0, 1}), Contains("a dilation of 5000"));
  CHECK_THAT(refusal(shape, {1, 0}), Contains("a range of activations that is none"));
  CHECK_THAT(refusal(shape, {0, std::numeric_limits<float>::infinity()}), Contains("range"));
}
