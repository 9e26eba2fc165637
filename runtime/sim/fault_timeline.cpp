#include "runtime/sim/fault_timeline.h"

#include <algorithm>
#include <array>

#include "runtime/base/json_reader.h"

namespace hearth::sim {
namespace {

using enum FaultKind;
using enum FaultStage;

constexpr std::uint64_t kFaultBytesMax = 1ull << 30;
constexpr std::uint64_t kCountMax = 1'000'000;

constexpr std::array<FaultFacts, 64> kAll{{
    {kRefuse, "refuse", "C1", kListen, ""},
    {kNeverRead, "never_read", "C2", kConnect, ""},
    {kResetOnAccept, "reset_on_accept", "C3", kConnect, ""},
    {kSlowAccept, "slow_accept", "C10", kConnect, "delay_ms"},
    {kSlowRead, "slow_read", "C9 C13", kConnect, "bytes delay_ms"},
    {kTlsExpired, "tls_expired", "C15", kConnect, ""},
    {kTlsWrongName, "tls_wrong_name", "C15", kConnect, ""},
    {kTlsUntrusted, "tls_untrusted", "C15", kConnect, ""},
    {kTlsStall, "tls_stall", "C15", kConnect, ""},
    {kTlsGarbage, "tls_garbage", "C15", kConnect, ""},
    {kPartition, "partition", "C12 C13", kLink, "direction"},
    {kLatency, "latency", "C10", kLoad, "delay_ms distribution jitter_ms sigma alpha trace_ms"},
    {kLoss, "loss", "C11", kLoad, "delay_ms enter_bad leave_bad loss_good loss_bad packets"},
    {kQueue, "queue", "L1 L4", kLoad, "delay_ms distribution jitter_ms sigma alpha trace_ms servers queue_max growth"},
    {kColdStart, "cold_start", "L2", kLoad, "delay_ms idle_ms"},
    {kDegraded, "degraded", "L3", kLoad, "factor"},
    {kRateLimit, "rate_limit", "L5", kLoad, "per_s burst"},
    {kBrownOut, "brown_out", "L6", kLoad, "delay_ms"},
    {kResetAfterRequest, "reset_after_request", "C3", kRequest, "executed"},
    {kBlackhole, "blackhole", "C5", kRequest, "executed"},
    {kHalfOpen, "half_open", "C6", kRequest, ""},
    {kCloseOnReuse, "close_on_reuse", "C16", kRequest, ""},
    {kStatus, "status", "H1 H2 H3 L7 L8", kRequest, "status retry_after"},
    {kRedirect, "redirect", "H12", kRequest, "status"},
    {kNoContinue, "no_continue", "H14", kRequest, ""},
    {kClockSkew, "clock_skew", "T1", kRequest, "skew_ms delay_ms"},
    {kResetMidHead, "reset_mid_head", "C3", kReply, ""},
    {kResetMidBody, "reset_mid_body", "C3", kReply, "bytes"},
    {kCutMidHead, "cut_mid_head", "C4", kReply, ""},
    {kCutMidBody, "cut_mid_body", "C4", kReply, "bytes"},
    {kDrip, "drip", "C8 C9", kReply, "bytes delay_ms"},
    {kSlowClose, "slow_close", "C7", kReply, "delay_ms"},
    {kHalfClose, "half_close", "C16", kReply, ""},
    {kCloseAfterReply, "close_after_reply", "C16", kReply, ""},
    {kDuplicateBytes, "duplicate_bytes", "H7", kReply, "bytes"},
    {kGarbage, "garbage", "H6", kReply, "bytes"},
    {kSlowHead, "slow_head", "H4", kReply, "delay_ms"},
    {kStallBody, "stall_body", "H5", kReply, "bytes delay_ms"},
    {kBadStatusLine, "bad_status_line", "H6", kReply, ""},
    {kBadHeader, "bad_header", "H6", kReply, ""},
    {kHugeHead, "huge_head", "H6", kReply, "bytes"},
    {kLengthTooLong, "length_too_long", "H7", kReply, "bytes"},
    {kLengthTooShort, "length_too_short", "H7", kReply, "bytes"},
    {kLengthTwice, "length_twice", "H7", kReply, ""},
    {kBadChunk, "bad_chunk", "H7", kReply, ""},
    {kChunkCut, "chunk_cut", "H13", kReply, "bytes"},
    {kChunkStall, "chunk_stall", "H13", kReply, "bytes delay_ms"},
    {kBadJson, "bad_json", "H8", kReply, ""},
    {kHtmlPage, "html_page", "H8", kReply, ""},
    {kWrongContentType, "wrong_content_type", "H8", kReply, ""},
    {kWrongShape, "wrong_shape", "H9", kReply, ""},
    {kWrongDatatype, "wrong_datatype", "H9", kReply, ""},
    {kWrongName, "wrong_name", "H9", kReply, ""},
    {kMissingOutput, "missing_output", "H9", kReply, ""},
    {kNan, "nan", "H9", kReply, ""},
    {kWrongId, "wrong_id", "H10", kReply, ""},
    {kDuplicateReply, "duplicate_reply", "H11", kReply, ""},
    {kInterimFlood, "interim_flood", "H14", kReply, ""},
    {kHugeBody, "huge_body", "H15", kReply, "bytes"},
    {kGzipBomb, "gzip_bomb", "H15", kReply, "bytes"},
    {kWrongAnswer, "wrong_answer", "S1", kReply, ""},
    {kModelVersion, "model_version", "S2", kReply, ""},
    {kDnsFailure, "dns_failure", "C14", kClient, ""},
    {kAddressChange, "address_change", "C14", kClient, ""},
}};

/// What a kind means when its parameter is left out.
void set_defaults(FaultSpec& spec) {
  using std::chrono::milliseconds;
  switch (spec.kind) {
    case kStatus:
      spec.status = 503;
      break;
    case kRedirect:
      spec.status = 307;
      break;
    case kDrip:
    case kSlowRead:
      spec.bytes = 16;
      spec.delay = milliseconds(5);
      break;
    case kLoss:
      spec.delay = milliseconds(200);  // Linux's smallest retransmission timeout
      break;
    case kGarbage:
      spec.bytes = 512;
      break;
    case kHugeHead:
      spec.bytes = 1 << 20;
      break;
    case kHugeBody:
    case kGzipBomb:
      spec.bytes = 64 << 20;
      break;
    case kDuplicateBytes:
    case kLengthTooLong:
    case kLengthTooShort:
      spec.bytes = 8;
      break;
    case kDegraded:
      spec.factor = 4;
      break;
    default:
      break;
  }
}

void read_ms(JsonReader& reader, std::string_view key, Duration& out, double min = 0) {
  double ms = kFaultMsMax + 1;  // Nothing that was read.
  reader.read(key, ms, min, kFaultMsMax);
  if (ms <= kFaultMsMax) out = from_ms(ms);
}

void read_trace(JsonReader& reader, FaultSpec& spec) {
  const auto* list = reader.raw("trace_ms");
  if (list == nullptr) return;
  const auto good = [](const nlohmann::json& value) {
    return value.is_number() && value.get<double>() >= 0 && value.get<double>() <= kFaultMsMax;
  };
  if (!list->is_array() || list->empty() || !std::all_of(list->begin(), list->end(), good)) {
    return reader.problem("trace_ms", "expected at least one number from 0 to 86400000");
  }
  for (const auto& value : *list) spec.trace.push_back(from_ms(value.get<double>()));
}

void read_parameter(JsonReader& reader, std::string_view key, FaultSpec& spec) {
  std::size_t choice = 0;
  std::uint64_t status = static_cast<std::uint64_t>(spec.status);
  if (key == "bytes") reader.read(key, spec.bytes, 0, kFaultBytesMax);
  if (key == "delay_ms") read_ms(reader, key, spec.delay);
  if (key == "jitter_ms") read_ms(reader, key, spec.jitter);
  if (key == "idle_ms") read_ms(reader, key, spec.idle);
  if (key == "skew_ms") read_ms(reader, key, spec.skew, -kFaultMsMax);
  if (key == "sigma") reader.read(key, spec.sigma, 0, 4);
  if (key == "alpha") reader.read(key, spec.alpha, 0.5, 100);
  if (key == "trace_ms") read_trace(reader, spec);
  if (key == "executed") reader.read(key, spec.executed);
  if (key == "factor") reader.read(key, spec.factor, 1, 1000);
  if (key == "servers") reader.read(key, spec.servers, 1, 10'000);
  if (key == "queue_max") reader.read(key, spec.queue_max, 0, kCountMax);
  if (key == "growth") reader.read(key, spec.growth, 0, 100);
  if (key == "per_s") reader.read(key, spec.per_s, 0.001, 1e6);
  if (key == "burst") reader.read(key, spec.burst, 1, kCountMax);
  if (key == "packets") reader.read(key, spec.packets, 1, 10'000);
  for (auto& [name, value] : {std::pair{"enter_bad", &spec.enter_bad}, std::pair{"leave_bad", &spec.leave_bad},
                              std::pair{"loss_good", &spec.loss_good}, std::pair{"loss_bad", &spec.loss_bad}}) {
    if (key == name) reader.read(key, *value, 0, 1);
  }
  if (key == "status") {
    reader.read(key, status, 300, 599);
    spec.status = static_cast<int>(status);
  }
  if (key == "retry_after" && reader.has(key)) {
    reader.read(key, spec.retry_after);
    spec.has_retry_after = true;
    const auto control = [](unsigned char c) { return c < ' ' || c == 0x7f; };
    if (std::any_of(spec.retry_after.begin(), spec.retry_after.end(), control)) {
      reader.problem(key, "holds control characters");
    }
  }
  if (key == "direction") {
    reader.read_choice(key, choice, {"both", "up", "down"});
    spec.direction = static_cast<Direction>(choice);
  }
  if (key == "distribution") {
    reader.read_choice(key, choice, {"constant", "uniform", "normal", "lognormal", "pareto", "trace"});
    spec.spread = static_cast<Spread>(choice);
  }
}

void check_together(JsonReader& reader, const FaultSpec& spec, FaultStage stage) {
  if (spec.every > Duration{} && (spec.length == kForever || spec.length > spec.every)) {
    reader.problem("every_ms", "needs a for_ms that is no longer than it");
  }
  if (spec.kind == kBrownOut && spec.length == kForever) reader.problem("for_ms", "a brown-out needs its length");
  if (spec.spread == Spread::kTrace && spec.trace.empty()) reader.problem("trace_ms", "is missing");
  if (spec.spread != Spread::kTrace && !spec.trace.empty()) {
    reader.problem("trace_ms", "needs \"distribution\": \"trace\"");
  }
  const bool everywhere = stage == kListen || stage == kLink;
  if (everywhere && (spec.probability != 1 || spec.after != 0 || spec.times != 0)) {
    reader.problem("fault", "hits everything while it is active: no probability, after or times");
  }
}

FaultSpec read_fault(JsonReader& reader) {
  FaultSpec spec;
  std::string name;
  reader.require({"fault"});
  reader.read("fault", name);
  read_ms(reader, "at_ms", spec.at);
  read_ms(reader, "for_ms", spec.length);
  read_ms(reader, "every_ms", spec.every);
  reader.read("probability", spec.probability, 0, 1);
  reader.read("after", spec.after, 0, kCountMax);
  reader.read("times", spec.times, 0, kCountMax);
  std::size_t route = 0;
  reader.read_choice("route", route, {"infer", "any"});
  spec.route = static_cast<FaultRoute>(route);
  if (!reader.has("fault")) return spec;

  const auto all = all_faults();
  const auto found = std::find_if(all.begin(), all.end(), [&](const FaultFacts& facts) { return facts.name == name; });
  if (found == all.end()) {
    std::vector<std::string> names;
    for (const auto& facts : all) names.emplace_back(facts.name);
    for (const auto& [key, value] : reader.value().items()) reader.raw(key);  // What it takes is not known either.
    reader.problem("fault",
                   "unknown fault " + describe(name) + suggestion(name, names) + "; docs/faults.md lists them");
    return spec;
  }
  spec.kind = found->kind;
  set_defaults(spec);
  for (std::string_view rest = found->parameters; !rest.empty();) {
    const auto space = std::min(rest.find(' '), rest.size());
    read_parameter(reader, rest.substr(0, space), spec);
    rest.remove_prefix(std::min(space + 1, rest.size()));
  }
  check_together(reader, spec, found->stage);
  return spec;
}

Result<FaultTimeline> read_timeline(const JsonDocument& document) {
  FaultTimeline timeline;
  Problems problems;
  JsonReader reader(document, document.root(), "", problems);
  std::string description;
  reader.read("description", description);
  reader.read("seed", timeline.seed, 0, UINT64_MAX);
  reader.require({"faults"});
  reader.objects("faults", [&](JsonReader& fault, std::size_t) { timeline.faults.push_back(read_fault(fault)); });
  if (timeline.faults.size() > kFaultsMax) reader.problem("faults", "more than 1000");
  reader.finish();
  if (!problems.empty()) return problems.as_error();
  return timeline;
}

static_assert(
    [] {
      for (std::size_t i = 0; i < kAll.size(); ++i) {
        if (static_cast<std::size_t>(kAll[i].kind) != i) return false;
      }
      return kAll.size() == static_cast<std::size_t>(kAddressChange) + 1;
    }(),
    "facts stand in the order of FaultKind");

}  // namespace

std::span<const FaultFacts> all_faults() { return kAll; }
const FaultFacts& facts_of(FaultKind kind) { return kAll[static_cast<std::size_t>(kind)]; }

Result<FaultTimeline> parse_timeline(std::string_view json, const std::string& origin) {
  auto document = JsonDocument::parse(json, origin);
  if (!document) return document.error();
  return read_timeline(*document.value());
}

Result<FaultTimeline> load_timeline(const std::string& file) {
  auto document = JsonDocument::read_file(file);
  if (!document) return document.error();
  return read_timeline(*document.value());
}

Result<FaultSpec> parse_fault(std::string_view text, const std::string& origin) {
  const std::string object = text.substr(0, 1) == "{" ? std::string(text)
                                                      : nlohmann::json{{"fault", std::string(text)}}.dump(
                                                            -1, ' ', false, nlohmann::json::error_handler_t::replace);
  auto document = JsonDocument::parse(object, origin);
  if (!document) return document.error();
  Problems problems;
  JsonReader reader(*document.value(), document.value()->root(), "", problems);
  FaultSpec spec = read_fault(reader);
  reader.finish();
  if (!problems.empty()) return problems.as_error();
  return spec;
}

}  // namespace hearth::sim
