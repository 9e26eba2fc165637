/// \file Resolver: the seam behind which names become addresses.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <hearth/event_loop.h>
#include <hearth/result.h>

namespace hearth::net {

/// Threads: resolve() on the loop thread only.
class Resolver {
 public:
  /// Addresses as dotted quads and IPv6 literals, in the order in which they are to be tried.
  using Addresses = std::vector<std::string>;
  using Callback = std::function<void(Result<Addresses>)>;

  virtual ~Resolver() = default;
  /// Looks `host` up, once. `done` runs at most once, on the loop thread, never inside this call; when the resolver is
  /// destroyed first it may never run. Errors: kNotFound when there is no such name; kUnavailable when nobody says.
  virtual void resolve(const std::string& host, Callback done) = 0;
};

/// The operating system's (getaddrinfo), on a thread of Asio's, one look-up at a time. `loop` must come from
/// make_asio_loop() and outlive it. A look-up under way cannot be interrupted: destroying the loop may wait for it.
std::shared_ptr<Resolver> make_system_resolver(EventLoop& loop);

}  // namespace hearth::net
