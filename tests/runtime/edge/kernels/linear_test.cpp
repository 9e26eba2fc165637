#include <rapidcheck.h>

#include <bit>
#include <catch2/catch.hpp>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "runtime/edge/kernels/linear.h"
#include "runtime/edge/kernels/thread_team.h"
#include "tests/runtime/edge/kernels/reference.h"

using namespace hearth;
using namespace hearth::edge::kernels;
using Catch::Matchers::Contains;

namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

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

/// A layer in both formats with its input.
struct Case {
  std::size_t outputs, inputs, rows;
  std::vector<std::int8_t> int8;
  std::vector<float> scales;
  std::vector<std::uint8_t> int4;
  std::vector<std::uint16_t> int4_scales;
  std::vector<float> bias;
  std::vector<float> input;

  Int8Weights int8_weights() const { return {outputs, inputs, int8, scales, bias}; }
  Int4Weights int4_weights() const { return {outputs, inputs, int4, int4_scales, bias}; }
};

std::uint16_t bfloat16(float x) { return static_cast<std::uint16_t>(std::bit_cast<std::uint32_t>(x) >> 16); }

enum class Kind { kPlain, kExtreme, kPositive, kZeroRows, kWild, kKinds };

float input_of(Kind kind, std::size_t row, Numbers& numbers) {
  const float x = numbers.real();
  switch (kind) {
    case Kind::kExtreme:
      return x < 0 ? -1.0F : 1.0F;
    case Kind::kPositive:
      return x < 0 ? 0.0F : x;
    case Kind::kZeroRows:
      return row % 2 == 0 ? 0.0F : x;
    case Kind::kWild:  // Every size of number, now and then one that is none.
      if (numbers.next() % 400 == 0) return x < 0 ? kNan : std::copysign(kInfinity, x);
      return std::ldexp(x, static_cast<int>(row * 17 % 280) - 150);
    default:
      return x;
  }
}

Case make_case(std::size_t outputs, std::size_t inputs, std::size_t rows, Kind kind, bool bias, std::uint64_t seed) {
  Numbers numbers(seed);
  Case made{outputs, inputs, rows, {}, {}, {}, {}, {}, {}};
  for (std::size_t i = 0; i < outputs * inputs; ++i) {
    const auto any = static_cast<std::int8_t>(numbers.next());
    made.int8.push_back(kind == Kind::kExtreme ? (any < 0 ? std::int8_t{-128} : std::int8_t{127}) : any);
  }
  for (std::size_t i = 0; i < outputs * ((inputs + 1) / 2); ++i) {
    const auto any = static_cast<std::uint8_t>(numbers.next());
    made.int4.push_back(kind == Kind::kExtreme ? (any < 128 ? std::uint8_t{0xFF} : std::uint8_t{0}) : any);
  }
  for (std::size_t i = 0; i < outputs; ++i) made.scales.push_back(numbers.real() / 100);
  for (std::size_t i = 0; i < outputs * ((inputs + 31) / 32); ++i) {
    made.int4_scales.push_back(bfloat16(numbers.real() / 10));
  }
  for (std::size_t i = 0; bias && i < outputs; ++i) made.bias.push_back(numbers.real());
  for (std::size_t i = 0; i < rows * inputs; ++i) made.input.push_back(input_of(kind, i / inputs, numbers));
  return made;
}

/// While it lives, one of vector_codes() runs.
class Chosen {
 public:
  explicit Chosen(const std::string& name) { choose_vector_code(name); }
  ~Chosen() { choose_vector_code(""); }
  Chosen(const Chosen&) = delete;
  Chosen& operator=(const Chosen&) = delete;
};

template <class Weights>
PackedLinear packed(const Weights& weights) {
  auto layer = PackedLinear::pack(weights);
  INFO((layer.ok() ? "" : layer.error().message));
  REQUIRE(layer.ok());
  return std::move(layer.value());
}

std::vector<float> run(const PackedLinear& layer, const std::vector<float>& input, std::size_t rows,
                       Activation activation = Activation::kNone, const Threads& threads = {}) {
  Scratch scratch;
  std::vector<float> output(rows * layer.outputs());
  run_linear(layer, input, rows, output, activation, scratch, threads);
  return output;
}

/// Every NaN counts as the same, and nothing else does.
bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const bool same =
        std::isnan(a[i]) ? std::isnan(b[i]) : std::bit_cast<std::uint32_t>(a[i]) == std::bit_cast<std::uint32_t>(b[i]);
    if (!same) return false;
  }
  return true;
}

/// The first vector code and format whose bits are not those of the reference; empty when there is none.
std::string first_difference(const Case& c, Activation activation) {
  const auto int8 = test::reference_linear(c.int8_weights(), c.input, c.rows, activation);
  const auto int4 = test::reference_linear(c.int4_weights(), c.input, c.rows, activation);
  const auto int8_layer = packed(c.int8_weights());
  const auto int4_layer = packed(c.int4_weights());
  for (const std::string& name : vector_codes()) {
    const Chosen chosen(name);
    if (!same_bits(run(int8_layer, c.input, c.rows, activation), int8)) return name + " int8";
    if (!same_bits(run(int4_layer, c.input, c.rows, activation), int4)) return name + " int4";
  }
  return "";
}

}  // namespace

TEST_CASE("Each vector code of this processor gives the bits of the scalar reference, over random layers") {
  const bool held = rc::check("same bits", [] {
    const auto outputs = *rc::gen::inRange<std::size_t>(1, 150);
    const auto inputs = *rc::gen::inRange<std::size_t>(1, 200);
    const auto rows = *rc::gen::inRange<std::size_t>(0, 20);
    const auto kind = static_cast<Kind>(*rc::gen::inRange(0, static_cast<int>(Kind::kKinds)));
    const auto activation = static_cast<Activation>(*rc::gen::inRange(0, 3));
    const auto bias = *rc::gen::arbitrary<bool>();
    const auto seed = *rc::gen::inRange<std::uint64_t>(0, 1'000'000);
    RC_ASSERT(first_difference(make_case(outputs, inputs, rows, kind, bias, seed), activation) == "");
  });
  CHECK(held);
}

TEST_CASE("Layers one wide, one wide too many and a whole number of panels equal the reference") {
  for (const std::size_t outputs : {1U, 15U, 16U, 17U, 64U, 65U, 128U, 129U}) {
    for (const std::size_t inputs : {1U, 3U, 4U, 5U, 31U, 32U, 33U, 64U, 257U}) {
      INFO(outputs << " x " << inputs);
      CHECK(first_difference(make_case(outputs, inputs, 9, Kind::kPlain, true, outputs * inputs), Activation::kRelu) ==
            "");
    }
  }
}

TEST_CASE("Pairs of the largest products do not saturate, and the longest sums fit") {
  // The row (1, ..., 1, -1) has the scale 2/254, the zero point 0 and q = 127, ..., 127, -127. A pair of products with
  // -128 is -32,512; vpmaddubsw with q as bytes from 0 to 255 would have cut it at -32,768 from -65,280.
  for (const std::size_t inputs : {std::size_t{4}, std::size_t{64}, kInputsMax}) {
    for (const int w : {-128, 127}) {
      const std::vector<std::int8_t> values(inputs, static_cast<std::int8_t>(w));
      const std::vector<float> scales = {127.0F};  // Times 2/254: one.
      std::vector<float> input(inputs, 1.0F);
      input.back() = -1;
      const auto layer = packed(Int8Weights{1, inputs, values, scales, {}});
      const auto products = static_cast<double>(inputs - 2) * 127 * w;
      for (const std::string& name : vector_codes()) {
        const Chosen chosen(name);
        INFO(name << ", " << inputs << " inputs, weights " << w);
        CHECK(run(layer, input, 1)[0] == Approx(products).epsilon(1e-6));
      }
    }
  }
}

TEST_CASE("The largest sums of the longest rows equal the reference to the bit") {
  // All of a row positive: the zero point is -127, so (q - zero point) * w reaches 254 * -128 in each place.
  Case c = make_case(3, kInputsMax, 2, Kind::kExtreme, false, 5);
  for (std::size_t i = 0; i < kInputsMax; ++i) c.int8[i] = -128, c.int8[kInputsMax + i] = 127;
  for (float& x : c.input) x = 1;
  CHECK(first_difference(c, Activation::kNone) == "");
}

TEST_CASE(
    "A row with a NaN or an infinity gives NaN everywhere, after any activation, and its neighbours are untouched") {
  for (const float bad : {kNan, -kNan, kInfinity, -kInfinity}) {
    for (const std::size_t place : {0U, 7U, 40U}) {
      Case c = make_case(20, 41, 3, Kind::kPlain, true, 7);
      const auto good = c.input;
      c.input[41 + place] = bad;
      for (const auto activation : {Activation::kNone, Activation::kRelu, Activation::kGelu}) {
        for (const std::string& name : vector_codes()) {
          const Chosen chosen(name);
          for (const auto& layer : {packed(c.int8_weights()), packed(c.int4_weights())}) {
            const auto before = run(layer, good, 3, activation);
            const auto after = run(layer, c.input, 3, activation);
            for (std::size_t i = 0; i < 60; ++i) {
              INFO(name << ", output " << i);
              if (i / 20 == 1) {
                CHECK(std::isnan(after[i]));
              } else {
                CHECK(after[i] == before[i]);
              }
            }
          }
        }
      }
    }
  }
}

TEST_CASE("A row of zeros gives the bias, and so does one too small for a scale") {
  const Case c = make_case(20, 41, 1, Kind::kPlain, true, 9);
  for (const float x : {0.0F, -0.0F, 1e-40F, -1e-37F}) {
    const std::vector<float> input(41, x);
    CHECK(run(packed(c.int8_weights()), input, 1) == c.bias);
    CHECK(run(packed(c.int4_weights()), input, 1) == c.bias);
  }
}

TEST_CASE("An empty batch changes nothing") {
  const Case c = make_case(5, 5, 0, Kind::kPlain, true, 1);
  CHECK(run(packed(c.int8_weights()), {}, 0).empty());
  CHECK(run(packed(c.int4_weights()), {}, 0).empty());
}

TEST_CASE("Any number of threads and any batch give the bits of one thread and one row at a time") {
  const Case c = make_case(333, 500, 13, Kind::kPlain, true, 3);
  for (const auto& layer : {packed(c.int8_weights()), packed(c.int4_weights())}) {
    std::vector<float> one_by_one;
    for (std::size_t r = 0; r < c.rows; ++r) {
      const auto row = run(layer,
                           {c.input.begin() + static_cast<std::ptrdiff_t>(r * 500),
                            c.input.begin() + static_cast<std::ptrdiff_t>((r + 1) * 500)},
                           1);
      one_by_one.insert(one_by_one.end(), row.begin(), row.end());
    }
    for (const std::size_t threads : {1U, 2U, 3U, 8U}) {
      ThreadTeam team(threads);
      CHECK(same_bits(run(layer, c.input, c.rows, Activation::kNone, team.threads()), one_by_one));
    }
  }
}

TEST_CASE("Unpacking gives back what was packed") {
  for (const std::size_t outputs : {1U, 16U, 63U, 130U}) {
    for (const std::size_t inputs : {1U, 4U, 33U, 64U, 95U}) {
      Case c = make_case(outputs, inputs, 1, Kind::kPlain, true, outputs + inputs);
      if (inputs % 2 == 1) {
        const std::size_t row_bytes = (inputs + 1) / 2;
        for (std::size_t n = 1; n <= outputs; ++n) {
          auto& last = c.int4[n * row_bytes - 1];
          last = static_cast<std::uint8_t>((last & 15) | 0x80);
        }
      }
      const PlainWeights int8 = packed(c.int8_weights()).unpack();
      CHECK(int8.int8 == c.int8);
      CHECK(int8.int8_scales == c.scales);
      CHECK(int8.bias == c.bias);
      const PlainWeights int4 = packed(c.int4_weights()).unpack();
      CHECK(int4.int4 == c.int4);
      CHECK(int4.int4_scales == c.int4_scales);
      CHECK((int4.outputs == outputs && int4.inputs == inputs));
    }
  }
}

TEST_CASE("A scratch serves layers of any size in turn") {
  Scratch scratch;
  for (const std::size_t size : {70U, 3U, 200U, 40U}) {
    const Case c = make_case(size, size + 1, 2, Kind::kPlain, true, size);
    for (const auto& layer : {packed(c.int8_weights()), packed(c.int4_weights())}) {
      std::vector<float> output(2 * size);
      run_linear(layer, c.input, 2, output, Activation::kNone, scratch);
      CHECK(same_bits(output, run(layer, c.input, 2)));
    }
  }
}

TEST_CASE("GELU is within 3e-7 of |x| or of one of the exact one") {
  // One weight of 127 with scale 1/127 and bias x: q of the zero row is nothing, so the output is gelu(x).
  const std::vector<std::int8_t> values = {127};
  const std::vector<float> scales = {1.0F / 127};
  const std::vector<float> zero = {0};
  double worst = 0;
  for (int i = -3000; i <= 3000; ++i) {
    const std::vector<float> bias = {static_cast<float>(i) / 200};
    const auto layer = packed(Int8Weights{1, 1, values, scales, bias});
    const double x = bias[0];
    const double exact = x * std::erfc(-x / std::sqrt(2.0)) / 2;
    worst = std::max(worst, std::abs(run(layer, zero, 1, Activation::kGelu)[0] - exact) / std::max(1.0, std::abs(x)));
  }
  CHECK(worst < 3e-7);
}

TEST_CASE("A layer whose sizes disagree or whose scales are no numbers is refused in one line") {
  const Case good = make_case(4, 40, 1, Kind::kPlain, true, 1);
  const auto refused = [](const auto& weights) {
    const auto layer = PackedLinear::pack(weights);
    REQUIRE_FALSE(layer.ok());
    CHECK(layer.error().code == ErrorCode::kInvalidArgument);
    CHECK_THAT(layer.error().message, !Contains("\n"));
    return layer.error().message;
  };
  Int8Weights int8 = good.int8_weights();
  CHECK_THAT(refused(Int8Weights{4, 0, {}, int8.scales, {}}), Contains("0 inputs, expected 1 to 65536"));
  CHECK_THAT(refused(Int8Weights{0, 40, {}, {}, {}}), Contains("0 outputs"));
  CHECK_THAT(refused(Int8Weights{4, 41, int8.values, int8.scales, {}}), Contains("160 int8 weights, expected 164"));
  CHECK_THAT(refused(Int8Weights{4, 40, int8.values, int8.scales.first(3), {}}), Contains("3 scales, expected 4"));
  CHECK_THAT(refused(Int8Weights{4, 40, int8.values, int8.scales, int8.bias.first(3)}), Contains("3 bias values"));
  const std::vector<float> bad = {1, 2, kNan, 4};
  CHECK_THAT(refused(Int8Weights{4, 40, int8.values, bad, {}}), Contains("a scale is not finite"));
  CHECK_THAT(refused(Int8Weights{4, 40, int8.values, int8.scales, bad}), Contains("a bias is not finite"));
  Int4Weights int4 = good.int4_weights();
  CHECK_THAT(refused(Int4Weights{4, 40, int4.values.first(79), int4.scales, {}}),
             Contains("79 bytes of int4 weights, expected 80"));
  CHECK_THAT(refused(Int4Weights{4, 40, int4.values, int4.scales.first(4), {}}), Contains("4 scales, expected 8"));
  const std::vector<std::uint16_t> infinite(8, bfloat16(kInfinity));
  CHECK_THAT(refused(Int4Weights{4, 40, int4.values, infinite, {}}), Contains("a scale is not finite"));
}
