#include "cloud_stub/fault_body.h"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <limits>

#include <nlohmann/json.hpp>

#include <hearth/tensor.h>

namespace hearth::stub {
namespace {

using nlohmann::json;
using sim::FaultKind;

constexpr const char* kLength = "Inference-Header-Content-Length";
constexpr const char* kNanMark = "hearth-nan";

std::size_t json_size(const WireReply& reply) {
  std::size_t size = reply.body.size();
  if (const auto* value = reply.head.get(kLength)) {
    std::from_chars(value->data(), value->data() + value->size(), size);
  }
  return std::min(size, reply.body.size());
}

void put(WireReply& reply, const std::string& text, const std::string& binary) {
  if (reply.head.get(kLength) != nullptr) reply.head.set(kLength, std::to_string(text.size()));
  reply.body = text + binary;
  reply.head.set("Content-Length", std::to_string(reply.body.size()));
}

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
    case FaultKind::kWrongShape:
      if (first["shape"].empty()) first["shape"].push_back(1);
      first["shape"].back() = first["shape"].back().get<std::int64_t>() + 1;
      break;
    case FaultKind::kWrongDatatype:
      first["datatype"] = first["datatype"] == "FP32" ? "INT32" : "FP32";
      break;
    case FaultKind::kWrongName:
      first["name"] = first["name"].get<std::string>() + "_other";
      break;
    case FaultKind::kMissingOutput:
      binary.erase(0, binary_size(first));
      outputs.erase(outputs.begin());
      break;
    case FaultKind::kNan:
      put_nan(first, binary);
      break;
    case FaultKind::kWrongId:
      root["id"] = "another-" + root.value("id", "");
      break;
    case FaultKind::kWrongAnswer:
      rotate(first, binary);
      break;
    case FaultKind::kModelVersion:
      root["model_version"] = root.value("model_version", "") + ".next";
      break;
    default:
      break;
  }
}

}  // namespace

void falsify(FaultKind kind, WireReply& reply) {
  const std::size_t size = json_size(reply);
  json root = json::parse(std::string_view(reply.body).substr(0, size), nullptr, false);
  if (!root.is_object() || !root.contains("outputs") || !root["outputs"].is_array() || root["outputs"].empty()) return;
  std::string binary = reply.body.substr(size);
  change(kind, root, binary);
  std::string text = root.dump();
  const std::string quoted = '"' + std::string(kNanMark) + '"';
  if (const auto at = text.find(quoted); at != std::string::npos) text.replace(at, quoted.size(), "NaN");
  put(reply, text, binary);
}

void break_json(WireReply& reply) {
  const std::size_t size = json_size(reply);
  put(reply, reply.body.substr(0, size / 2), reply.body.substr(size));
}

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
