/// \file Inference replies gone wrong: what a lying server makes of a good body. Pure.
#pragma once

#include "cloud_stub/fault_reply.h"

namespace hearth::stub {

/// Changes the tensors, names or id in an inference reply as `kind` says and puts its lengths right again. A body that
/// is no inference reply stays as it is.
void falsify(sim::FaultKind kind, WireReply& reply);

/// Cuts the JSON part in the middle; every length is right for what is left.
void break_json(WireReply& reply);

/// A gzip stream of `bytes` zero bytes.
std::string gzip_bomb(std::uint64_t bytes);

}  // namespace hearth::stub
