/// \file Conversation: the front's side of one client connection, request after request.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "cloud_stub/client_stream.h"
#include "cloud_stub/fault_reply.h"
#include "cloud_stub/front.h"

namespace hearth::stub {

/// What conversations share. Outlives them.
struct FrontWorld {
  FrontConfig config;
  Faults& faults;
  Front::Swallowed swallowed;
  std::string self;  ///< The front's own URL.
  /// The TLS context with the certificate that `fault` asks for.
  std::function<boost::asio::ssl::context&(std::optional<sim::FaultKind> fault)> tls;
};

/// Threads: the front's.
class Conversation {
 public:
  Conversation(FrontWorld& world, ClientStream::Tcp::socket socket);
  /// Until the connection is over.
  Task run();

 private:
  using Answer = boost::asio::awaitable<bool>;  ///< Does the connection go on?

  Answer begin();
  Answer exchange();
  Answer read_head(std::optional<HttpHead>& head, std::size_t& size);
  Answer read_body(const HttpHead& head, std::size_t head_size, std::size_t size);
  Answer serve(const HttpHead& head, std::string body, const sim::FaultDecision& decision);
  Answer replace_server(const sim::FaultSpec& fault, const HttpHead& head);
  boost::asio::awaitable<std::optional<WireReply>> ask_server(HttpHead head, const std::string& body, Duration waited);
  Answer read_reply(WireReply& reply, bool no_body);
  Answer play(const ReplyScript& script);
  Answer play_last(const ReplyScript& script, bool last);
  Answer pass_through();
  Task pump_up();
  Task pump_down();
  Answer connect();
  Task gate(sim::Direction direction);
  Task swallow_until_gone();
  bool is_local() const;

  FrontWorld& world_;
  ClientStream client_;
  ClientStream::Tcp::socket server_;
  std::string in_;  ///< From the client, not yet used.
  std::uint64_t exchanges_ = 0;
};

}  // namespace hearth::stub
