/// \file The codec that a pair's cloud half asks for: one message out, one reply in. Pure.
#pragma once

#include <string_view>
#include <vector>

#include <hearth/config.h>
#include <hearth/egress_permit.h>
#include <hearth/request.h>
#include <hearth/transport.h>

namespace hearth::cloud {

/// `request` as `binding`'s API puts it, for an endpoint that speaks it. `time_left`: until the attempt's deadline.
/// `stream`: the answer is to come in pieces; only where has_pieces().
HttpMessage encode(const CloudBinding& binding, const Endpoint& endpoint, const Request& request,
                   std::string_view wire_id, Duration time_left, bool stream = false);

/// Whether its API can answer in pieces.
constexpr bool has_pieces(CloudApi api) { return api == CloudApi::kChat || api == CloudApi::kCompletions; }

/// The answer in the order of `binding.outputs`. Errors as decode_infer() and decode_openai() say.
Result<std::vector<Tensor>> decode(const CloudBinding& binding, const HttpReply& reply, std::string_view wire_id);

}  // namespace hearth::cloud
