#include "runtime/sim/reply_faults.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <limits>
#include <string_view>
#include <utility>

#include <nlohmann/json.hpp>

#include <hearth/tensor.h>

namespace hearth::sim {
namespace {

using nlohmann::json;
using enum FaultKind;

constexpr const char* kLength = "inference-header-content-length";
constexpr const char* kNanMark = "hearth-nan";

// ---- lies -----------------------------------------------------------------------------------------------------------

std::size_t binary_size(const json& output) {
  const auto parameters = output.find("parameters");
  return parameters == output.end() ? 0 : parameters->value("binary_data_size", std::size_t{0});
}

/// The bytes of one element, or 0 for BYTES.
std::size_t element_size(const json& output) {
  const auto datatype = datatype_from(output.value("datatype", ""));
  return datatype ? size_of(*datatype) : 0;
}

/// The answer's elements move up by one: as well-formed as before, and wrong.
void rotate(json& output, std::string& binary) {
  const std::size_t size = std::min(binary_size(output), binary.size());
  const std::size_t element = element_size(output);
  if (size > element && element > 0) {
    const auto begin = binary.begin();
    std::rotate(begin, begin + static_cast<std::ptrdiff_t>(element), begin + static_cast<std::ptrdiff_t>(size));
  }
  if (output.contains("data") && output["data"].size() > 1) {
    auto& data = output["data"].get_ref<json::array_t&>();
    std::rotate(data.begin(), data.begin() + 1, data.end());
  }
}

void put_nan(json& output, std::string& binary) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const double wide = std::numeric_limits<double>::quiet_NaN();
  if (binary_size(output) > 0) {
    if (output["datatype"] == "FP32" && binary.size() >= sizeof nan) std::memcpy(binary.data(), &nan, sizeof nan);
    if (output["datatype"] == "FP64" && binary.size() >= sizeof wide) std::memcpy(binary.data(), &wide, sizeof wide);
  } else if (output.contains("data") && !output["data"].empty()) {
    output["data"][0] = kNanMark;
  }
}

void change(FaultKind kind, json& root, std::string& binary) {
  auto& outputs = root["outputs"].get_ref<json::array_t&>();
  json& first = outputs.front();
  switch (kind) {
    case kWrongShape:
      if (first["shape"].empty()) first["shape"].push_back(1);
      first["shape"].back() = first["shape"].back().get<std::int64_t>() + 1;
      break;
    case kWrongDatatype:
      first["datatype"] = first["datatype"] == "FP32" ? "INT32" : "FP32";
      break;
    case kWrongName:
      first["name"] = first["name"].get<std::string>() + "_other";
      break;
    case kMissingOutput:
      binary.erase(0, binary_size(first));
      outputs.erase(outputs.begin());
      break;
    case kNan:
      put_nan(first, binary);
      break;
    case kWrongId:
      root["id"] = "another-" + root.value("id", "");
      break;
    case kWrongAnswer:
      rotate(first, binary);
      break;
    case kModelVersion:
      root["model_version"] = root.value("model_version", "") + ".next";
      break;
    default:
      break;
  }
}

std::size_t json_size(const std::string& body, const std::optional<std::size_t>& json_bytes) {
  return std::min(json_bytes.value_or(body.size()), body.size());
}

// ---- what the client sees -------------------------------------------------------------------------------------------

Arrival fails(ErrorCode code, const char* what, std::uint64_t bytes) {
  return {Error{code, what}, bytes, {}, false, true};
}

Arrival hangs(std::uint64_t bytes) {
  return {Error{ErrorCode::kDeadlineExceeded, "the reply stalls"}, bytes, {}, true, true};
}

Arrival page(const char* type, std::string body) {
  const std::uint64_t bytes = body.size();
  return {HttpReply{200, {{"content-type", type}}, std::move(body)}, bytes};
}

std::optional<std::size_t> json_bytes_of(const HttpReply& reply) {
  for (const auto& [name, value] : reply.headers) {
    std::size_t size = 0;
    if (name == kLength && std::from_chars(value.data(), value.data() + value.size(), size).ec == std::errc())
      return size;
  }
  return {};
}

void put_json_bytes(HttpReply& reply, const std::optional<std::size_t>& size) {
  for (auto& [name, value] : reply.headers)
    if (name == kLength && size) value = std::to_string(*size);
}

/// The reply is right, and does not arrive whole, or not soon.
std::optional<Arrival> broken(const FaultSpec& spec, const HttpReply& reply) {
  const std::uint64_t all = reply.body.size();
  const auto late = [&](Duration delay, bool closes) -> Arrival { return {reply, all, delay, false, closes}; };
  switch (spec.kind) {
    case kResetMidHead:
    case kCutMidHead:
      return fails(ErrorCode::kUnavailable, "the connection broke in the reply's head", 0);
    case kResetMidBody:
    case kCutMidBody:
    case kChunkCut:
      return fails(ErrorCode::kUnavailable, "the connection broke in the reply", std::min(spec.bytes, all));
    case kSlowHead:
    case kStallBody:
    case kChunkStall:
      return spec.delay == Duration{} ? hangs(std::min(spec.bytes, all)) : late(spec.delay, false);
    case kDrip:
      return late(spec.delay * (1 + all / std::max<std::uint64_t>(spec.bytes, 1)), false);
    case kSlowClose:
      return late(spec.delay, true);
    case kHalfClose:
    case kCloseAfterReply:
    case kDuplicateReply:
      return late({}, true);
    default:
      return {};
  }
}

/// All bytes come, and are not HTTP, or not this reply.
std::optional<Arrival> garbled(const FaultSpec& spec, const HttpReply& reply, const ReplyBounds& bounds) {
  const std::uint64_t all = reply.body.size();
  switch (spec.kind) {
    case kGarbage:
    case kBadStatusLine:
    case kBadHeader:
    case kLengthTwice:
    case kBadChunk:
    case kInterimFlood:
      return fails(ErrorCode::kCorrupt, "not an HTTP reply", all);
    case kHugeHead:
      if (spec.bytes <= bounds.head_bytes_max) return {};
      return fails(ErrorCode::kResourceExhausted, "the reply's head is too large", bounds.head_bytes_max);
    case kHugeBody:
      if (spec.bytes > bounds.body_bytes_max)
        return fails(ErrorCode::kResourceExhausted, "the reply is too large", bounds.body_bytes_max);
      return page("application/octet-stream", std::string(spec.bytes, '\0'));
    case kGzipBomb:  // packed a thousand to one; a client unpacks no more than its bound
      if (spec.bytes <= bounds.body_bytes_max) return page("application/json", std::string(spec.bytes, '\0'));
      return fails(ErrorCode::kResourceExhausted, "the reply is too large", bounds.body_bytes_max / 1000);
    case kLengthTooLong:
      return hangs(all);
    case kLengthTooShort: {
      HttpReply shorter = reply;
      shorter.body.resize(all - std::min<std::uint64_t>(all, spec.bytes));
      return Arrival{std::move(shorter), all, {}, false, true};
    }
    case kDuplicateBytes: {
      HttpReply twice = reply;
      const std::size_t half = reply.body.size() / 2;
      twice.body = (reply.body.substr(0, half) + reply.body.substr(half - std::min<std::size_t>(half, spec.bytes)))
                       .substr(0, reply.body.size());
      return Arrival{std::move(twice), all, {}, false, true};
    }
    default:
      return {};
  }
}

}  // namespace

void falsify(FaultKind kind, std::string& body, std::optional<std::size_t>& json_bytes) {
  const std::size_t size = json_size(body, json_bytes);
  json root = json::parse(std::string_view(body).substr(0, size), nullptr, false);
  if (!root.is_object() || !root.contains("outputs") || !root["outputs"].is_array() || root["outputs"].empty()) return;
  std::string binary = body.substr(size);
  change(kind, root, binary);
  std::string text = root.dump();
  const std::string quoted = '"' + std::string(kNanMark) + '"';
  if (const auto at = text.find(quoted); at != std::string::npos) text.replace(at, quoted.size(), "NaN");
  if (json_bytes) json_bytes = text.size();
  body = text + binary;
}

void break_json(std::string& body, std::optional<std::size_t>& json_bytes) {
  const std::size_t size = json_size(body, json_bytes);
  body.erase(size / 2, size - size / 2);
  if (json_bytes) json_bytes = size / 2;
}

Arrival arrival_of(const FaultSpec* spec, HttpReply reply, const ReplyBounds& bounds) {
  if (spec != nullptr) {
    if (auto found = broken(*spec, reply)) return std::move(*found);
    if (auto found = garbled(*spec, reply, bounds)) return std::move(*found);
    if (spec->kind == kHtmlPage) return page("text/html", "<!DOCTYPE html><html><body>Please sign in.</body></html>");
    auto json_bytes = json_bytes_of(reply);
    if (spec->kind == kBadJson) {
      break_json(reply.body, json_bytes);
    } else if (spec->kind == kWrongContentType) {
      std::erase_if(reply.headers, [](const auto& field) { return field.first == "content-type"; });
      reply.headers.emplace_back("content-type", "text/html");
    } else {
      falsify(spec->kind, reply.body, json_bytes);
    }
    put_json_bytes(reply, json_bytes);
  }
  const std::uint64_t bytes = reply.body.size();
  return {std::move(reply), bytes};
}

HttpReply canned_reply(const FaultSpec& spec, WallTime now) {
  if (spec.kind == kRedirect) return {spec.status, {{"location", "http://127.0.0.1:9/redirected/"}}, ""};
  const bool skewed = spec.kind == kClockSkew;
  HttpReply reply{
      skewed ? 503 : spec.status, {{"content-type", "application/json"}}, R"({"error":"injected failure"})"};
  if (spec.has_retry_after) reply.headers.emplace_back("retry-after", spec.retry_after);
  if (skewed) {
    const WallTime theirs = now + std::chrono::floor<std::chrono::seconds>(spec.skew);
    reply.headers.emplace_back("date", http_date(theirs));
    reply.headers.emplace_back("retry-after", http_date(theirs + std::chrono::floor<std::chrono::seconds>(spec.delay)));
  }
  return reply;
}

std::string http_date(WallTime time) {
  constexpr std::array<const char*, 7> kDays{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  constexpr std::array<const char*, 12> kMonths{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const auto days = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(days);
  const std::chrono::hh_mm_ss clock(time - days);
  const auto two = [](auto number) { return std::string(number < 10 ? "0" : "") + std::to_string(number); };
  return std::string(kDays.at(std::chrono::weekday(days).c_encoding())) + ", " +
         two(static_cast<unsigned>(date.day())) + " " + kMonths.at(static_cast<unsigned>(date.month()) - 1) + " " +
         std::to_string(static_cast<int>(date.year())) + " " + two(clock.hours().count()) + ":" +
         two(clock.minutes().count()) + ":" + two(clock.seconds().count()) + " GMT";
}

}  // namespace hearth::sim
