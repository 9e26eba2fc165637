#include <algorithm>
#include <atomic>
#include <catch2/catch.hpp>
#include <future>
#include <memory>
#include <optional>
#include <thread>

#include "runtime/edge/worker_pool.h"
#include "tests/runtime/edge/fixture.h"
#include "tests/runtime/edge/scripts.h"

using namespace hearth;
using namespace hearth::test;
using Catch::Matchers::Contains;

namespace {

std::vector<Tensor> input_of(std::vector<std::int64_t> shape, const std::vector<float>& values) {
  return {Tensor::of_floats("x", std::move(shape), values)};
}

}  // namespace

TEST_CASE("Two models answer the same from four threads at once as from one") {
  TempFolder folder;
  save_linear(folder.path() / "a.pt");
  save_perceptron(folder.path() / "b.pt");
  edge::TorchEngine engine(2);
  const auto a = engine.load(bind(folder.path() / "a.pt", {1, 2}, {1, 2}));
  const auto b = engine.load(bind(folder.path() / "b.pt", {1, 64}, {1, 10}));
  REQUIRE(a.ok());
  REQUIRE(b.ok());
  const auto to_a = input_of({1, 2}, {3, -1});
  const auto to_b = input_of({1, 64}, std::vector<float>(64, 0.25f));
  const auto from_a = a.value()->run(to_a).value()[0].data;
  const auto from_b = b.value()->run(to_b).value()[0].data;
  std::atomic<int> same = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 100; ++i) {
        same += a.value()->run(to_a).value()[0].data == from_a ? 1 : 0;
        same += b.value()->run(to_b).value()[0].data == from_b ? 1 : 0;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  CHECK(same == 4 * 100 * 2);
}

TEST_CASE("start() answers once, on another thread") {
  TempFolder folder;
  save_linear(folder.path() / "m.pt");
  std::atomic<int> calls = 0;
  std::thread::id where;
  float first = 0;
  {
    edge::TorchEngine engine(1);
    const auto model = engine.load(bind(folder.path() / "m.pt", {1, 2}, {1, 2}));
    REQUIRE(model.ok());
    const auto inputs = input_of({1, 2}, {1, 1});
    std::promise<void> done;
    model.value()->start(inputs, [&](EdgeModel::Outputs outputs) {
      ++calls;
      where = std::this_thread::get_id();
      first = outputs.value()[0].floats()[0];
      done.set_value();
    });
    done.get_future().wait();
  }
  CHECK(calls == 1);
  CHECK(where != std::this_thread::get_id());
  CHECK(first == 3.5f);
}

TEST_CASE("An engine that goes away ends what runs, cancels what waits, and each gets one answer") {
  TempFolder folder;
  save_linear(folder.path() / "m.pt");
  auto engine = std::make_optional<edge::TorchEngine>(1);
  const auto model = engine->load(bind(folder.path() / "m.pt", {1, 2}, {1, 2}));
  REQUIRE(model.ok());
  const auto inputs = input_of({1, 2}, {1, 1});
  std::promise<void> running;
  std::promise<void> release;
  int served = 0;
  int cancelled = 0;
  model.value()->start(inputs,
                       [&](EdgeModel::Outputs outputs) {  // Holds the only worker until the others are cancelled.
                         served += outputs.ok() ? 1 : 0;
                         running.set_value();
                         release.get_future().wait();
                       });
  running.get_future().wait();
  for (int i = 0; i < 3; ++i) {
    model.value()->start(inputs, [&](EdgeModel::Outputs outputs) {
      cancelled += !outputs.ok() && outputs.error().code == ErrorCode::kCancelled ? 1 : 0;
      if (cancelled == 3) release.set_value();
    });
  }
  engine.reset();
  CHECK(served == 1);
  CHECK(cancelled == 3);

  std::promise<ErrorCode> late;
  model.value()->start(inputs, [&](EdgeModel::Outputs outputs) { late.set_value(outputs.error().code); });
  CHECK(late.get_future().get() == ErrorCode::kCancelled);
  CHECK(model.value()->run(inputs).ok());
}

TEST_CASE("A job may end the pool it runs on") {
  auto pool = std::make_unique<edge::WorkerPool>(1);
  std::promise<void> ended;
  std::promise<void> may_run;
  pool->post({[&] {
                may_run.get_future().wait();
                pool.reset();
                ended.set_value();
              },
              [] {}});
  may_run.set_value();
  ended.get_future().wait();
  CHECK(pool == nullptr);
}

TEST_CASE("A model that works in place leaves its caller's input as it was") {
  TempFolder folder;
  save_script(folder.path() / "m.pt", "def forward(self, x: Tensor):\n  return x.add_(1.0)\n", {});
  edge::TorchEngine engine(1);
  const auto model = engine.load(bind(folder.path() / "m.pt", {2}, {2}));
  REQUIRE(model.ok());
  const auto inputs = input_of({2}, {5, 6});
  CHECK(model.value()->run(inputs).value()[0].floats()[0] == 6);
  CHECK(inputs[0].floats()[0] == 5);
}

TEST_CASE("A pass that fails says so in one line without the input's numbers") {
  TempFolder folder;
  save_script(folder.path() / "pick.pt",
              "def forward(self, x: Tensor):\n  return torch.select(self.table, 0, int(x[0]))\n",
              {{"table", {4, 2}, {}}});
  save_script(folder.path() / "raise.pt",
              "def forward(self, x: Tensor):\n"
              "  assert float(x[0]) <= 1.0, \"value {}\".format(float(x[0]))\n"
              "  return x\n",
              {});
  edge::TorchEngine engine(1);
  const auto pick = engine.load(bind(folder.path() / "pick.pt", {1}, {2}));
  const auto raise = engine.load(bind(folder.path() / "raise.pt", {1}, {1}));
  REQUIRE(pick.ok());
  REQUIRE(raise.ok());
  CHECK(pick.value()->run(input_of({1}, {3})).ok());
  for (const auto& model : {pick.value(), raise.value()}) {
    const auto outputs = model->run(input_of({1}, {98765}));
    REQUIRE_FALSE(outputs.ok());
    CHECK(outputs.error().code == ErrorCode::kInternal);
    CHECK(is_one_line(outputs.error().message));
    CHECK_THAT(outputs.error().message, !Contains("98765"));
  }
  CHECK_THAT(pick.value()->run(input_of({1}, {98765})).error().message, Contains("forward pass failed: "));
  CHECK_THAT(raise.value()->run(input_of({1}, {98765})).error().message, Contains("raised an exception of its own"));
}

TEST_CASE("A missing input is an error, not a crash") {
  TempFolder folder;
  save_linear(folder.path() / "m.pt");
  edge::TorchEngine engine(1);
  const auto model = engine.load(bind(folder.path() / "m.pt", {1, 2}, {1, 2}));
  REQUIRE(model.ok());
  CHECK_THAT(model.value()->run({}).error().message, Contains("takes 1 inputs, got 0"));
}

TEST_CASE("LibTorch's warnings and a model's prints stay off the terminal; a warning reaches the log once") {
  TempFolder folder;
  // Writing a result into a tensor of another shape is what LibTorch warns of each time.
  save_script(folder.path() / "m.pt",
              "def forward(self, x: Tensor):\n"
              "  print(\"printed\", x)\n"
              "  y = torch.zeros([3])\n"
              "  torch.add(x, x, alpha=1, out=y)\n"
              "  return y\n",
              {});
  Terminal terminal(folder.path() / "terminal.txt");
  std::vector<std::string> lines;
  edge::TorchEngine engine(1, [&](std::string_view line) { lines.emplace_back(line); });
  const auto model = engine.load(bind(folder.path() / "m.pt", {2}, {2}));
  std::size_t good = 0;
  for (int i = 0; model.ok() && i < 3; ++i) good += model.value()->run(input_of({2}, {1, 2})).ok() ? 1 : 0;
  CHECK(terminal.text() == "");
  REQUIRE(model.ok());
  CHECK(good == 3);
  REQUIRE(lines.size() == 1);
  CHECK_THAT(lines[0], Contains("LibTorch: An output with one or more elements was resized"));
}
