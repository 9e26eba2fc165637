/// \file QueryReading: what a query to `hearth policy prove` asks for, read from JSON and one request at a time; it
/// shares no code with policies/.
#pragma once

#include <string>

#include <nlohmann/json.hpp>

#include "policies/policy.h"

namespace hearth::policies {

/// Whether the request, whose class in `policy` is `data_class`, is one that `when` asks for. Unknown is a value of its
/// own: it satisfies `ne` and, where it has a name, `eq`; nothing else.
bool asks_for(const nlohmann::json& when, const nlohmann::json& policy, const Facts& facts,
              const std::string& data_class);

/// Whether the target `cloud`, `cloud:<endpoint>` or `region:<name>` means this endpoint. Of an endpoint of unknown
/// region: whether it may be meant (`surely` false), or must be.
bool means(const std::string& target, const EndpointFacts& endpoint, bool surely);

}  // namespace hearth::policies
