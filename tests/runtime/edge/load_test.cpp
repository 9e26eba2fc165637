#include <catch2/catch.hpp>

#include "runtime/base/digest.h"
#include "runtime/base/json_reader.h"
#include "tests/runtime/edge/fixture.h"
#include "tests/runtime/edge/scripts.h"

using namespace hearth;
using namespace hearth::test;
using Catch::Matchers::Contains;
using Catch::Matchers::EndsWith;

namespace {

struct Bench {
  TempFolder folder;
  edge::TorchEngine engine{1};
  std::string file(const char* name) const { return (folder.path() / name).string(); }
  Error refusal(const EdgeBinding& binding) {
    const auto loaded = engine.load(binding);
    REQUIRE_FALSE(loaded.ok());
    INFO(loaded.error().message);
    CHECK(is_one_line(loaded.error().message));
    CHECK_THAT(loaded.error().message, Catch::Matchers::StartsWith(binding.file + ": "));
    return loaded.error();
  }
};

}  // namespace

TEST_CASE("A model computes what its layer says, and shows the hash of its file") {
  Bench bench;
  save_linear(bench.file("m.pt"));
  auto binding = bind(bench.file("m.pt"), {1, 2}, {1, 2});
  binding.sha256 = sha256_hex(bytes_of(binding.file));
  const auto model = bench.engine.load(binding);
  REQUIRE(model.ok());
  CHECK(model.value()->sha256() == binding.sha256);
  const std::vector<Tensor> inputs = {Tensor::of_floats("x", {1, 2}, std::vector<float>{1, 1})};
  const auto outputs = model.value()->run(inputs);
  REQUIRE(outputs.ok());
  REQUIRE(outputs.value().size() == 1);
  CHECK(outputs.value()[0].shape == std::vector<std::int64_t>{1, 2});
  CHECK(outputs.value()[0].floats()[0] == 1 + 2 + 0.5f);
  CHECK(outputs.value()[0].floats()[1] == 3 + 4 - 0.5f);
}

TEST_CASE("A binding of any batch size takes every batch size") {
  Bench bench;
  save_linear(bench.file("m.pt"));
  const auto model = bench.engine.load(bind(bench.file("m.pt"), {-1, 2}, {-1, 2}));
  REQUIRE(model.ok());
  const std::vector<Tensor> inputs = {Tensor::of_floats("x", {3, 2}, std::vector<float>{0, 0, 1, 0, 0, 1})};
  const auto outputs = model.value()->run(inputs);
  REQUIRE(outputs.ok());
  CHECK(outputs.value()[0].shape == std::vector<std::int64_t>{3, 2});
  CHECK(outputs.value()[0].floats()[5] == 4 - 0.5f);
}

TEST_CASE("A tuple of outputs comes in its order") {
  Bench bench;
  save_script(bench.file("m.pt"), "def forward(self, x: Tensor):\n  return x + 1.0, torch.argmax(x, 0, True)\n", {});
  auto binding = bind(bench.file("m.pt"), {2}, {2});
  binding.outputs.push_back({"largest", Datatype::kInt64, {1}});
  const auto model = bench.engine.load(binding);
  REQUIRE(model.ok());
  const std::vector<Tensor> inputs = {Tensor::of_floats("x", {2}, std::vector<float>{2.5f, 7})};
  const auto outputs = model.value()->run(inputs);
  REQUIRE(outputs.ok());
  CHECK(outputs.value()[0].floats()[0] == 3.5f);
  CHECK(outputs.value()[1].datatype == Datatype::kInt64);
  CHECK(outputs.value()[1].data[0] == std::byte{1});
}

TEST_CASE("Outputs other than the binding's are refused with both sides named") {
  Bench bench;
  save_linear(bench.file("m.pt"));
  auto binding = bind(bench.file("m.pt"), {1, 2}, {1, 3});
  auto error = bench.refusal(binding);
  CHECK(error.code == ErrorCode::kInvalidArgument);
  CHECK_THAT(error.message, EndsWith("output \"scores\" is FP32 [1,2], expected FP32 [1,3]"));

  binding.outputs[0] = {"scores", Datatype::kInt64, {1, 2}};
  CHECK_THAT(bench.refusal(binding).message, EndsWith("is FP32 [1,2], expected INT64 [1,2]"));

  binding.outputs = {{"a", Datatype::kFp32, {1, 2}}, {"b", Datatype::kFp32, {1, 2}}};
  CHECK_THAT(bench.refusal(binding).message, EndsWith("gives 1 outputs, expected 2"));
}

TEST_CASE("Inputs that the model cannot take are refused") {
  Bench bench;
  save_linear(bench.file("m.pt"));
  auto binding = bind(bench.file("m.pt"), {1, 5}, {1, 2});
  const auto error = bench.refusal(binding);
  CHECK(error.code == ErrorCode::kInvalidArgument);
  CHECK_THAT(error.message, Contains("does not run on FP32 [1,5]: mat1 and mat2 shapes cannot be multiplied"));

  binding.inputs[0].datatype = Datatype::kBytes;
  CHECK_THAT(bench.refusal(binding).message, EndsWith("\"x\" is bound as BYTES, which LibTorch does not compute with"));
  binding.inputs.clear();
  CHECK_THAT(bench.refusal(binding).message, EndsWith("no inputs or no outputs are bound"));
}

TEST_CASE("A missing file, a folder, an empty and a foreign file each get their own line") {
  Bench bench;
  auto error = bench.refusal(bind(bench.file("none.pt"), {1, 2}, {1, 2}));
  CHECK(error.code == ErrorCode::kNotFound);
  CHECK_THAT(error.message, EndsWith("no such file"));
  CHECK_THAT(bench.refusal(bind(bench.folder.path().string(), {1, 2}, {1, 2})).message, Contains("is a folder"));

  write_bytes(bench.file("empty.pt"), "");
  error = bench.refusal(bind(bench.file("empty.pt"), {1, 2}, {1, 2}));
  CHECK(error.code == ErrorCode::kCorrupt);
  CHECK_THAT(error.message, EndsWith("is empty, expected a TorchScript file"));

  write_bytes(bench.file("text.pt"), "This is not a model.");
  error = bench.refusal(bind(bench.file("text.pt"), {1, 2}, {1, 2}));
  CHECK(error.code == ErrorCode::kCorrupt);
  CHECK_THAT(error.message, Contains("not a TorchScript file"));
}

TEST_CASE("A file cut anywhere is refused as cut") {
  Bench bench;
  save_linear(bench.file("m.pt"));
  const std::string whole = bytes_of(bench.file("m.pt"));
  for (const double share : {0.001, 0.1, 0.5, 0.9, 0.999}) {
    write_bytes(bench.file("cut.pt"), whole.substr(0, static_cast<std::size_t>(share * whole.size())));
    const auto error = bench.refusal(bind(bench.file("cut.pt"), {1, 2}, {1, 2}));
    CHECK(error.code == ErrorCode::kCorrupt);
    CHECK_THAT(error.message, Contains("cut, damaged, or not a TorchScript file"));
  }
}

TEST_CASE("A file that is not the one the binding names is refused with both hashes") {
  Bench bench;
  save_linear(bench.file("m.pt"));
  auto binding = bind(bench.file("m.pt"), {1, 2}, {1, 2});
  binding.sha256 = std::string(64, '0');
  const auto error = bench.refusal(binding);
  CHECK(error.code == ErrorCode::kCorrupt);
  CHECK_THAT(error.message, Contains("its SHA-256 is " + sha256_hex(bytes_of(binding.file)) + ", expected 0000"));
}

TEST_CASE("A module without forward is refused") {
  Bench bench;
  save_script(bench.file("m.pt"), "def other(self, x: Tensor):\n  return x\n", {});
  CHECK_THAT(bench.refusal(bind(bench.file("m.pt"), {1}, {1})).message, EndsWith("without a method 'forward'"));
}
