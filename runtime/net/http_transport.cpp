#include "runtime/net/http_transport.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include <openssl/ssl.h>
#include <boost/asio/ssl/context.hpp>

#include "runtime/base/json_text.h"
#include "runtime/base/recycling_map.h"
#include "runtime/base/url.h"
#include "runtime/net/credential.h"
#include "runtime/net/http_connection.h"

namespace hearth::net {
namespace ssl = boost::asio::ssl;
namespace {

/// Trusted certificates, TLS 1.2 or newer. Reading the system's store takes some milliseconds.
Result<std::shared_ptr<ssl::context>> make_tls_context(const std::string& ca_file) {
  try {
    auto context = std::make_shared<ssl::context>(ssl::context::tls_client);
    if (SSL_CTX_set_min_proto_version(context->native_handle(), TLS1_2_VERSION) != 1) {
      return {ErrorCode::kInternal, "TLS 1.2 is not available"};
    }
    constexpr unsigned char kHttp11[] = "\x08http/1.1";
    SSL_CTX_set_alpn_protos(context->native_handle(), kHttp11, sizeof kHttp11 - 1);
    if (ca_file.empty()) {
      context->set_default_verify_paths();
    } else {
      context->load_verify_file(ca_file);
    }
    return context;
  } catch (const std::exception&) {
    return {ErrorCode::kInvalidArgument,
            "cannot read trusted certificates from " +
                (ca_file.empty() ? std::string("the system's store") : "'" + ca_file + "'")};
  }
}

bool is_token(std::string_view text) {
  constexpr std::string_view kOther = "!#$%&'*+-.^_`|~";  // RFC 9110, section 5.6.2
  return !text.empty() && std::all_of(text.begin(), text.end(), [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           kOther.find(c) != std::string_view::npos;
  });
}

bool equal_ignoring_case(std::string_view a, std::string_view lower) {
  return a.size() == lower.size() && std::equal(a.begin(), a.end(), lower.begin(), [](char x, char y) {
           return (x >= 'A' && x <= 'Z' ? static_cast<char>(x - 'A' + 'a') : x) == y;
         });
}

/// Why `message` cannot be written as one HTTP request to an endpoint that asks for `auth`; null when it can.
const char* what_is_wrong(const HttpMessage& message, const Auth& auth) {
  constexpr std::array<std::string_view, 7> kOwn = {"host",       "content-length", "transfer-encoding", "connection",
                                                    "user-agent", "expect",         "authorization"};
  std::string key_header = auth.kind == Auth::Kind::kApiKey ? auth.header : std::string();
  for (char& c : key_header) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  if (!is_token(message.method)) return "the method is not a token";
  if (message.target.empty() || message.target[0] != '/') return "the target does not begin with '/'";
  if (std::any_of(message.target.begin(), message.target.end(), [](char c) { return c <= ' ' || c >= 0x7f; })) {
    return "the target holds bytes that need escaping";
  }
  for (const auto& [name, value] : message.headers) {
    if (!is_token(name)) return "a header name is not a token";
    if (std::any_of(value.begin(), value.end(), [](unsigned char c) { return (c < ' ' && c != '\t') || c == 0x7f; })) {
      return "a header value holds control characters";
    }
    if (!key_header.empty() && equal_ignoring_case(name, key_header)) return "a header belongs to the credential";
    for (const std::string_view own : kOwn) {
      if (equal_ignoring_case(name, own)) return "a header belongs to the transport";
    }
  }
  return nullptr;
}

/// `credential` is written last of all, into memory that was reserved for it: no copy of it is left behind.
void write_head(std::string& head, const Url& url, const std::string& authority, const HttpMessage& message, bool keep,
                std::string_view credential) {
  std::size_t size = 256 + url.base.size() + message.target.size() + authority.size() + credential.size();
  for (const auto& [name, value] : message.headers) size += name.size() + value.size() + 4;
  head.reserve(size);
  head.append(message.method).append(" ").append(url.base).append(message.target).append(" HTTP/1.1\r\nHost: ");
  head.append(authority).append("\r\nUser-Agent: hearth\r\n");
  for (const auto& [name, value] : message.headers) head.append(name).append(": ").append(value).append("\r\n");
  if (!message.body.empty() || message.method != "GET") {
    append_json_number(head.append("Content-Length: "), message.body.size());
    head.append("\r\n");
  }
  if (!keep) head.append("Connection: close\r\n");
  head.append(credential).append("\r\n");
}

}  // namespace

/// The state that attempts in flight share; it outlives the transport until they have ended.
class HttpTransport::Pools final : public ConnectionOwner, public std::enable_shared_from_this<Pools> {
 public:
  Pools(AsioLoop& loop, HttpOptions options) : loop_(loop), options_(std::move(options)) {
    if (!options_.resolver) options_.resolver = make_system_resolver(loop);
  }

  void send(AttemptId attempt, EgressPermit permit, TimePoint deadline, SendCallback done, BodyCallback on_body) {
    assert(loop_.on_loop_thread() && !in_flight_.contains(attempt));
    Pool& pool = pool_of(permit.endpoint());
    if (pool.refusal) return refuse(*pool.refusal, std::move(done));
    if (const char* wrong = what_is_wrong(permit.message(), permit.endpoint().auth)) {
      return refuse({ErrorCode::kInvalidArgument, std::string("message: ") + wrong}, std::move(done));
    }
    if (deadline <= loop_.now()) {
      return refuse({ErrorCode::kDeadlineExceeded, "the deadline had passed before sending"}, std::move(done));
    }
    auto credential = credential_line(permit.endpoint());
    if (!credential.ok()) return refuse(credential.error(), std::move(done));
    const auto connection = take_connection(pool);
    std::string head = connection->take_head();
    write_head(head, pool.to->url, pool.authority, permit.message(), connection->keep(), *credential);
    wipe(*credential);
    in_flight_.emplace(attempt, connection);
    connection->start({attempt, std::move(permit), deadline, std::move(done), std::move(head), std::move(on_body)});
  }

  void cancel(AttemptId attempt) {
    const auto found = in_flight_.find(attempt);
    if (found != in_flight_.end()) found->second->fail(ErrorCode::kCancelled, "the attempt was cancelled");
  }

  void shut_down() {
    for (const auto& [attempt, connection] : in_flight_) {
      connection->fail(ErrorCode::kCancelled, "the transport was shut down");
      connection->close();
    }
    for (auto& [url, pool] : pools_) {
      for (auto* connections : {&pool.idle, &pool.opening}) {
        for (const auto& connection : *connections) connection->close();
        connections->clear();
      }
      if (pool.sweep) loop_.cancel(*std::exchange(pool.sweep, {}));
    }
  }

  void ended(const std::shared_ptr<HttpConnection>& connection, AttemptId attempt) override {
    const auto found = in_flight_.find(attempt);
    found->second.reset();
    in_flight_.erase(found);
    if (!connection->keep()) return;
    Pool& pool = *pool_by_connection_.at(connection.get());
    if (connection->dead()) return forget(pool, connection);
    if (!connection->open()) return pool.opening.push_back(connection);
    rest(pool, connection);
  }

  void opened(const std::shared_ptr<HttpConnection>& connection) override {
    Pool& pool = *pool_by_connection_.at(connection.get());
    std::erase(pool.opening, connection);
    rest(pool, connection);
  }

  void dropped(const std::shared_ptr<HttpConnection>& connection) override {
    const auto found = pool_by_connection_.find(connection.get());
    if (found == pool_by_connection_.end()) return;
    Pool& pool = *found->second;
    std::erase(pool.idle, connection);
    std::erase(pool.opening, connection);
    forget(pool, connection);
  }

 private:
  struct Pool {
    std::shared_ptr<Destination> to = std::make_shared<Destination>();
    std::string authority;
    std::optional<Error> refusal;                          ///< Why nothing may go there.
    std::vector<std::shared_ptr<HttpConnection>> idle;     ///< Most recently used last.
    std::vector<std::shared_ptr<HttpConnection>> opening;  ///< Those whose exchange did not wait for it.
    std::size_t kept = 0;                                  ///< These and the busy ones, without the surplus ones.
    std::optional<TimerId> sweep;
  };

  Pool& pool_of(const Endpoint& endpoint) {
    const auto [found, is_new] = pools_.try_emplace(endpoint.url);
    Pool& pool = found->second;
    if (!is_new) return pool;
    auto url = parse_url(endpoint.url);
    if (!url.ok()) {
      pool.refusal = url.error();
      return pool;
    }
    pool.to->url = std::move(url).value();
    pool.to->addresses =
        std::make_shared<HostAddresses>(loop_, options_.resolver, pool.to->url.host, options_.look_up_every);
    pool.authority = pool.to->url.authority();
    if (pool.to->url.secure()) {
      if (!tls_) tls_ = make_tls_context(options_.ca_file);
      if (tls_->ok()) {
        pool.to->tls = tls_->value();
      } else {
        pool.refusal = tls_->error();
      }
    } else if (!is_loopback(pool.to->url.host)) {
      pool.refusal = Error{ErrorCode::kPermissionDenied,
                           "endpoint '" + endpoint.name + "': http:// goes to loopback addresses only; use https://"};
    }
    return pool;
  }

  std::shared_ptr<HttpConnection> take_connection(Pool& pool) {
    while (!pool.idle.empty()) {
      auto connection = std::move(pool.idle.back());
      pool.idle.pop_back();
      const bool leads_there = pool.to->addresses->knows(connection->address());
      if (leads_there && connection->quiet()) {
        pool.to->addresses->refresh();
        return connection;
      }
      connection->close();
      forget(pool, connection);
    }
    if (!pool.opening.empty()) {
      auto connection = std::move(pool.opening.front());
      pool.opening.erase(pool.opening.begin());
      return connection;
    }
    const bool keep = pool.kept < options_.connections_per_endpoint_max;
    auto connection = std::make_shared<HttpConnection>(loop_, options_, pool.to, keep, weak_from_this());
    if (keep) {
      ++pool.kept;
      pool_by_connection_.emplace(connection.get(), &pool);
    }
    return connection;
  }

  void rest(Pool& pool, const std::shared_ptr<HttpConnection>& connection) {
    pool.idle.push_back(connection);
    if (!pool.sweep) schedule_sweep(pool);
  }

  void forget(Pool& pool, const std::shared_ptr<HttpConnection>& connection) {
    if (pool_by_connection_.erase(connection.get()) > 0) --pool.kept;
  }

  void schedule_sweep(Pool& pool) {
    pool.sweep =
        loop_.schedule_at(pool.idle.front()->idle_since() + options_.idle_timeout, [weak = weak_from_this(), &pool] {
          if (const auto self = weak.lock()) self->sweep(pool);
        });
  }

  void sweep(Pool& pool) {
    pool.sweep.reset();
    const TimePoint too_old = loop_.now() - options_.idle_timeout;
    std::erase_if(pool.idle, [&](const std::shared_ptr<HttpConnection>& connection) {
      if (connection->idle_since() > too_old) return false;
      connection->close();
      forget(pool, connection);
      return true;
    });
    if (!pool.idle.empty()) schedule_sweep(pool);
  }

  void refuse(Error error, SendCallback done) {
    loop_.post([error = std::move(error), done = std::move(done)] { done({error, 0}); });
  }

  AsioLoop& loop_;
  HttpOptions options_;
  std::optional<Result<std::shared_ptr<ssl::context>>> tls_;  ///< Made with the first https endpoint.
  std::unordered_map<std::string, Pool> pools_;
  RecyclingMap<AttemptId, std::shared_ptr<HttpConnection>> in_flight_;
  std::unordered_map<const HttpConnection*, Pool*> pool_by_connection_;
};

HttpTransport::HttpTransport(AsioLoop& loop, HttpOptions options)
    : loop_(loop), pools_(std::make_shared<Pools>(loop, std::move(options))) {}

HttpTransport::~HttpTransport() {
  if (loop_.on_loop_thread()) {
    pools_->shut_down();
  } else {
    loop_.post([pools = std::move(pools_)] { pools->shut_down(); });
  }
}

void HttpTransport::send(AttemptId attempt, EgressPermit permit, TimePoint deadline, SendCallback done) {
  pools_->send(attempt, std::move(permit), deadline, std::move(done), {});
}

void HttpTransport::stream(AttemptId attempt, EgressPermit permit, TimePoint deadline, BodyCallback on_body,
                           SendCallback done) {
  pools_->send(attempt, std::move(permit), deadline, std::move(done), std::move(on_body));
}

void HttpTransport::cancel(AttemptId attempt) { pools_->cancel(attempt); }

std::shared_ptr<Transport> make_http_transport(EventLoop& loop, HttpOptions options) {
  auto* asio_loop = dynamic_cast<AsioLoop*>(&loop);
  assert(asio_loop != nullptr);
  return std::make_shared<HttpTransport>(*asio_loop, std::move(options));
}

}  // namespace hearth::net
