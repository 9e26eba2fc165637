#include "cloud_stub/fault_reply.h"

#include <algorithm>

#include <hearth/random.h>

#include "cloud_stub/fault_body.h"
#include "runtime/sim/reply_faults.h"

namespace hearth::stub {
namespace {

using sim::FaultKind;
using sim::FaultSpec;
using enum sim::FaultKind;

constexpr std::uint64_t kPiece = 32;  // Of a body that comes in pieces, where the fault does not say.
constexpr int kInterimReplies = 100;

std::uint64_t piece_of(const FaultSpec& spec) { return spec.bytes > 0 ? spec.bytes : kPiece; }

ReplyScript say(std::string bytes, ReplyEnd end) {
  ReplyScript script;
  script.steps.push_back({{}, std::move(bytes)});
  script.end = end;
  return script;
}

/// `first` now; after the fault's delay, or never when it has none, `second`.
ReplyScript stall(const FaultSpec& spec, std::string first, std::string second) {
  ReplyScript script = say(std::move(first), ReplyEnd::kKeep);
  if (spec.delay == Duration{}) {
    script.end = ReplyEnd::kHang;
  } else {
    script.steps.push_back({spec.delay, std::move(second)});
  }
  return script;
}

std::string chunk(std::string_view bytes) {
  constexpr char kHex[] = "0123456789abcdef";
  std::string size;
  for (std::size_t left = bytes.size(); left > 0; left /= 16) size.insert(size.begin(), kHex[left % 16]);
  return (size.empty() ? "0" : size) + "\r\n" + std::string(bytes) + "\r\n";
}

/// The same body, chunked. `whole`: with its end.
std::vector<std::string> chunks_of(const WireReply& reply, std::uint64_t size, bool whole) {
  HttpHead head = reply.head;
  head.remove("Content-Length");
  head.set("Transfer-Encoding", "chunked");
  std::vector<std::string> parts{head.text()};
  for (std::size_t at = 0; at < reply.body.size(); at += size) {
    parts.push_back(chunk(std::string_view(reply.body).substr(at, size)));
  }
  if (whole) parts.emplace_back("0\r\n\r\n");
  return parts;
}

std::string joined(const std::vector<std::string>& parts, std::size_t from, std::size_t to) {
  std::string all;
  for (std::size_t i = from; i < std::min(to, parts.size()); ++i) all += parts[i];
  return all;
}

ReplyScript drip(const FaultSpec& spec, const std::string& bytes) {
  ReplyScript script;
  const std::uint64_t size = std::max<std::uint64_t>(spec.bytes, 1);
  for (std::size_t at = 0; at < bytes.size(); at += size) script.steps.push_back({spec.delay, bytes.substr(at, size)});
  return script;
}

std::string random_bytes(std::uint64_t size, std::uint64_t seed) {
  RandomStream stream(seed, "stub.garbage");
  std::string bytes(size, '\0');
  for (char& c : bytes) c = static_cast<char>(stream.next() & 0xff);
  return bytes;
}

WireReply with_length(WireReply reply, std::uint64_t length) {
  reply.head.set("Content-Length", std::to_string(length));
  return reply;
}

WireReply page(int status, const std::string& reason, std::string type, std::string body) {
  WireReply reply;
  reply.head.start = "HTTP/1.1 " + std::to_string(status) + " " + reason;
  reply.head.set("Content-Type", std::move(type));
  reply.head.set("Content-Length", std::to_string(body.size()));
  reply.body = std::move(body);
  return reply;
}

/// Faults of the connection: the reply is right, and does not arrive whole, or not soon.
ReplyScript break_connection(const FaultSpec& spec, const WireReply& reply) {
  const std::string head = reply.head.text();
  const std::string all = head + reply.body;
  const std::string part = head + reply.body.substr(0, spec.bytes);
  switch (spec.kind) {
    case kResetMidHead:
      return say(head.substr(0, head.size() / 2), ReplyEnd::kReset);
    case kResetMidBody:
      return say(part, ReplyEnd::kReset);
    case kCutMidHead:
      return say(head.substr(0, head.size() / 2), ReplyEnd::kClose);
    case kCutMidBody:
      return say(part, ReplyEnd::kClose);
    case kDrip:
      return drip(spec, all);
    case kHalfClose:
      return say(all, ReplyEnd::kHalfClose);
    case kCloseAfterReply:
      return say(all, ReplyEnd::kClose);
    case kSlowHead:
      return stall(spec, reply.head.start + "\r\n", all.substr(reply.head.start.size() + 2));
    case kStallBody:
      return stall(spec, part, all.substr(part.size()));
    case kSlowClose: {
      WireReply unframed = reply;
      unframed.head.remove("Content-Length");
      unframed.head.set("Connection", "close");
      ReplyScript script = say(unframed.head.text() + unframed.body, ReplyEnd::kClose);
      script.steps.push_back({spec.delay, ""});
      return script;
    }
    default:
      return script_of(reply);
  }
}

/// Faults of the protocol: all bytes come, and are not HTTP, or not this reply.
ReplyScript break_http(const FaultSpec& spec, const WireReply& reply, std::uint64_t seed) {
  const std::string head = reply.head.text();
  const std::size_t half = reply.body.size() / 2;
  HttpHead changed = reply.head;
  switch (spec.kind) {
    case kGarbage:
      return say(random_bytes(spec.bytes, seed), ReplyEnd::kClose);
    case kBadStatusLine:
      changed.start = "HTTP/one.one two hundred OK";
      return say(changed.text() + reply.body, ReplyEnd::kKeep);
    case kBadHeader:
      changed.fields.emplace_back("Broken header\x01", "value");
      return say(changed.text() + reply.body, ReplyEnd::kKeep);
    case kHugeHead:
      changed.set("X-Padding", std::string(spec.bytes, 'a'));
      return say(changed.text() + reply.body, ReplyEnd::kKeep);
    case kDuplicateBytes:
      return say(head + reply.body.substr(0, half) + reply.body.substr(half - std::min<std::size_t>(half, spec.bytes)),
                 ReplyEnd::kKeep);
    case kLengthTooLong:
      return say(with_length(reply, reply.body.size() + spec.bytes).head.text() + reply.body, ReplyEnd::kHang);
    case kLengthTooShort:
      return say(
          with_length(reply, reply.body.size() - std::min(reply.body.size(), spec.bytes)).head.text() + reply.body,
          ReplyEnd::kKeep);
    case kLengthTwice:
      changed.fields.emplace_back("Content-Length", std::to_string(reply.body.size() + 1));
      return say(changed.text() + reply.body, ReplyEnd::kKeep);
    case kInterimFlood: {
      std::string interim;
      for (int i = 0; i < kInterimReplies; ++i) interim += "HTTP/1.1 100 Continue\r\n\r\n";
      return say(interim + head + reply.body, ReplyEnd::kKeep);
    }
    case kDuplicateReply:
      return say(head + reply.body + head + reply.body, ReplyEnd::kKeep);
    case kBadChunk:
      return say(chunks_of(reply, piece_of(spec), false)[0] + "nonsense\r\n" + reply.body + "\r\n0\r\n\r\n",
                 ReplyEnd::kKeep);
    case kChunkCut: {
      const auto parts = chunks_of(reply, piece_of(spec), false);
      return say(joined(parts, 0, 1 + parts.size() / 2), ReplyEnd::kClose);
    }
    case kChunkStall: {
      const auto parts = chunks_of(reply, piece_of(spec), true);
      return stall(spec, joined(parts, 0, 2), joined(parts, 2, parts.size()));
    }
    default:
      return break_connection(spec, reply);
  }
}

}  // namespace

ReplyScript script_of(const WireReply& reply) { return say(reply.head.text() + reply.body, ReplyEnd::kKeep); }

ReplyScript script_for(const FaultSpec& spec, const WireReply& reply, std::uint64_t seed) {
  WireReply changed = reply;
  switch (spec.kind) {
    case kBadJson:
      break_json(changed);
      return script_of(changed);
    case kHtmlPage:
      return script_of(page(200, "OK", "text/html", "<!DOCTYPE html><html><body>Please sign in.</body></html>"));
    case kWrongContentType:
      changed.head.set("Content-Type", "text/html");
      return script_of(changed);
    case kWrongShape:
    case kWrongDatatype:
    case kWrongName:
    case kMissingOutput:
    case kNan:
    case kWrongId:
    case kWrongAnswer:
    case kModelVersion:
      falsify(spec.kind, changed);
      return script_of(changed);
    case kHugeBody: {
      ReplyScript script = say(with_length(reply, spec.bytes).head.text(), ReplyEnd::kKeep);
      script.filler = spec.bytes;
      return script;
    }
    case kGzipBomb:
      changed = page(200, "OK", "application/json", gzip_bomb(spec.bytes));
      changed.head.set("Content-Encoding", "gzip");
      return script_of(changed);
    default:
      return break_http(spec, reply, seed);
  }
}

WireReply canned_reply(const FaultSpec& spec, const std::string& self, std::time_t now) {
  if (spec.kind == kRedirect) {
    WireReply reply = page(spec.status, "Redirect", "text/plain", "");
    reply.head.set("Location", self + std::string(kRedirectPath));
    return reply;
  }
  const bool skewed = spec.kind == kClockSkew;
  const int status = skewed ? 503 : spec.status;
  WireReply reply = page(status, "Injected", "application/json", R"({"error":"injected failure"})");
  if (spec.has_retry_after) reply.head.set("Retry-After", spec.retry_after);
  if (skewed) {
    const auto seconds = [](Duration d) { return std::chrono::duration_cast<std::chrono::seconds>(d).count(); };
    reply.head.set("Date", http_date(now + seconds(spec.skew)));
    reply.head.set("Retry-After", http_date(now + seconds(spec.skew) + seconds(spec.delay)));
  }
  return reply;
}

std::string http_date(std::time_t time) { return sim::http_date(WallTime(std::chrono::seconds(time))); }

}  // namespace hearth::stub
