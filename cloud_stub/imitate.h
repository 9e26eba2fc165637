/// \file Imitation: the ways in which Triton, KServe, OVMS and MLServer differ from one another, so that the stub can
/// stand in for each. What each does, and where that is known from: docs/protocols.md.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "cloud_stub/oip.h"

namespace hearth::stub {

enum class Imitated : std::uint8_t { kNone, kTriton, kKserve, kOvms, kMlserver };

/// By the name that --imitate takes.
std::optional<Imitated> imitated_from(std::string_view name);

struct Quirks {
  bool binary = true;          ///< Takes and gives binary tensors; otherwise such a request gets 422.
  bool versions = true;        ///< Knows /versions/ in paths; otherwise 501.
  bool picks_outputs = true;   ///< Gives the outputs that were asked for; otherwise all of the model's.
  bool health_bodies = true;   ///< Says in JSON how it is; otherwise by status alone.
  bool lower_headers = false;  ///< Writes header names in lower case.
  int not_ready = 503;
};

const Quirks& quirks_of(Imitated server);

/// Makes of a request what that server would: who cannot give binary outputs gives JSON, who does not pick gives all.
/// An error when it would refuse. `with_binary`: the body holds more than JSON. `versioned`: so does the path a
/// version.
std::optional<OipError> receive_as(Imitated server, InferRequest& request, bool with_binary, bool versioned);

/// Rewrites the JSON of a good reply into that server's own.
void answer_as(Imitated server, InferReply& reply);

/// What that server puts around an error's message.
std::string error_as(Imitated server, const OipError& error);

}  // namespace hearth::stub
