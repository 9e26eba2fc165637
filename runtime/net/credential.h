/// \file Credential: the header that an endpoint's credential goes into, read when an attempt is made.
#pragma once

#include <string>

#include <hearth/endpoint.h>
#include <hearth/result.h>

namespace hearth::net {

/// `name: value` and a line end, ready for a request's head; empty when the endpoint asks for none. Whoever holds it
/// wipes it. A file's white space at its ends is not part of the value; a value is 1 to 8192 printable ASCII
/// characters. Errors name the variable or the file, never the value: kNotFound when it is not there or empty,
/// kInvalidArgument when it cannot stand in a header. Threads: any, while nobody changes the environment.
Result<std::string> credential_line(const Endpoint& endpoint);

/// Overwrites `secret` and empties it.
void wipe(std::string& secret);

}  // namespace hearth::net
