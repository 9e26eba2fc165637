/// \file The real world's loop and transport, without Boost in sight.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include <hearth/config.h>
#include <hearth/edge_model.h>
#include <hearth/event_loop.h>
#include <hearth/time.h>
#include <hearth/transport.h>

#include "runtime/net/resolver.h"

namespace hearth::net {

/// Bounds of a transport.
struct HttpOptions {
  std::size_t connections_per_endpoint_max =
      Limits{}.connections_per_endpoint_max;                 ///< Kept alive; further attempts open and close their own.
  Duration connect_timeout = CloudTiming{}.connect_timeout;  ///< Look-up, connection and TLS handshake together.
  Duration look_up_every = CloudTiming{}.look_up_every;      ///< How long what a name server said is believed.
  Duration idle_timeout = std::chrono::seconds(4);           ///< Under the 5 s after which common servers hang up.
  std::uint64_t reply_bytes_max = Limits{}.reply_kib_max << 10;  ///< Larger bodies: kResourceExhausted.
  std::uint32_t reply_head_bytes_max = 16 << 10;                 ///< Larger heads: kResourceExhausted.
  std::string ca_file;  ///< PEM certificates to trust instead of the system's store. For tests and private authorities.
  std::shared_ptr<Resolver> resolver;  ///< Null: make_system_resolver(). May be shared by transports on one loop.
};

/// An EventLoop on a thread of its own, which runs until the loop is destroyed.
std::shared_ptr<EventLoop> make_asio_loop();

/// An HTTP/1.1 transport on `loop`, which must come from make_asio_loop() and outlive the transport.
///
/// `http://` goes to loopback addresses only (kPermissionDenied otherwise, before any look-up); `https://` means
/// TLS 1.2 or newer with certificate and host name verified. Proxy variables are never read. Connections are kept for
/// reuse and checked before it; when one breaks all the same, the attempt fails with kUnavailable and is not repeated.
/// One that is still being set up when its attempt ends is set up all the same, until the connect timeout and within
/// the pool's bound, and is there for the next attempt: no more of it leaves than the handshake.
///
/// Names are looked up for attempts only, when a connection is needed or what is known is old, and again after one
/// could not be made; kept connections to addresses that a look-up no longer names are not used again.
///
/// `bytes_sent` counts plaintext; over TLS a record that was cut off counts as sent.
///
/// Destroying it ends every attempt in flight: `done` gets kCancelled on the loop thread, perhaps after the destructor
/// returned; when the loop is destroyed first, `done` is destroyed without being called.
std::shared_ptr<Transport> make_http_transport(EventLoop& loop, HttpOptions options);

/// An edge model that is a server on this device: `binding.endpoint`, which must be a loopback address. Its one input
/// is the text, as BYTES [1]. No permit is asked for: what it gets has not left the device. One connection per pass, at
/// most `threads` passes of start() at a time; a pass that takes 60 s fails. sha256() is what the binding says.
Result<std::shared_ptr<EdgeModel>> make_local_text_model(const EdgeBinding& binding, std::size_t threads,
                                                         std::uint64_t reply_bytes_max);

}  // namespace hearth::net
