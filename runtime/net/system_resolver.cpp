// Names to addresses, as the operating system says.
#include <cassert>
#include <utility>

#include <boost/asio/ip/tcp.hpp>

#include "runtime/net/asio_loop.h"
#include "runtime/net/resolver.h"

namespace hearth::net {
namespace {

using Tcp = boost::asio::ip::tcp;

class SystemResolver final : public Resolver {
 public:
  explicit SystemResolver(AsioLoop& loop) : resolver_(loop.context()) {}

  void resolve(const std::string& host, Callback done) override {
    resolver_.async_resolve(
        host, "", Tcp::resolver::flags{},
        [done = std::move(done)](boost::system::error_code error, const Tcp::resolver::results_type& found) {
          if (error == boost::asio::error::host_not_found) return done(Error{ErrorCode::kNotFound, error.message()});
          if (error) return done(Error{ErrorCode::kUnavailable, error.message()});
          Addresses addresses;
          for (const auto& entry : found) addresses.push_back(entry.endpoint().address().to_string());
          done(std::move(addresses));
        });
  }

 private:
  Tcp::resolver resolver_;
};

}  // namespace

std::shared_ptr<Resolver> make_system_resolver(EventLoop& loop) {
  auto* asio_loop = dynamic_cast<AsioLoop*>(&loop);
  assert(asio_loop != nullptr);
  return std::make_shared<SystemResolver>(*asio_loop);
}

}  // namespace hearth::net
