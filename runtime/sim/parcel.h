/// \file Parcel: a request or a reply of which only the size is simulated.
#pragma once

#include <cstdint>
#include <functional>

#include <hearth/transport.h>

namespace hearth::sim {

/// A request without its bytes.
struct Parcel {
  std::uint64_t body_bytes = 0;
  std::uint64_t reply_bytes = 0;  ///< Of the server's good reply.
  std::uint64_t draw = 0;         ///< Names the request to the server: see Cloud::serve().
  bool probe = false;             ///< It asks how the server is, not for an inference.
};

/// How a parcel's attempt ended.
struct Delivered {
  SendResult result;
  Status answer{Done{}};  ///< What the codec makes of a reply.
  bool wrong = false;     ///< A whole reply that says something false.
  TimePoint reached{};    ///< When the server had the whole request.
  Duration server_wait{};
  Duration server_time{};
};

using DeliveredCallback = std::function<void(Delivered)>;

/// A good reply of about so many bytes in full, to show a fault what it would spoil.
HttpReply unpacked_reply(std::uint64_t bytes);
/// What the codec says to it, whole or spoilt.
Status read_unpacked(const HttpReply& reply, std::uint64_t bytes);

}  // namespace hearth::sim
