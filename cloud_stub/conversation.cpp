#include "cloud_stub/conversation.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <ctime>
#include <tuple>
#include <utility>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include "cloud_stub/oip.h"
#include "cloud_stub/routes.h"

// g++ 12 lays out the frame of some coroutines wrongly that await inside a condition: here a co_await stands alone.
namespace hearth::stub {
namespace asio = boost::asio;
using sim::Direction;
using sim::FaultKind;
using sim::FaultStage;
namespace {

using SteadyClock = std::chrono::steady_clock;
constexpr auto kAwait = asio::as_tuple(asio::use_awaitable);
constexpr std::size_t kHeadBytesMax = 64 << 10;
constexpr std::size_t kFillerPiece = 256 << 10;
constexpr std::size_t kReadBytes = 64 << 10;
constexpr Duration kLook = std::chrono::milliseconds(5);

bool is_infer(const HttpHead& head) { return is_inference(route(head.method(), head.path()).call); }

bool says_close(const HttpHead& head) {
  const std::string* value = head.get("Connection");
  return value != nullptr && (*value == "close" || *value == "Close");
}

WireReply refusal(int status, std::string_view message) {
  WireReply reply;
  reply.head.start = "HTTP/1.1 " + std::to_string(status) + " Refused";
  reply.body = error_json(message);
  reply.head.set("Content-Type", "application/json");
  reply.head.set("Content-Length", std::to_string(reply.body.size()));
  return reply;
}

}  // namespace

Conversation::Conversation(FrontWorld& world, ClientStream::Tcp::socket socket)
    : world_(world), client_(std::move(socket)), server_(client_.socket().get_executor()) {}

Task Conversation::run() {
  bool goes_on = co_await begin();
  while (goes_on) goes_on = co_await exchange();
}

bool Conversation::is_local() const {
  boost::system::error_code error;
  const auto peer = const_cast<ClientStream&>(client_).socket().remote_endpoint(error);
  return !error && peer.address().is_loopback();
}

Task Conversation::gate(Direction direction) {
  while (const auto left = world_.faults.cut_for(direction)) co_await client_.wait(std::min(*left, kLook));
}

Task Conversation::swallow_until_gone() {
  for (bool more = true; more;) {
    in_.clear();
    more = co_await client_.read(in_);
    if (!in_.empty()) world_.swallowed({}, in_);
  }
}

/// What a connection fault does before the first byte is read.
Conversation::Answer Conversation::begin() {
  const auto fault = world_.faults.on_connect();
  std::optional<sim::FaultKind> certificate;
  if (fault) {
    switch (fault->kind) {
      case FaultKind::kNeverRead:
      case FaultKind::kTlsStall:
        co_await client_.until_gone();
        world_.swallowed({}, client_.unread());
        co_return false;
      case FaultKind::kResetOnAccept:
        client_.reset();
        co_return false;
      case FaultKind::kTlsGarbage:
        co_await client_.write("220 this is not the protocol you are looking for\r\n");
        client_.close();
        co_return false;
      case FaultKind::kSlowAccept:
        co_await client_.wait(fault->delay);
        break;
      case FaultKind::kSlowRead:
        client_.slow_down(fault->bytes, fault->delay);
        break;
      default:
        certificate = fault->kind;
        break;
    }
  }
  if (!world_.config.tls) co_return true;
  co_return co_await client_.shake_hands(world_.tls(certificate));
}

/// False: the connection is over. `head` stays empty when what came is nothing this front reads.
Conversation::Answer Conversation::read_head(std::optional<HttpHead>& head, std::size_t& size) {
  std::size_t end = std::string::npos;
  while ((end = in_.find("\r\n\r\n")) == std::string::npos && in_.size() < kHeadBytesMax) {
    const bool more = co_await client_.read(in_);
    if (more) continue;
    if (!in_.empty()) world_.swallowed({}, in_);
    co_return false;
  }
  if (end != std::string::npos) {
    size = end + 4;
    head = HttpHead::parse(std::string_view(in_).substr(0, size));
  }
  co_return true;
}

Conversation::Answer Conversation::read_body(const HttpHead& head, std::size_t head_size, std::size_t size) {
  while (in_.size() - head_size < size) {
    const bool more = co_await client_.read(in_);
    if (more) continue;
    world_.swallowed(head, std::string_view(in_).substr(head_size));
    co_return false;
  }
  co_return true;
}

Conversation::Answer Conversation::exchange() {
  std::optional<HttpHead> head;
  std::size_t head_size = 0;
  const bool has_head = co_await read_head(head, head_size);
  if (!has_head) co_return false;
  co_await gate(Direction::kUp);
  const auto length = head ? head->length() : std::nullopt;
  if (!length || *length > world_.config.body_bytes_max) co_return co_await pass_through();
  const bool admin = is_admin(head->path());
  if (admin && !is_local()) {
    co_return co_await play_last(script_of(refusal(403, "/admin is for this machine only")), true);
  }
  sim::FaultDecision decision;
  if (!admin) {
    const std::string* asked = head->get(kFaultHeader);
    if (asked != nullptr && world_.config.allow_header) {
      auto found = world_.faults.on_request_with(*asked, is_infer(*head));
      if (!found) {
        const bool whole = co_await read_body(*head, head_size, *length);
        if (whole) world_.swallowed(*head, std::string_view(in_).substr(head_size, *length));
        in_.erase(0, head_size + std::min<std::size_t>(*length, in_.size() - head_size));
        if (!whole) co_return false;
        co_return co_await play_last(script_of(refusal(400, found.error().message)), says_close(*head));
      }
      decision = std::move(found).value();
      head->remove(kFaultHeader);
    } else {
      decision = world_.faults.on_request(is_infer(*head));
    }
  }
  const bool holds = decision.fault && decision.fault->kind == FaultKind::kNoContinue;
  if (head->get("Expect") != nullptr && !holds) co_return co_await pass_through();
  const bool has_body = co_await read_body(*head, head_size, *length);
  if (!has_body) co_return false;
  std::string body = in_.substr(head_size, *length);
  in_.erase(0, head_size + *length);
  head->remove("Expect");
  ++exchanges_;
  co_return co_await serve(*head, std::move(body), decision);
}

Conversation::Answer Conversation::serve(const HttpHead& head, std::string body, const sim::FaultDecision& decision) {
  if (decision.wait > Duration{}) co_await client_.wait(decision.wait);
  const auto& fault = decision.fault;
  const FaultStage stage = fault ? sim::facts_of(fault->kind).stage : FaultStage::kListen;
  const bool first_reuse_only = fault && fault->kind == FaultKind::kCloseOnReuse && exchanges_ == 1;
  if (stage == FaultStage::kRequest && fault->kind != FaultKind::kNoContinue && !first_reuse_only && !fault->executed) {
    world_.swallowed(head, body);
    co_return co_await replace_server(*fault, head);
  }
  const auto asked_at = SteadyClock::now();
  const auto reply = co_await ask_server(head, body, decision.wait);
  if (!reply) {
    client_.close();
    co_return false;
  }
  if (stage == FaultStage::kRequest && fault->executed) co_return co_await replace_server(*fault, head);
  if (decision.slow_factor > 1) {
    const Duration took = SteadyClock::now() - asked_at;
    co_await client_.wait(from_ms(to_ms(took) * (decision.slow_factor - 1)));
  }
  const bool changed = stage == FaultStage::kReply;
  const ReplyScript script = changed ? script_for(*fault, *reply, exchanges_) : script_of(*reply);
  co_return co_await play_last(script, says_close(reply->head) || says_close(head));
}

Conversation::Answer Conversation::replace_server(const sim::FaultSpec& fault, const HttpHead& head) {
  switch (fault.kind) {
    case FaultKind::kResetAfterRequest:
      client_.reset();
      co_return false;
    case FaultKind::kCloseOnReuse:
      client_.close();
      co_return false;
    case FaultKind::kHalfOpen:
      co_await client_.until_gone();
      world_.swallowed({}, client_.unread());
      co_return false;
    case FaultKind::kBlackhole:
      co_await swallow_until_gone();
      co_return false;
    default:
      break;
  }
  const WireReply reply = canned_reply(fault, world_.self, std::time(nullptr));
  co_return co_await play_last(script_of(reply), says_close(head));
}

Conversation::Answer Conversation::connect() {
  if (server_.is_open()) {
    // The server closes idle connections; a byte or an end waiting there means that this one is over.
    char byte = 0;
    const auto got = ::recv(server_.native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) co_return true;
    boost::system::error_code ignored;
    server_.close(ignored);
  }
  const ClientStream::Tcp::endpoint there(asio::ip::address_v4::loopback(),
                                          static_cast<unsigned short>(world_.config.server_port));
  const auto [error] = co_await server_.async_connect(there, kAwait);
  if (error) co_return false;
  boost::system::error_code ignored;
  server_.set_option(ClientStream::Tcp::no_delay(true), ignored);
  co_return true;
}

asio::awaitable<std::optional<WireReply>> Conversation::ask_server(HttpHead head, const std::string& body,
                                                                   Duration waited) {
  WireReply reply;
  const bool connected = co_await connect();
  if (!connected) co_return std::nullopt;
  head.remove(kWaitedHeader);
  head.remove("Accept-Encoding");  // what a fault changes must be plain
  if (waited > Duration{}) {
    head.set(kWaitedHeader, std::to_string(std::chrono::duration_cast<std::chrono::microseconds>(waited).count()));
  }
  const std::string request = head.text() + body;
  const auto [error, sent] = co_await asio::async_write(server_, asio::buffer(request), kAwait);
  if (error) co_return std::nullopt;
  const bool whole = co_await read_reply(reply, head.method() == "HEAD");
  if (!whole) co_return std::nullopt;
  co_return reply;
}

Conversation::Answer Conversation::read_reply(WireReply& reply, bool no_body) {
  std::string bytes;
  std::size_t head_size = 0;
  std::optional<std::uint64_t> length;
  bool chunked = false;
  for (;;) {
    if (head_size == 0) {
      if (const auto end = bytes.find("\r\n\r\n"); end != std::string::npos) {
        head_size = end + 4;
        auto head = HttpHead::parse(std::string_view(bytes).substr(0, head_size));
        chunked = head && head->get("Transfer-Encoding") != nullptr;
        length = head ? head->length() : std::nullopt;
        if (!length && !chunked) co_return false;
        reply.head = std::move(*head);
        if (no_body) length = 0;
      }
    }
    // What comes in pieces is collected: faults are of whole replies.
    if (chunked && !no_body && head_size > 0) {
      if (auto body = body_of_chunks(std::string_view(bytes).substr(head_size))) {
        reply.body = std::move(*body);
        reply.head.remove("Transfer-Encoding");
        reply.head.set("Content-Length", std::to_string(reply.body.size()));
        co_return true;
      }
    }
    if (length && bytes.size() - head_size >= *length) break;
    const std::size_t had = bytes.size();
    bytes.resize(had + kReadBytes);
    const auto [error, got] = co_await server_.async_read_some(asio::buffer(bytes.data() + had, kReadBytes), kAwait);
    bytes.resize(had + got);
    if (error) co_return false;
  }
  reply.body = bytes.substr(head_size, *length);
  co_return true;
}

Conversation::Answer Conversation::play_last(const ReplyScript& script, bool last) {
  const bool goes_on = co_await play(script);
  if (goes_on && last) client_.close();
  co_return goes_on && !last;
}

Conversation::Answer Conversation::play(const ReplyScript& script) {
  for (const auto& step : script.steps) {
    if (step.wait > Duration{}) co_await client_.wait(step.wait);
    co_await gate(Direction::kDown);
    const bool sent = co_await client_.write(step.bytes);
    if (!sent) co_return false;
  }
  if (script.filler > 0) {
    const std::string zeros(std::min<std::uint64_t>(script.filler, kFillerPiece), '\0');
    for (std::uint64_t left = script.filler; left > 0;) {
      const std::size_t piece = std::min<std::uint64_t>(left, zeros.size());
      const bool sent = co_await client_.write(std::string_view(zeros).substr(0, piece));
      if (!sent) co_return false;
      left -= piece;
    }
  }
  switch (script.end) {
    case ReplyEnd::kKeep:
      co_return true;
    case ReplyEnd::kClose:
      client_.close();
      break;
    case ReplyEnd::kReset:
      client_.reset();
      break;
    case ReplyEnd::kHalfClose:
      client_.half_close();
      co_await swallow_until_gone();
      break;
    case ReplyEnd::kHang:
      co_await swallow_until_gone();
      break;
  }
  co_return false;
}

/// Byte for byte, until either side is done. Only for this machine: the server takes the front for a local peer.
Conversation::Answer Conversation::pass_through() {
  using namespace asio::experimental::awaitable_operators;
  bool possible = is_local();
  if (possible) possible = co_await connect();
  if (!possible) {
    world_.swallowed({}, in_);
    client_.close();
    co_return false;
  }
  co_await (pump_up() && pump_down());
  co_return false;
}

Task Conversation::pump_up() {
  boost::system::error_code ignored;
  for (bool more = true; more;) {
    const auto [error, sent] = co_await asio::async_write(server_, asio::buffer(in_), kAwait);
    if (error) break;
    in_.clear();
    more = co_await client_.read(in_);
  }
  server_.shutdown(ClientStream::Tcp::socket::shutdown_send, ignored);
}

Task Conversation::pump_down() {
  std::string bytes(kReadBytes, '\0');
  for (;;) {
    const auto [error, got] = co_await server_.async_read_some(asio::buffer(bytes), kAwait);
    if (error) break;
    const bool sent = co_await client_.write(std::string_view(bytes).substr(0, got));
    if (!sent) break;
  }
  client_.close();
}

}  // namespace hearth::stub
