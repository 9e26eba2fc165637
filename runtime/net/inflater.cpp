#include "runtime/net/inflater.h"

#include <zlib.h>

#include <array>
#include <limits>

namespace hearth::net {
namespace {

constexpr int kGzipOnly = 15 + 16;  // zlib's largest window, and its mark for a gzip header
constexpr std::size_t kPiece = 64 << 10;

}  // namespace

struct Inflater::Stream {
  z_stream z{};
  std::uint64_t left;
  bool usable = false;
  bool between_members = true;

  explicit Stream(std::uint64_t bytes_max) : left(bytes_max) { usable = inflateInit2(&z, kGzipOnly) == Z_OK; }
  ~Stream() {
    if (usable) inflateEnd(&z);
  }
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  /// Once; `more` says whether there is more to do.
  State step(std::string& out, bool& more) {
    std::array<char, kPiece> piece;
    z.next_out = reinterpret_cast<Bytef*>(piece.data());
    z.avail_out = kPiece;
    const int result = inflate(&z, Z_NO_FLUSH);
    const std::size_t made = kPiece - z.avail_out;
    more = z.avail_in > 0 || z.avail_out == 0;
    if (made > left) return State::kTooLarge;
    left -= made;
    out.append(piece.data(), made);
    if (result == Z_STREAM_END) {
      between_members = true;
      more = z.avail_in > 0;
      return inflateReset(&z) == Z_OK ? State::kGoesOn : State::kCorrupt;
    }
    if (result == Z_BUF_ERROR && made == 0 && z.avail_in == 0) more = false;  // it wants more than there is
    return result == Z_OK || result == Z_BUF_ERROR ? State::kGoesOn : State::kCorrupt;
  }
};

Inflater::Inflater(std::uint64_t bytes_max) : stream_(std::make_unique<Stream>(bytes_max)) {}
Inflater::~Inflater() = default;
Inflater::Inflater(Inflater&&) noexcept = default;
Inflater& Inflater::operator=(Inflater&&) noexcept = default;

Inflater::State Inflater::put(std::string_view packed, std::string& out) {
  if (!stream_->usable) return State::kCorrupt;
  z_stream& z = stream_->z;
  while (!packed.empty()) {
    const auto now = packed.substr(0, std::numeric_limits<uInt>::max());
    packed.remove_prefix(now.size());
    z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(now.data()));  // zlib only reads it
    z.avail_in = static_cast<uInt>(now.size());
    stream_->between_members = false;
    for (bool more = true; more;) {
      if (z.avail_in > 0) stream_->between_members = false;
      if (const State state = stream_->step(out, more); state != State::kGoesOn) return state;
    }
  }
  return State::kGoesOn;
}

bool Inflater::whole() const { return stream_->between_members; }

}  // namespace hearth::net
