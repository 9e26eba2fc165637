/// \file Retry-After: how long a server asks to be left alone.
#pragma once

#include <optional>

#include <hearth/time.h>
#include <hearth/transport.h>

namespace hearth::cloud {

/// Seconds, or an HTTP date (RFC 9110, 10.2.3) read against the reply's own Date header, so that no clock of this
/// device matters. None when it is not there, is garbage or lies in the past; at most a day. The caller bounds it
/// further.
std::optional<Duration> retry_after(const HttpReply& reply);

}  // namespace hearth::cloud
