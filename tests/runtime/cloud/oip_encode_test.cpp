// Requests as they stand on the wire, written by hand from the Open Inference Protocol and Triton's
// extension_binary_data.md; never from what the codec itself printed.
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "runtime/cloud/oip_codec.h"
#include "runtime/cloud/oip_elements.h"

using namespace hearth;
using cloud::encode_infer;
using cloud::Encoding;
using namespace std::string_literals;

namespace {

CloudBinding photo_binding() {
  CloudBinding binding;
  binding.model = "photo";
  binding.inputs = {{"pixels", Datatype::kFp32, {1, 2}}};
  binding.outputs = {{"scores", Datatype::kFp32, {1, 3}}};
  return binding;
}

Tensor floats(std::vector<float> values) {
  return Tensor::of_floats("x", {static_cast<std::int64_t>(values.size())}, values);
}

template <class T>
std::string json_of(Datatype type, std::vector<T> values) {
  std::string out;
  cloud::append_json_elements(out, type, std::as_bytes(std::span(values)));
  return out;
}

std::string header_of(const HttpMessage& message, const std::string& name) {
  for (const auto& [key, value] : message.headers) {
    if (key == name) return value;
  }
  return "(none)";
}

}  // namespace

TEST_CASE("a binary request is its JSON header followed by the raw little-endian tensor") {
  const std::vector<Tensor> inputs = {floats({1.0f, -2.0f})};
  const HttpMessage message = encode_infer(photo_binding(), inputs, "", "a1", Encoding::kBinary);

  const std::string header =
      R"({"id":"a1","inputs":[{"name":"pixels","shape":[1,2],"datatype":"FP32","parameters":{"binary_data_size":8}}],)"
      R"("outputs":[{"name":"scores","parameters":{"binary_data":true}}]})";
  const std::string tensor = "\x00\x00\x80\x3f\x00\x00\x00\xc0"s;  // IEEE 754: 0x3f800000, 0xc0000000
  CHECK(message.method == "POST");
  CHECK(message.target == "/v2/models/photo/infer");
  CHECK(message.body == header + tensor);
  CHECK(header_of(message, "Content-Type") == "application/octet-stream");
  CHECK(header_of(message, "Inference-Header-Content-Length") == std::to_string(header.size()));
}

TEST_CASE("a JSON request holds the data flat and asks for no extension") {
  const std::vector<Tensor> inputs = {floats({0.1f, -2.5f})};
  const HttpMessage message = encode_infer(photo_binding(), inputs, "", "a1", Encoding::kJson);

  CHECK(message.body == R"({"id":"a1","inputs":[{"name":"pixels","shape":[1,2],"datatype":"FP32","data":[0.1,-2.5]}],)"
                        R"("outputs":[{"name":"scores"}]})");
  CHECK(header_of(message, "Content-Type") == "application/json");
  CHECK(header_of(message, "Inference-Header-Content-Length") == "(none)");
}

TEST_CASE("the time left is passed on as Triton's timeout in microseconds, never as none at all") {
  const std::vector<Tensor> inputs = {floats({1, 2})};
  const auto timeout = [&](Duration time_left) {
    const auto body = encode_infer(photo_binding(), inputs, "", "a1", Encoding::kJson, time_left).body;
    return nlohmann::json::parse(body)["parameters"].dump();
  };
  CHECK(timeout(std::chrono::milliseconds(250)) == R"({"timeout":250000})");
  CHECK(timeout(std::chrono::nanoseconds(1'999)) == R"({"timeout":1})");
  CHECK(timeout(Duration{}) == R"({"timeout":1})");  // 0 would mean no timeout
  CHECK(timeout(-std::chrono::seconds(1)) == R"({"timeout":1})");
}

TEST_CASE("model and version become one escaped path segment each") {
  CloudBinding binding = photo_binding();
  binding.model = "a/b c?";
  binding.version = "2\xc3\xa9";
  const std::vector<Tensor> inputs = {floats({1, 2})};
  CHECK(encode_infer(binding, inputs, "", "i", Encoding::kBinary).target ==
        "/v2/models/a%2Fb%20c%3F/versions/2%C3%A9/infer");
}

TEST_CASE("an open dimension of the cloud's shape takes what the element count leaves") {
  CloudBinding binding = photo_binding();
  binding.inputs[0].shape = {-1, 3, 1};
  const std::vector<Tensor> inputs = {floats({1, 2, 3, 4, 5, 6})};
  const auto body = encode_infer(binding, inputs, "", "i", Encoding::kJson).body;
  CHECK(nlohmann::json::parse(body)["inputs"][0]["shape"] == nlohmann::json({2, 3, 1}));

  binding.inputs[0].shape = {-1, -1};  // two open ones: the tensor's own shape is the only one known
  const auto open = encode_infer(binding, inputs, "", "i", Encoding::kJson).body;
  CHECK(nlohmann::json::parse(open)["inputs"][0]["shape"] == nlohmann::json({6}));
}

TEST_CASE("text goes only to a named text input, after the tensors") {
  CloudBinding binding = photo_binding();
  const std::vector<Tensor> inputs = {floats({1, 2})};
  SECTION("no text input: the text stays") {
    for (const auto encoding : {Encoding::kJson, Encoding::kBinary}) {
      CHECK(encode_infer(binding, inputs, "a red shoe", "i", encoding).body.find("shoe") == std::string::npos);
    }
  }
  SECTION("binary: a four-byte length and the bytes") {
    binding.text_input = "caption";
    const auto body = encode_infer(binding, inputs, "a red shoe", "i", Encoding::kBinary).body;
    CHECK(body.ends_with("\x0a\x00\x00\x00"s + "a red shoe"));
    CHECK(body.find(R"({"name":"caption","shape":[1],"datatype":"BYTES","parameters":{"binary_data_size":14}})") !=
          std::string::npos);
  }
  SECTION("JSON: an escaped string, with U+FFFD for bytes that are not UTF-8") {
    binding.text_input = "caption";
    const auto body = encode_infer(binding, inputs, "a \"red\"\n\xff shoe", "i", Encoding::kJson).body;
    CHECK(body.find(R"("datatype":"BYTES","data":["a \"red\"\n)"
                    "\xef\xbf\xbd shoe\"]") != std::string::npos);
  }
  SECTION("empty text is no input") {
    binding.text_input = "caption";
    CHECK(encode_infer(binding, inputs, "", "i", Encoding::kBinary).body.find("caption") == std::string::npos);
  }
}

TEST_CASE("elements of every datatype have the protocol's JSON form") {
  CHECK(json_of<std::uint8_t>(Datatype::kBool, {0, 1, 2}) == "[false,true,true]");
  CHECK(json_of<std::uint8_t>(Datatype::kUint8, {0, 255}) == "[0,255]");
  CHECK(json_of<std::uint16_t>(Datatype::kUint16, {65535}) == "[65535]");
  CHECK(json_of<std::uint32_t>(Datatype::kUint32, {4294967295u}) == "[4294967295]");
  CHECK(json_of<std::uint64_t>(Datatype::kUint64, {18446744073709551615u}) == "[18446744073709551615]");
  CHECK(json_of<std::int8_t>(Datatype::kInt8, {-128, 127}) == "[-128,127]");
  CHECK(json_of<std::int16_t>(Datatype::kInt16, {-32768}) == "[-32768]");
  CHECK(json_of<std::int32_t>(Datatype::kInt32, {-2147483647 - 1}) == "[-2147483648]");
  CHECK(json_of<std::int64_t>(Datatype::kInt64, {std::numeric_limits<std::int64_t>::min()}) ==
        "[-9223372036854775808]");
  CHECK(json_of<double>(Datatype::kFp64, {0.1, -0.0}) == "[0.1,-0.0]");
  // binary16: 1, -2, the largest 65504, the smallest 2^-24
  CHECK(json_of<std::uint16_t>(Datatype::kFp16, {0x3c00, 0xc000, 0x7bff, 0x0001}) == "[1,-2,65504,5.9604645e-08]");
  CHECK(json_of<float>(Datatype::kFp32, {}) == "[]");
}

TEST_CASE("NaN and infinity become null, which no server takes for a number") {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  CHECK(json_of<float>(Datatype::kFp32, {kInfinity, -kInfinity, std::nanf("")}) == "[null,null,null]");
}

TEST_CASE("every FP32 printed as JSON comes back bit for bit, also through double") {
  // A stride that is coprime to 2^32 walks all exponents and both signs; the edges are added by hand.
  std::vector<std::uint32_t> patterns = {0, 0x80000000, 1, 0x007fffff, 0x00800000, 0x7f7fffff, 0xff7fffff, 0x3dcccccd};
  for (std::uint32_t i = 0, bits = 12345; i < 50'000; ++i, bits += 2654435769u) patterns.push_back(bits);
  for (const std::uint32_t bits : patterns) {
    const auto value = std::bit_cast<float>(bits);
    if (!std::isfinite(value)) continue;
    const std::string text = json_of<float>(Datatype::kFp32, {value});
    const auto back = static_cast<float>(nlohmann::json::parse(text)[0].get<double>());
    if (std::bit_cast<std::uint32_t>(back) != bits || std::strtof(text.c_str() + 1, nullptr) != value) {
      FAIL_CHECK("pattern " << bits << " printed as " << text);
    }
  }
}
