#include "cloud_stub/fault_body.h"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

#include "runtime/sim/reply_faults.h"

namespace hearth::stub {
namespace {

constexpr const char* kLength = "Inference-Header-Content-Length";

/// Lets `change` have the body and the size of its JSON part, and puts the lengths right again.
template <class Change>
void with_body(WireReply& reply, const Change& change) {
  std::optional<std::size_t> json_bytes;
  if (const auto* value = reply.head.get(kLength)) {
    std::size_t size = reply.body.size();
    std::from_chars(value->data(), value->data() + value->size(), size);
    json_bytes = size;
  }
  change(reply.body, json_bytes);
  if (json_bytes) reply.head.set(kLength, std::to_string(*json_bytes));
  reply.head.set("Content-Length", std::to_string(reply.body.size()));
}

}  // namespace

void falsify(sim::FaultKind kind, WireReply& reply) {
  with_body(reply, [&](auto& body, auto& json_bytes) { sim::falsify(kind, body, json_bytes); });
}

void break_json(WireReply& reply) { with_body(reply, sim::break_json); }

std::string gzip_bomb(std::uint64_t bytes) {
  constexpr int kGzip = 15 + 16;
  z_stream stream{};
  std::string out;
  if (deflateInit2(&stream, Z_BEST_COMPRESSION, Z_DEFLATED, kGzip, 8, Z_DEFAULT_STRATEGY) != Z_OK) return out;
  std::array<unsigned char, 64 << 10> zeros{};
  std::array<unsigned char, 16 << 10> packed{};
  int state = Z_OK;
  while (state == Z_OK) {
    if (stream.avail_in == 0 && bytes > 0) {
      stream.next_in = zeros.data();
      stream.avail_in = static_cast<unsigned>(std::min<std::uint64_t>(bytes, zeros.size()));
      bytes -= stream.avail_in;
    }
    stream.next_out = packed.data();
    stream.avail_out = packed.size();
    state = deflate(&stream, bytes == 0 ? Z_FINISH : Z_NO_FLUSH);
    out.append(reinterpret_cast<const char*>(packed.data()), packed.size() - stream.avail_out);
  }
  deflateEnd(&stream);
  return out;
}

}  // namespace hearth::stub
