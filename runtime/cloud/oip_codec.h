/// \file The Open Inference Protocol v2 over REST: requests out, replies in. Pure: bytes to bytes.
/// Protocol: github.com/kserve/open-inference-protocol, text of the REST specification; binary tensors as in Triton's
/// extension_binary_data.md.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <hearth/config.h>
#include <hearth/egress_permit.h>
#include <hearth/tensor.h>
#include <hearth/transport.h>

namespace hearth::cloud {

using hearth::Encoding;

/// One inference request. `inputs` are in the order of `binding.inputs` and are sent under its names and shapes;
/// `text` goes to `binding.text_input` when that is set and text is not empty. `wire_id` is random per attempt and says
/// nothing about the request. Outputs are asked for by name, in the same encoding.
HttpMessage encode_infer(const CloudBinding& binding, std::span<const Tensor> inputs, std::string_view text,
                         std::string_view wire_id, Encoding encoding);

/// The answer in the order of `binding.outputs`. Every difference from what was asked is an error, and no error quotes
/// the reply: kCorrupt for a wrong id, model, name, shape, datatype or byte count; by status: 400-499 kInvalidArgument
/// (429 and 408 kUnavailable), 500-599 kUnavailable, anything else kCorrupt (3xx too: redirects are refused).
Result<std::vector<Tensor>> decode_infer(const CloudBinding& binding, const HttpReply& reply, std::string_view wire_id);

}  // namespace hearth::cloud
