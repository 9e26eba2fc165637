#include "runtime/net/host_addresses.h"

#include <algorithm>
#include <utility>

namespace hearth::net {
namespace asio = boost::asio;
namespace {

constexpr std::size_t kAddressesMax = 8;

}  // namespace

HostAddresses::HostAddresses(const EventLoop& loop, std::shared_ptr<Resolver> resolver, std::string host, Duration ttl)
    : loop_(loop), resolver_(std::move(resolver)), host_(std::move(host)), ttl_(ttl) {
  boost::system::error_code not_literal;
  const auto address = asio::ip::make_address(host_, not_literal);
  fixed_ = !not_literal || host_ == "localhost";
  if (!not_literal) {
    known_ = {{address}};
  } else if (fixed_) {
    known_ = {{asio::ip::address_v4::loopback()}, {asio::ip::address_v6::loopback()}};
  }
}

void HostAddresses::get(Callback done) {
  if (fixed_ || (!known_.empty() && loop_.now() < old_from_)) return done(in_turn());
  waiting_.push_back(std::move(done));
  look_up();
}

void HostAddresses::refresh() {
  if (!fixed_ && loop_.now() >= refresh_from_) look_up();
}

void HostAddresses::failed(const Address& address) {
  old_from_ = loop_.now();
  for (auto& known : known_)
    if (known.address == address) known.failed = true;
}

void HostAddresses::worked(const Address& address) {
  for (auto& known : known_)
    if (known.address == address) known.failed = false;
}

bool HostAddresses::knows(const Address& address) const {
  return std::any_of(known_.begin(), known_.end(), [&](const Known& known) { return known.address == address; });
}

/// "localhost" means IPv4 first; only what a look-up found is taken in turn.
std::vector<HostAddresses::Address> HostAddresses::in_turn() {
  std::vector<Address> addresses;
  const std::size_t first = fixed_ ? 0 : turn_++ % known_.size();
  for (const bool failed : {false, true}) {
    for (std::size_t i = 0; i < known_.size(); ++i) {
      const Known& known = known_[(first + i) % known_.size()];
      if (known.failed == failed) addresses.push_back(known.address);
    }
  }
  return addresses;
}

void HostAddresses::look_up() {
  if (std::exchange(looking_, true)) return;
  resolver_->resolve(host_, [weak = weak_from_this()](const Result<Resolver::Addresses>& result) {
    if (const auto self = weak.lock()) self->found(result);
  });
}

void HostAddresses::found(const Result<Resolver::Addresses>& result) {
  looking_ = false;
  std::vector<Known> now_known;
  for (const std::string& text : result.ok() ? *result : Resolver::Addresses()) {
    boost::system::error_code not_literal;
    const auto address = asio::ip::make_address(text, not_literal);
    const auto same = [&](const Known& known) { return known.address == address; };
    if (not_literal || now_known.size() == kAddressesMax || std::any_of(now_known.begin(), now_known.end(), same))
      continue;
    const auto before = std::find_if(known_.begin(), known_.end(), same);
    now_known.push_back({address, before != known_.end() && before->failed});
  }
  const bool any = !now_known.empty();
  refresh_from_ = loop_.now() + ttl_;
  if (any) {
    known_ = std::move(now_known);
    old_from_ = refresh_from_;
  }
  const std::string why = result.ok() ? "no address" : result.error().message;
  for (const Callback& done : std::exchange(waiting_, {})) {
    if (any) {
      done(in_turn());
    } else {
      done(Error{ErrorCode::kUnavailable, why});
    }
  }
}

}  // namespace hearth::net
