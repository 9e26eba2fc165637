#include "runtime/sim/parcel.h"

#include <algorithm>
#include <vector>

#include "runtime/cloud/codec.h"
#include "runtime/sim/oip_server.h"

namespace hearth::sim {
namespace {

constexpr const char* kWireId = "parcel";

CloudBinding binding_for(std::uint64_t bytes) {
  const auto floats = static_cast<std::int64_t>(std::max<std::uint64_t>(1, bytes / sizeof(float)));
  CloudBinding binding;
  binding.model = "parcel";
  binding.inputs = {{"x", Datatype::kFp32, {1}}};
  binding.outputs = {{"y", Datatype::kFp32, {floats}}};
  return binding;
}

}  // namespace

HttpReply unpacked_reply(std::uint64_t bytes) {
  const CloudBinding binding = binding_for(bytes);
  const std::vector<float> values(static_cast<std::size_t>(binding.outputs[0].shape[0]), 0.5f);
  Request request;
  const float input = 0;
  request.inputs = {Tensor::of_floats("x", {1}, {&input, 1})};
  const auto server = oip_server(binding, [&](const std::vector<std::string>&) {
    return std::vector<Tensor>{Tensor::of_floats("y", binding.outputs[0].shape, values)};
  });
  return server(cloud::encode(binding, Endpoint{}, request, kWireId, std::chrono::seconds(1)));
}

Status read_unpacked(const HttpReply& reply, std::uint64_t bytes) {
  const auto answer = cloud::decode(binding_for(bytes), reply, kWireId);
  return answer.ok() ? Status(Done{}) : Status(answer.error());
}

}  // namespace hearth::sim
