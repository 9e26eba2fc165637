#include "runtime/cloud/codec.h"

#include "runtime/cloud/oip_codec.h"
#include "runtime/cloud/openai_codec.h"

namespace hearth::cloud {

HttpMessage encode(const CloudBinding& binding, const Endpoint& endpoint, const Request& request,
                   std::string_view wire_id, Duration time_left, bool stream) {
  if (protocol_of(binding.api) == Protocol::kOpenai) return encode_openai(binding, request.text, stream);
  return encode_infer(binding, request.inputs, request.text, wire_id, endpoint.encoding, time_left);
}

Result<std::vector<Tensor>> decode(const CloudBinding& binding, const HttpReply& reply, std::string_view wire_id) {
  if (protocol_of(binding.api) == Protocol::kOpenai) return decode_openai(binding, reply);
  return decode_infer(binding, reply, wire_id);
}

}  // namespace hearth::cloud
