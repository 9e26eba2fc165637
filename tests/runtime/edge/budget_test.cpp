// Goal: what an engine takes of a device: memory for its models, and threads.
#include <atomic>
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <future>
#include <map>

#include "runtime/base/digest.h"
#include "tests/runtime/edge/fixture.h"
#include "tests/runtime/edge/scripts.h"

using namespace hearth;
using namespace hearth::test;
using Catch::Matchers::Contains;

namespace {

std::vector<Tensor> input_of(std::int64_t rows, std::int64_t width) {
  return {Tensor::of_floats("x", {rows, width}, std::vector<float>(static_cast<std::size_t>(rows * width), 0.25F))};
}

EdgeModel::Outputs started(EdgeModel& model, const std::vector<Tensor>& inputs) {
  std::promise<EdgeModel::Outputs> given;
  model.start(inputs, [&](EdgeModel::Outputs outputs) { given.set_value(std::move(outputs)); });
  return given.get_future().get();
}

/// Nanoseconds of processor time of each thread of this process.
std::map<std::string, std::uint64_t> threads_now() {
  std::map<std::string, std::uint64_t> threads;
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
    std::ifstream(task.path() / "schedstat") >> threads[task.path().filename()];
  }
  return threads;
}

/// Threads that were there before and have run since.
std::size_t woken(const std::map<std::string, std::uint64_t>& before) {
  std::size_t count = 0;
  const auto now = threads_now();
  for (const auto& [id, ns] : before) count += now.contains(id) && now.at(id) != ns ? 1 : 0;
  return count;
}

}  // namespace

TEST_CASE("Models that do not fit together take turns in memory, answer as before, and must be the files they were") {
  TempFolder folder;
  const std::string first = folder.path() / "first.pt";
  const std::string second = folder.path() / "second.pt";
  save_perceptron(first);
  save_perceptron(second);
  const auto size = std::filesystem::file_size(first);
  edge::TorchEngine engine(1, {}, size + size / 2);
  const auto a = engine.load(bind(first, {-1, 64}, {-1, 10}));
  REQUIRE(a.ok());
  const auto inputs = input_of(1, 64);
  const auto before = a.value()->run(inputs);
  REQUIRE(before.ok());
  const auto b = engine.load(bind(second, {-1, 64}, {-1, 10}));  // Puts the first one out.
  REQUIRE(b.ok());
  CHECK(b.value()->run(inputs).ok());

  const auto again = started(*a.value(), inputs);
  REQUIRE(again.ok());
  CHECK(again.value()[0].data == before.value()[0].data);

  // Unloaded once more, and then another file stands in its place.
  CHECK(b.value()->run(inputs).ok());
  const std::string sha256 = sha256_hex(bytes_of(first));
  save_linear(first);
  const auto wrong = a.value()->run(inputs);
  REQUIRE_FALSE(wrong.ok());
  CHECK(wrong.error().code == ErrorCode::kCorrupt);
  CHECK_THAT(wrong.error().message, Contains("expected " + sha256));
  std::filesystem::remove(first);
  CHECK(started(*a.value(), inputs).error().code == ErrorCode::kNotFound);
  save_perceptron(first);
  CHECK(a.value()->run(inputs).ok());
}

TEST_CASE("A model that is larger than the whole budget is refused") {
  TempFolder folder;
  save_perceptron(folder.path() / "m.pt");
  edge::TorchEngine engine(1, {}, 1000);
  const auto refused = engine.load(bind(folder.path() / "m.pt", {-1, 64}, {-1, 10}));
  REQUIRE_FALSE(refused.ok());
  CHECK(refused.error().code == ErrorCode::kResourceExhausted);
  CHECK_THAT(refused.error().message, Contains("all edge models together may take 1000"));
}

TEST_CASE("An engine has its workers and no thread more, and wakes none of LibTorch's, OpenBLAS's or the app's") {
  TempFolder folder;
  const std::string file = folder.path() / "m.pt";
  // The products are large enough for any library to share them out; cumsum keeps LibTorch at work on them.
  save_script(file,
              "def forward(self, x: Tensor):\n"
              "  y = torch.cumsum(torch.linear(x, self.w1), 1)\n"
              "  return torch.linear(torch.relu(torch.sigmoid(y)), self.w2)\n",
              {{"w1", {512, 512}, {}}, {"w2", {512, 512}, {}}});
  const auto before = threads_now();  // OpenBLAS makes its threads when it is loaded.
  constexpr std::size_t kWorkers = 2;
  edge::TorchEngine engine(kWorkers);
  CHECK(threads_now().size() == before.size() + kWorkers);
  const auto model = engine.load(bind(file, {-1, 512}, {-1, 512}));
  REQUIRE(model.ok());
  const auto inputs = input_of(64, 512);
  const auto idle = threads_now();
  for (int i = 0; i < 3; ++i) {
    CHECK(model.value()->run(inputs).ok());
    CHECK(started(*model.value(), inputs).ok());
  }
  CHECK(threads_now().size() == before.size() + kWorkers);
  CHECK(woken(before) == 1);  // Of those who were there before, the one that asks.
  CHECK(woken(idle) <= 1 + kWorkers);
}
