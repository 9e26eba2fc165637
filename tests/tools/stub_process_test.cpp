#include <catch2/catch.hpp>

#include "runtime/base/digest.h"
#include "runtime/base/json_reader.h"
#include "tools/hearth/leak_plant.h"
#include "tools/hearth/stub_process.h"

using namespace hearth;
using namespace hearth::tool;

namespace {

constexpr auto kPatience = std::chrono::seconds(60);

Result<std::unique_ptr<StubProcess>> start(std::vector<std::string> arguments) {
  arguments.push_back("--exit-with-stdin");
  return StubProcess::start(HEARTH_CLOUD_STUB, arguments, kPatience);
}

CloudBinding null_binding() {
  CloudBinding binding;
  binding.model = "null";
  binding.inputs = {{"x", Datatype::kFp32, {-1}}};
  binding.outputs = {{"y", Datatype::kFp32, {10}}};
  return binding;
}

}  // namespace

TEST_CASE("a started stub names its address, counts from zero, and is gone once killed") {
  auto stub = start({"--null-model", "null"});
  REQUIRE(stub);
  CHECK(stub.value()->url().rfind("http://127.0.0.1:", 0) == 0);
  const auto count = stub.value()->tripwire();
  REQUIRE(count);
  CHECK(count.value() == TripwireCount{});
  stub.value()->kill();
  CHECK(stub.value()->killed());
  CHECK(stub.value()->tripwire().error().code == ErrorCode::kUnavailable);
}

TEST_CASE("what the stub says of bad arguments comes back as bad input") {
  const auto stub = start({"--null-model", "null", "--config", "/nowhere/stub.json"});
  REQUIRE_FALSE(stub);
  CHECK(stub.error().code == ErrorCode::kInvalidArgument);
  CHECK(stub.error().message.find("/nowhere/stub.json") != std::string::npos);
}

TEST_CASE("a stub that is not there is not found") {
  const auto stub = StubProcess::start("/nowhere/hearth-cloud-stub", {}, kPatience);
  REQUIRE_FALSE(stub);
  CHECK(stub.error().code == ErrorCode::kNotFound);
}

TEST_CASE("a planted photo is seen in both encodings when it is registered, and only then") {
  auto stub = start({"--null-model", "null"});
  REQUIRE(stub);
  const std::vector<float> values = {0.25F, 0.5F, 0.125F, 1.0F};
  const Tensor photo = Tensor::of_floats("x", {4}, values);
  const auto unregistered = plant_leaks(*stub.value(), null_binding(), photo, "qwrtzpsdfgh");
  REQUIRE(unregistered);
  REQUIRE(unregistered.value().size() == 2);  // no text input, no captions to plant
  CHECK_FALSE(unregistered.value()[0].seen);
  CHECK_FALSE(unregistered.value()[1].seen);
  REQUIRE(stub.value()->arm({sha256_hex({reinterpret_cast<const char*>(photo.data.data()), photo.data.size()})}, {}));
  const auto registered = plant_leaks(*stub.value(), null_binding(), photo, "qwrtzpsdfgh");
  REQUIRE(registered);
  CHECK(registered.value()[0].seen);
  CHECK(registered.value()[1].seen);
}
