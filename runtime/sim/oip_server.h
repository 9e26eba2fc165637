/// \file What a simulated cloud answers.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include <hearth/config.h>
#include <hearth/transport.h>

namespace hearth::sim {

/// What the server answers to a message that arrived whole.
using Responder = std::function<HttpReply(const HttpMessage&)>;

/// A server that speaks the Open Inference Protocol for one cloud binding; `answer` gets the decoded FP32 input
/// tensors' raw bytes in order and gives the output tensors in the order of the binding's outputs.
Responder oip_server(const CloudBinding& binding,
                     std::function<std::vector<Tensor>(const std::vector<std::string>&)> answer);

}  // namespace hearth::sim
