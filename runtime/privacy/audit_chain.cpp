#include "runtime/privacy/audit_chain.h"

#include <algorithm>
#include <charconv>

#include <nlohmann/json.hpp>

namespace hearth::privacy {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view kSeq = R"(,"seq":)";
constexpr std::string_view kMac = R"(,"mac":")";
constexpr std::size_t kMacBytes = kMac.size() + 64 + 2;  // ,"mac":"<64 hex>"}
constexpr std::string_view kState = R"({"kind":"state",)";

std::string_view bytes_of(const Digest& digest) {
  return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}

std::optional<Digest> digest_from(std::string_view hex) {
  Digest digest;
  if (hex.size() != 2 * digest.size()) return {};
  for (std::size_t i = 0; i < digest.size(); ++i) {
    const char* at = hex.data() + 2 * i;
    const auto [stop, error] = std::from_chars(at, at + 2, digest[i], 16);
    if (error != std::errc() || stop != at + 2) return {};
  }
  return hex_of(digest) == hex ? std::optional(digest) : std::nullopt;  // lower case only: one way to write it
}

Error corrupt(std::string what) { return {ErrorCode::kCorrupt, std::move(what)}; }
const Error kNoDigest{ErrorCode::kUnavailable, "the digest library failed"};

/// A sealed line taken apart. `record` lacks its closing brace, `signed_text` is what the MAC covers.
struct Sealed {
  std::string_view record;
  std::string_view signed_text;
  std::uint64_t seq = 0;
  Digest mac{};
};

std::optional<Sealed> take_apart(std::string_view line) {
  if (line.size() <= kMacBytes || !line.ends_with("\"}")) return {};
  Sealed sealed;
  sealed.signed_text = line.substr(0, line.size() - kMacBytes);
  const std::string_view end = line.substr(sealed.signed_text.size());
  const auto mac = digest_from(end.substr(kMac.size(), 64));
  const auto at = sealed.signed_text.rfind(kSeq);
  if (!end.starts_with(kMac) || !mac || at == std::string_view::npos) return {};
  sealed.mac = *mac;
  sealed.record = sealed.signed_text.substr(0, at);
  const std::string_view digits = sealed.signed_text.substr(at + kSeq.size());
  const auto [stop, error] = std::from_chars(digits.data(), digits.data() + digits.size(), sealed.seq);
  if (error != std::errc() || stop != digits.data() + digits.size() || sealed.seq == 0) return {};
  return sealed;
}

}  // namespace

std::string derived_key(std::string_view device_key, std::string_view purpose) {
  const auto key = hmac_sha256(device_key, purpose);
  return key ? std::string(bytes_of(*key)) : std::string();
}

AuditChain::AuditChain(std::string_view device_key)
    : key_(derived_key(device_key, "hearth audit chain 1")), head_key_(derived_key(device_key, "hearth audit head 1")) {
  if (const auto digest = hmac_sha256(key_, "begin")) genesis_ = *digest;
  head_.mac = genesis_;
}

std::optional<Digest> AuditChain::mac_of(const Digest& before, std::string_view text) const {
  if (key_.empty()) return {};
  std::string bytes;
  bytes.reserve(before.size() + text.size());
  bytes += bytes_of(before);
  bytes += text;
  return hmac_sha256(key_, bytes);
}

Result<std::string> AuditChain::seal(std::string record) {
  record.pop_back();
  record += std::string(kSeq) + std::to_string(next_seq());
  const auto mac = mac_of(head_.mac, record);
  if (!mac) return kNoDigest;
  head_ = {next_seq(), *mac};
  if (first_seq_ == 0) first_seq_ = head_.count;
  return record + std::string(kMac) + hex_of(*mac) + "\"}";
}

Result<std::string> AuditChain::seal_state(std::string record, const std::vector<std::uint64_t>& segments) {
  record.pop_back();
  record += R"(,"from_mac":")" + hex_of(head_.mac) + R"(","segments":)" + Json(segments).dump() + "}";
  segments_ = segments;
  return seal(std::move(record));
}

/// Whatever it claims is trusted only once its own MAC has been found good.
Status AuditChain::begin_from(std::string_view record, std::uint64_t seq) try {
  const Json json = Json::parse(std::string(record) + "}");
  const auto from = digest_from(json.at("from_mac").get<std::string>());
  if (!from) return corrupt("a state record that names no MAC to continue from");
  segments_ = json.at("segments").get<std::vector<std::uint64_t>>();
  if (first_seq_ != 0) return Done{};
  if (seq == 1 && *from != genesis_) return corrupt("the log was begun with another key");
  head_ = {seq - 1, *from};
  return Done{};
} catch (const Json::exception&) { return corrupt("not a state record of this version"); }

Result<std::string> AuditChain::open(std::string_view line) {
  const auto sealed = take_apart(line);
  if (!sealed) return corrupt("not a sealed record: it was changed, or put there by somebody else");
  if (sealed->record.starts_with(kState)) {
    if (auto status = begin_from(sealed->record, sealed->seq); !status.ok()) return status.error();
  } else if (first_seq_ == 0) {
    return corrupt("the log does not begin with a state record: records before this one were removed");
  }
  if (sealed->seq != next_seq())
    return corrupt("expected record " + std::to_string(next_seq()) + ", got record " + std::to_string(sealed->seq) +
                   ": records were removed, inserted or put in another order");
  const auto mac = mac_of(head_.mac, sealed->signed_text);
  if (!mac) return kNoDigest;
  if (*mac != sealed->mac)
    return corrupt("record " + std::to_string(sealed->seq) +
                   (first_seq_ == 0 ? " was changed, or the key is not this log's" : " was changed"));
  head_ = {sealed->seq, *mac};
  if (first_seq_ == 0) first_seq_ = sealed->seq;
  return std::string(sealed->record) + "}";
}

Status AuditChain::whole() const {
  if (first_seq_ == 0) return Done{};
  if (segments_.empty() || segments_.front() >= first_seq_) return Done{};
  return corrupt("records " + std::to_string(segments_.front()) + " to " + std::to_string(first_seq_ - 1) +
                 " are missing: older segments were removed before their time");
}

Result<std::string> AuditChain::signature_of(const ChainHead& head) const {
  const auto digest = hmac_sha256(head_key_, std::to_string(head.count) + " " + hex_of(head.mac));
  if (head_key_.empty() || !digest) return kNoDigest;
  return hex_of(*digest);
}

Result<std::string> AuditChain::signed_head() const {
  const auto signature = signature_of(head_);
  if (!signature.ok()) return signature.error();
  const Json line = {
      {"kind", "head"}, {"count", head_.count}, {"mac", hex_of(head_.mac)}, {"signature", signature.value()}};
  return line.dump();
}

Result<ChainHead> AuditChain::read_head(std::string_view line) const try {
  const Json json = Json::parse(line);
  ChainHead head;
  head.count = json.at("count").get<std::uint64_t>();
  const auto mac = digest_from(json.at("mac").get<std::string>());
  if (json.at("kind").get<std::string>() != "head" || !mac)
    return Error{ErrorCode::kInvalidArgument, "expected a head as `hearth audit head` prints it"};
  head.mac = *mac;
  const auto signature = signature_of(head);
  if (!signature.ok()) return signature.error();
  if (signature.value() != json.at("signature").get<std::string>())
    return Error{ErrorCode::kInvalidArgument, "the head is not signed by this log's key, or was changed"};
  return head;
} catch (const Json::exception&) {
  return Error{ErrorCode::kInvalidArgument, "expected a head as `hearth audit head` prints it"};
}

}  // namespace hearth::privacy
