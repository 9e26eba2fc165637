/// \file HostAddresses: where one host is reached, looked up when needed and again when that is old or did not work.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <boost/asio/ip/address.hpp>

#include <hearth/event_loop.h>
#include <hearth/result.h>
#include <hearth/time.h>

#include "runtime/net/resolver.h"

namespace hearth::net {

/// A literal address and "localhost" are never looked up: a name server has no say in what is loopback.
///
/// What was found is kept for `ttl` (getaddrinfo tells no time to live) and forgotten when a connection could not be
/// made. New connections begin with the next address in turn; those that failed last come last. Bounds: at most eight
/// addresses of what a look-up finds, one look-up at a time. Threads: loop thread only.
class HostAddresses : public std::enable_shared_from_this<HostAddresses> {
 public:
  using Address = boost::asio::ip::address;
  using Callback = std::function<void(Result<std::vector<Address>>)>;

  HostAddresses(const EventLoop& loop, std::shared_ptr<Resolver> resolver, std::string host, Duration ttl);

  /// Hands over the addresses in the order to try, at least one; inside this call when they are known. kUnavailable
  /// when there is no such name or nobody says.
  void get(Callback done);
  /// Looks up again in the background when what is known is older than `ttl`. When that fails it stays as it was.
  void refresh();
  /// No connection could be made to `address`, or one broke: the next get() looks up again.
  void failed(const Address& address);
  void worked(const Address& address);
  /// Whether the newest look-up that said anything named it.
  bool knows(const Address& address) const;

 private:
  struct Known {
    Address address;
    bool failed = false;  ///< When it was tried last.
  };

  std::vector<Address> in_turn();
  void look_up();
  void found(const Result<Resolver::Addresses>& result);

  const EventLoop& loop_;
  const std::shared_ptr<Resolver> resolver_;
  const std::string host_;
  const Duration ttl_;
  bool fixed_ = false;
  bool looking_ = false;
  TimePoint old_from_{};
  TimePoint refresh_from_{};  ///< Also after a look-up that failed: names are not asked for without end.
  std::vector<Known> known_;
  std::size_t turn_ = 0;
  std::vector<Callback> waiting_;
};

}  // namespace hearth::net
