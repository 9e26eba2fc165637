#include "runtime/privacy/ledger.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <stdexcept>

#include <nlohmann/json.hpp>

namespace hearth::privacy {
namespace {

using Json = nlohmann::json;

constexpr std::array<std::string_view, 3> kConsentNames = {"absent", "given", "revoked"};

std::uint64_t hash_of(std::string_view session) {
  std::uint64_t h = 0xcbf29ce484222325;  // FNV-1a
  for (const char c : session) h = (h ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return h;
}

std::string hex(std::uint64_t value) {
  char text[17];
  std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(value));
  return text;
}

Consent consent_from(const Json& json) {
  const auto found = std::find(kConsentNames.begin(), kConsentNames.end(), json.at("consent").get<std::string>());
  if (found == kConsentNames.end()) throw std::invalid_argument("unknown consent");
  return static_cast<Consent>(found - kConsentNames.begin());
}

std::int64_t seconds(WallTime time) { return time.time_since_epoch().count(); }
std::int64_t day_of(std::int64_t seconds) { return seconds / 86'400; }

}  // namespace

Status Ledger::restore(const Result<std::vector<std::string>>& records) {
  if (!records.ok()) {
    go_blind();
    return records.error();
  }
  std::size_t number = 0;
  for (const auto& record : records.value()) {
    ++number;
    if (auto status = take(record); !status.ok()) {
      go_blind();
      return {ErrorCode::kCorrupt, "journal record " + std::to_string(number) + ": " + status.error().message};
    }
  }
  return Done{};
}

namespace {
Spending spending_in(const Json& json) { return {json.at("bytes"), json.value("micro_usd", std::uint64_t{0})}; }
}  // namespace

Status Ledger::take(const std::string& record) try {
  if (record.starts_with(R"({"kind":"decision")")) return Done{};
  const Json json = Json::parse(record);
  const std::string& kind = json.at("kind").get_ref<const std::string&>();
  if (kind == "consent") {
    consent_ = consent_from(json);
  } else if (kind == "taint") {
    keep_taint(std::stoull(json.at("session").get<std::string>(), nullptr, 16), json.at("at_s"), json.at("until_s"));
  } else if (kind == "forget") {
    tainted_until_s_.erase(std::stoull(json.at("session").get<std::string>(), nullptr, 16));
  } else if (kind == "egress") {
    charge(spending_in(json), WallTime(std::chrono::seconds(json.at("at_s").get<std::int64_t>())));
  } else if (kind == "state") {
    tainted_until_s_.clear();
    for (const auto& [session, until_s] : json.at("tainted_until_s").items())
      tainted_until_s_[std::stoull(session, nullptr, 16)] = until_s;
    overflow_until_s_ = json.at("overflow_until_s");
    day_ = json.at("day");
    today_ = {json.at("bytes_today"), json.value("micro_usd_today", std::uint64_t{0})};
    consent_ = consent_from(json);
  } else if (kind == "gap") {  // of decisions
  } else if (kind == "withheld") {
    if (day_of(json.at("at_s")) == day_) {
      const Spending back = spending_in(json);
      today_.bytes -= std::min(today_.bytes, back.bytes);
      today_.micro_usd -= std::min(today_.micro_usd, back.micro_usd);
    }
  } else {
    return {ErrorCode::kCorrupt, "unknown kind"};
  }
  return Done{};
} catch (const std::exception&) {  // the text itself may be anything: it is not quoted
  return {ErrorCode::kCorrupt, "not a record of this version"};
}

std::optional<bool> Ledger::tainted(std::string_view session, WallTime now) const {
  if (blind_) return std::nullopt;
  if (session.empty()) return false;
  if (seconds(now) < overflow_until_s_) return true;
  const auto found = tainted_until_s_.find(hash_of(session));
  return found != tainted_until_s_.end() && seconds(now) < found->second;
}

std::optional<double> Ledger::cloud_mib_today(WallTime now) const {
  if (blind_) return std::nullopt;
  // A clock set back must not give a spent budget anew, so an earlier day counts as the same one.
  return day_of(seconds(now)) > day_ ? 0.0 : static_cast<double>(today_.bytes) / (1024.0 * 1024.0);
}

std::optional<double> Ledger::cloud_usd_today(WallTime now) const {
  if (blind_) return std::nullopt;
  return day_of(seconds(now)) > day_ ? 0.0 : static_cast<double>(today_.micro_usd) / 1e6;
}

std::string Ledger::set_consent(Consent consent) {
  consent_ = consent;
  return Json{{"kind", "consent"}, {"consent", kConsentNames[static_cast<std::size_t>(consent)]}}.dump();
}

void Ledger::keep_taint(std::uint64_t session, std::int64_t now_s, std::int64_t until_s) {
  auto found = tainted_until_s_.find(session);
  if (found == tainted_until_s_.end() && tainted_until_s_.size() >= sessions_max_) {
    std::erase_if(tainted_until_s_, [now_s](const auto& entry) { return entry.second <= now_s; });
    if (tainted_until_s_.size() >= sessions_max_) {
      overflow_until_s_ = std::max(overflow_until_s_, until_s);
      return;
    }
  }
  auto& until = tainted_until_s_[session];
  until = std::max(until, until_s);
}

std::string Ledger::taint(std::string_view session, WallTime now, WallTime until) {
  if (session.empty()) return {};
  const auto hash = hash_of(session);
  const auto until_s = seconds(until);
  const auto found = tainted_until_s_.find(hash);
  if (found != tainted_until_s_.end() && found->second >= until_s) return {};
  keep_taint(hash, seconds(now), until_s);
  return Json{{"kind", "taint"}, {"session", hex(hash)}, {"at_s", seconds(now)}, {"until_s", until_s}}.dump();
}

std::string Ledger::forget(std::string_view session) {
  const auto hash = hash_of(session);
  if (tainted_until_s_.erase(hash) == 0) return {};
  return Json{{"kind", "forget"}, {"session", hex(hash)}}.dump();
}

void Ledger::charge(const Spending& spending, WallTime now) {
  const auto day = day_of(seconds(now));
  if (day > day_) day_ = day, today_ = {};
  today_.bytes += spending.bytes;
  today_.micro_usd += spending.micro_usd;
}

std::string Ledger::withheld_record(const Spending& spending, WallTime at, std::uint64_t request,
                                    std::uint32_t attempt) {
  return Json{{"kind", "withheld"}, {"at_s", seconds(at)}, {"bytes", spending.bytes}, {"micro_usd", spending.micro_usd},
              {"request", request}, {"attempt", attempt}}
      .dump();
}

std::string Ledger::state_record(WallTime at, WallTime taint_from) const {
  Json tainted = Json::object();
  for (const auto& [session, until_s] : tainted_until_s_)
    if (until_s > seconds(taint_from)) tainted[hex(session)] = until_s;
  const nlohmann::ordered_json record = {{"kind", "state"},
                                         {"at_s", seconds(at)},
                                         {"consent", kConsentNames[static_cast<std::size_t>(consent_)]},
                                         {"day", day_},
                                         {"bytes_today", today_.bytes},
                                         {"micro_usd_today", today_.micro_usd},
                                         {"overflow_until_s", overflow_until_s_},
                                         {"tainted_until_s", tainted}};
  return record.dump();
}

}  // namespace hearth::privacy
