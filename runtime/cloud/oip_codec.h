/// \file The Open Inference Protocol v2 over REST: requests out, replies in. Pure: bytes to bytes.
/// Protocol: github.com/kserve/open-inference-protocol, text of the REST specification; binary tensors as in Triton's
/// extension_binary_data.md.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <hearth/config.h>
#include <hearth/egress_permit.h>
#include <hearth/tensor.h>
#include <hearth/time.h>
#include <hearth/transport.h>

namespace hearth::cloud {

using hearth::Encoding;

/// One inference request. `inputs` are in the order of `binding.inputs` and are sent under its names and shapes;
/// `text` goes to `binding.text_input` when that is set and text is not empty. `wire_id` is random per attempt and says
/// nothing about the request. Outputs are asked for by name, in the same encoding. `time_left` until the attempt's
/// deadline is passed on as Triton's request parameter "timeout".
HttpMessage encode_infer(const CloudBinding& binding, std::span<const Tensor> inputs, std::string_view text,
                         std::string_view wire_id, Encoding encoding, std::optional<Duration> time_left = {});

/// The answer in the order of `binding.outputs`. What servers do differently (docs/protocols.md) is understood: JSON
/// where binary was asked for, an id or version left out, null for absent, outputs that nobody asked for, [N, 1] for
/// [N]. Every other difference is an error, and no error quotes the reply: kCorrupt for another id, model, name, shape,
/// datatype or byte count; by status as status_error().
Result<std::vector<Tensor>> decode_infer(const CloudBinding& binding, const HttpReply& reply, std::string_view wire_id);

}  // namespace hearth::cloud
