// Replies, right and wrong. The wire bytes are written by hand; every wrong one must be refused for its own reason.
#include <bit>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include <rapidcheck.h>
#include <catch2/catch.hpp>

#include "runtime/cloud/oip_codec.h"

using namespace hearth;
using cloud::decode_infer;
using namespace std::string_literals;

namespace {

/// 1.0f, 2.0f, -0.5f as IEEE 754 little-endian.
const std::string kThreeFloats = "\x00\x00\x80\x3f\x00\x00\x00\x40\x00\x00\x00\xbf"s;

CloudBinding two_outputs() {
  CloudBinding binding;
  binding.model = "photo";
  binding.outputs = {{"scores", Datatype::kFp32, {1, 3}}, {"label", Datatype::kBytes, {-1}}};
  return binding;
}

CloudBinding one_output(Datatype type = Datatype::kFp32, std::vector<std::int64_t> shape = {1, 3}) {
  CloudBinding binding;
  binding.model = "photo";
  binding.outputs = {{"scores", type, std::move(shape)}};
  return binding;
}

HttpReply json_reply(std::string body, int status = 200) {
  return {status, {{"content-type", "application/json"}}, std::move(body)};
}

HttpReply binary_reply(const std::string& header, const std::string& binary) {
  return {200,
          {{"content-type", "application/octet-stream"},
           {"inference-header-content-length", std::to_string(header.size())}},
          header + binary};
}

/// A reply of model "photo", id "a1", with the one output given.
std::string reply_with(const std::string& output) {
  return R"({"model_name":"photo","model_version":"1","id":"a1","outputs":[)" + output + "]}";
}

std::string scores_with(const std::string& data, const std::string& datatype = "FP32",
                        const std::string& shape = "[1,3]") {
  return reply_with(R"({"name":"scores","datatype":")" + datatype + R"(","shape":)" + shape + R"(,"data":)" + data +
                    "}");
}

/// "code: message" of a reply that must be refused.
std::string refusal(const CloudBinding& binding, const HttpReply& reply) {
  const auto result = decode_infer(binding, reply, "a1");
  if (result.ok()) return "(accepted)";
  return name_of(result.error().code) + ": "s + result.error().message;
}

std::string refusal(const std::string& body) { return refusal(one_output(), json_reply(body)); }

std::vector<float> floats_of(const Tensor& tensor) { return {tensor.floats().begin(), tensor.floats().end()}; }

}  // namespace

TEST_CASE("a binary reply is read in the order of its own outputs and given in the order of the binding") {
  const std::string header =
      R"({"model_name":"photo","id":"a1","outputs":[)"
      R"({"name":"label","datatype":"BYTES","shape":[2],"parameters":{"binary_data_size":12}},)"
      R"({"name":"scores","datatype":"FP32","shape":[1,3],"parameters":{"binary_data_size":12}}]})";
  const std::string labels = "\x04\x00\x00\x00shoe\x00\x00\x00\x00"s;
  const auto result = decode_infer(two_outputs(), binary_reply(header, labels + kThreeFloats), "a1");

  REQUIRE(result.ok());
  REQUIRE(result.value().size() == 2);
  CHECK(result.value()[0].name == "scores");
  CHECK(result.value()[0].shape == std::vector<std::int64_t>{1, 3});
  CHECK(floats_of(result.value()[0]) == std::vector<float>{1.0f, 2.0f, -0.5f});
  CHECK(result.value()[1].name == "label");
  CHECK(std::string(reinterpret_cast<const char*>(result.value()[1].data.data()), 12) == labels);
}

TEST_CASE("JSON data is accepted flat or nested, and mixed with binary outputs") {
  const std::string nested = scores_with("[[1.0,2,-5e-1]]");
  const std::string flat = scores_with("[1,2.0,-0.5]");
  for (const std::string& body : {nested, flat}) {
    const auto result = decode_infer(one_output(), json_reply(body), "a1");
    REQUIRE(result.ok());
    CHECK(floats_of(result.value()[0]) == std::vector<float>{1.0f, 2.0f, -0.5f});
  }
  const std::string header =
      R"({"model_name":"photo","id":"a1","outputs":[{"name":"label","datatype":"BYTES","shape":[1],"data":["hat"]},)"
      R"({"name":"scores","datatype":"FP32","shape":[1,3],"parameters":{"binary_data_size":12}}]})";
  const auto mixed = decode_infer(two_outputs(), binary_reply(header, kThreeFloats), "a1");
  REQUIRE(mixed.ok());
  CHECK(floats_of(mixed.value()[0]) == std::vector<float>{1.0f, 2.0f, -0.5f});
  CHECK(std::string(reinterpret_cast<const char*>(mixed.value()[1].data.data()), 7) == "\x03\x00\x00\x00hat"s);
}

TEST_CASE("every datatype of the protocol is read from JSON into its own bytes") {
  const auto bytes = [](Datatype type, const std::string& data) {
    const auto result = decode_infer(
        one_output(type, {-1}),
        json_reply(scores_with(data, std::string(name_of(type)), type == Datatype::kBool ? "[2]" : "[1]")), "a1");
    if (!result.ok()) return "refused: " + result.error().message;
    const auto& tensor = result.value()[0];
    return std::string(reinterpret_cast<const char*>(tensor.data.data()), tensor.data.size());
  };
  CHECK(bytes(Datatype::kBool, "[true,false]") == "\x01\x00"s);
  CHECK(bytes(Datatype::kUint8, "[255]") == "\xff");
  CHECK(bytes(Datatype::kInt8, "[-2]") == "\xfe");
  CHECK(bytes(Datatype::kUint16, "[258]") == "\x02\x01");
  CHECK(bytes(Datatype::kInt16, "[-2]") == "\xfe\xff");
  CHECK(bytes(Datatype::kUint32, "[4294967295]") == "\xff\xff\xff\xff");
  CHECK(bytes(Datatype::kInt32, "[-1]") == "\xff\xff\xff\xff");
  CHECK(bytes(Datatype::kUint64, "[18446744073709551615]") == "\xff\xff\xff\xff\xff\xff\xff\xff");
  CHECK(bytes(Datatype::kInt64, "[-9223372036854775808]") == "\x00\x00\x00\x00\x00\x00\x00\x80"s);
  CHECK(bytes(Datatype::kFp64, "[1.0]") == "\x00\x00\x00\x00\x00\x00\xf0\x3f"s);
  CHECK(bytes(Datatype::kFp16, "[1.0]") == "\x00\x3c"s);    // binary16: sign 0, exponent 15, fraction 0
  CHECK(bytes(Datatype::kFp16, "[65504]") == "\xff\x7b"s);  // the largest
  CHECK(bytes(Datatype::kFp16, "[-6e-8]") == "\x01\x80"s);  // rounds to -2^-24, the smallest
  CHECK(bytes(Datatype::kFp16, "[0]") == "\x00\x00"s);
}

TEST_CASE("values that the datatype cannot hold are refused") {
  const auto with = [](Datatype type, const std::string& data) {
    return refusal(one_output(type, {1}), json_reply(scores_with(data, std::string(name_of(type)), "[1]")));
  };
  const std::string expected = "corrupt: reply: output 'scores': data holds a value that the datatype cannot";
  CHECK(with(Datatype::kUint8, "[256]") == expected);
  CHECK(with(Datatype::kUint8, "[-1]") == expected);
  CHECK(with(Datatype::kInt8, "[128]") == expected);
  CHECK(with(Datatype::kInt64, "[9223372036854775808]") == expected);
  CHECK(with(Datatype::kInt32, "[1.0]") == expected);
  CHECK(with(Datatype::kInt32, R"(["1"])") == expected);
  CHECK(with(Datatype::kBool, "[1]") == expected);
  CHECK(with(Datatype::kFp32, "[true]") == expected);
  CHECK(with(Datatype::kFp32, "[null]") == expected);
  CHECK(with(Datatype::kFp32, "[3.5e38]") == expected);
  CHECK(with(Datatype::kFp16, "[65520]") == expected);
  CHECK(with(Datatype::kBytes, "[7]") == expected);
}

TEST_CASE("statuses are sorted by what the caller can do") {
  const auto status = [](int code) {
    return refusal(one_output(), json_reply(R"({"error":"patient Jane Doe"})", code));
  };
  CHECK(status(400) == "invalid_argument: the server answered with status 400");
  CHECK(status(404) == "invalid_argument: the server answered with status 404");
  CHECK(status(408) == "unavailable: the server answered with status 408");
  CHECK(status(429) == "unavailable: the server answered with status 429");
  CHECK(status(500) == "unavailable: the server answered with status 500");
  CHECK(status(503) == "unavailable: the server answered with status 503");
  CHECK(status(302) == "corrupt: the server answered with status 302");
  CHECK(status(204) == "corrupt: the server answered with status 204");
  CHECK(status(600) == "corrupt: the server answered with status 600");
}

TEST_CASE("a reply to something else is refused") {
  const std::string good = scores_with("[1,2,3]");
  REQUIRE(refusal(good) == "(accepted)");
  const auto swap = [&](const std::string& from, const std::string& to) {
    std::string body = good;
    const auto at = body.find(from);
    REQUIRE(at != std::string::npos);
    return refusal(body.replace(at, from.size(), to));
  };
  CHECK(swap(R"("id":"a1")", R"("id":"a2")") == "corrupt: reply: another id");
  CHECK(swap(R"("id":"a1")", R"("id":1)") == "corrupt: reply: another id");
  CHECK(swap(R"("id":"a1",)", "") == "(accepted)");
  CHECK(swap(R"("id":"a1")", R"("id":null)") == "(accepted)");
  CHECK(swap(R"("model_name":"photo")", R"("model_name":"phot")") == "corrupt: reply: another model");
  CHECK(swap(R"("name":"scores")", R"("name":"other")") == "corrupt: reply: output 'scores': is missing");
  CHECK(swap(R"("name":"scores",)", "") == "corrupt: reply: an output without a name");
  CHECK(swap("FP32", "FP64") == "corrupt: reply: output 'scores': another datatype");
  CHECK(swap(R"("datatype":"FP32",)", "") == "corrupt: reply: output 'scores': another datatype");
  CHECK(swap("[1,3]", "[3,1]") == "corrupt: reply: output 'scores': another shape");
  CHECK(swap("[1,3]", "[3]") == "corrupt: reply: output 'scores': another shape");
  CHECK(swap("[1,3]", "[1,3.0]") == "corrupt: reply: output 'scores': another shape");
  CHECK(swap("[1,3]", "[1,-3]") == "corrupt: reply: output 'scores': another shape");
  CHECK(swap("[1,2,3]", "[1,2]") ==
        "corrupt: reply: output 'scores': data has another number of elements than the shape");
  CHECK(swap("[1,2,3]", "[[1,2],[3]]") == "corrupt: reply: output 'scores': data is not nested as the shape says");
  CHECK(swap("[1,2,3]", "[[1,2,3],[1,2,3]]") ==
        "corrupt: reply: output 'scores': data is not nested as the shape says");
  CHECK(swap("[1,2,3]", "7") == "corrupt: reply: output 'scores': data is not an array that fits the shape");
  CHECK(swap(R"(,"data":[1,2,3])", "") == "corrupt: reply: output 'scores': expected either data or binary data");
  CHECK(swap(R"("data")", R"("parameters":[],"data")") ==
        "corrupt: reply: output 'scores': parameters are not an object");

  CloudBinding versioned = one_output();
  versioned.version = "2";
  CHECK(refusal(versioned, json_reply(good)) == "corrupt: reply: another model version");
  versioned.version = "1";
  CHECK(refusal(versioned, json_reply(good)) == "(accepted)");
  const auto version = [&](const std::string& said) {
    return refusal(versioned, json_reply(R"({"model_name":"photo",)" + said + R"("id":"a1","outputs":[)" +
                                         R"({"name":"scores","datatype":"FP32","shape":[1,3],"data":[1,2,3]}]})"));
  };
  CHECK(version("") == "(accepted)");
  CHECK(version(R"("model_version":null,)") == "(accepted)");
  CHECK(version(R"("model_version":1,)") == "corrupt: reply: another model version");
}

TEST_CASE("what servers write differently is read as what they mean") {
  const std::string head = R"({"model_name":"photo","model_version":null,"id":"a1","parameters":null,"outputs":[)";
  CHECK(refusal(head + R"({"name":"scores","datatype":"fp32","shape":[1,3],"parameters":null,"data":[1,2,3]}]})") ==
        "(accepted)");
  CHECK(refusal(one_output(), binary_reply(head + R"({"name":"scores","datatype":"FP32","shape":[1,3],"data":null,)"
                                                  R"("parameters":{"binary_data_size":12}}]})",
                                           kThreeFloats)) == "(accepted)");
  // MLServer's [N, 1] for [N], and only that.
  const auto shaped = [&](const std::string& shape, std::vector<std::int64_t> spec) {
    return decode_infer(one_output(Datatype::kFp32, std::move(spec)), json_reply(scores_with("[1,2,3]", "FP32", shape)),
                        "a1");
  };
  const auto column = shaped("[3,1]", {3});
  REQUIRE(column.ok());
  CHECK(column.value()[0].shape == std::vector<std::int64_t>{3});
  CHECK(shaped("[3,1]", {-1}).ok());
  CHECK_FALSE(shaped("[1,3]", {3}).ok());
  CHECK_FALSE(shaped("[3,1,1]", {3}).ok());
  CHECK_FALSE(shaped("[3,1]", {1, 3}).ok());
}

TEST_CASE("missing and repeated outputs are refused, further ones are stepped over") {
  const std::string one = R"({"name":"scores","datatype":"FP32","shape":[1,3],"data":[1,2,3]})";
  CHECK(refusal(reply_with("")) == "corrupt: reply: output 'scores': is missing");
  CHECK(refusal(reply_with(one + "," + one)) == "corrupt: reply: output 'scores': there twice");
  CHECK(refusal(reply_with(R"({"name":"more","datatype":"FP99","shape":[0],"data":7},)" + one)) == "(accepted)");
  const std::string more = R"({"name":"more","parameters":{"binary_data_size":)";
  const std::string binary =
      R"({"name":"scores","datatype":"FP32","shape":[1,3],"parameters":{"binary_data_size":12}})";
  CHECK(refusal(one_output(), binary_reply(reply_with(more + "2}}," + binary), "ab" + kThreeFloats)) == "(accepted)");
  CHECK(refusal(one_output(), binary_reply(reply_with(binary + "," + more + "2}}"), kThreeFloats + "a")) ==
        "corrupt: reply: an output that was not asked for: more binary data announced than sent");
  CHECK(refusal(one_output(), binary_reply(reply_with(more + "-2}}," + binary), kThreeFloats)) ==
        "corrupt: reply: an output that was not asked for: binary_data_size is not a number of bytes");
  CHECK(refusal(two_outputs(), json_reply(reply_with(one + "," + one))) ==
        "corrupt: reply: output 'scores': there twice");
  CHECK(refusal(reply_with("7")) == "corrupt: reply: an output without a name");
  CHECK(refusal(R"({"model_name":"photo","id":"a1","outputs":{}})") == "corrupt: reply: outputs are not an array");
  CHECK(refusal(R"({"model_name":"photo","id":"a1"})") == "corrupt: reply: outputs are not an array");
}

TEST_CASE("what is not JSON is refused, NaN and infinity included") {
  for (const std::string body : {"", "[]", "null", "{", "\xff", "garbage"}) {
    CHECK(refusal(body) == "corrupt: reply: not a JSON object");
  }
  for (const std::string number : {"NaN", "Infinity", "-Infinity", "1e999", "01", ".5"}) {
    CHECK(refusal(scores_with("[1,2," + number + "]")) == "corrupt: reply: not a JSON object");
  }
}

TEST_CASE("nesting is bounded before anything is parsed") {
  const auto nested = [](std::size_t depth) {
    return R"({"model_name":"photo","id":"a1","outputs":[],"x":)" + std::string(depth, '[') + std::string(depth, ']') +
           "}";
  };
  CHECK(refusal(nested(31)) == "corrupt: reply: output 'scores': is missing");
  CHECK(refusal(nested(32)) == "corrupt: reply: JSON nested too deep");
  CHECK(refusal(nested(5'000'000)) == "corrupt: reply: JSON nested too deep");
  // Brackets inside strings do not count.
  CHECK(refusal(R"({"model_name":"photo","id":"a1","outputs":[],"x":"\")" + std::string(100, '[') + "\"}") ==
        "corrupt: reply: output 'scores': is missing");
}

TEST_CASE("the length of the JSON part must be one number within the body") {
  const std::string header =
      reply_with(R"({"name":"scores","datatype":"FP32","shape":[1,3],"parameters":{"binary_data_size":12}})");
  const auto with = [&](std::vector<std::string> lengths) {
    HttpReply reply{200, {}, header + kThreeFloats};
    for (auto& length : lengths) reply.headers.emplace_back("inference-header-content-length", std::move(length));
    return refusal(one_output(), reply);
  };
  const std::string right = std::to_string(header.size());
  REQUIRE(with({right}) == "(accepted)");
  const std::string expected = "corrupt: reply: Inference-Header-Content-Length is not a length within the body";
  CHECK(with({right, right}) == expected);
  CHECK(with({"99999999999"}) == expected);
  CHECK(with({"99999999999999999999999999"}) == expected);
  CHECK(with({"-1"}) == expected);
  CHECK(with({""}) == expected);
  CHECK(with({right + "x"}) == expected);
  CHECK(with({std::to_string(header.size() + 13)}) == expected);
  CHECK(with({"0"}) == "corrupt: reply: not a JSON object");
  CHECK(with({std::to_string(header.size() - 1)}) == "corrupt: reply: not a JSON object");
}

TEST_CASE("binary data must be as long as announced and as the shape says") {
  const auto with = [](const std::string& size, const std::string& binary) {
    return refusal(one_output(), binary_reply(reply_with(R"({"name":"scores","datatype":"FP32","shape":[1,3],)"
                                                         R"("parameters":{"binary_data_size":)" +
                                                         size + "}}"),
                                              binary));
  };
  REQUIRE(with("12", kThreeFloats) == "(accepted)");
  CHECK(with("12", kThreeFloats.substr(1)) == "corrupt: reply: output 'scores': more binary data announced than sent");
  CHECK(with("12", kThreeFloats + "x") == "corrupt: reply: more binary data than the outputs announce");
  CHECK(with("8", kThreeFloats) == "corrupt: reply: output 'scores': another byte count than the shape");
  CHECK(with("11", kThreeFloats) == "corrupt: reply: output 'scores': another byte count than the shape");
  for (const std::string size : {"-12", "12.0", "\"12\"", "null", "true"}) {
    CHECK(with(size, kThreeFloats) == "corrupt: reply: output 'scores': binary_data_size is not a number of bytes");
  }
  CHECK(refusal(one_output(), binary_reply(reply_with(R"({"name":"scores","datatype":"FP32","shape":[1,3],)"
                                                      R"("parameters":{"binary_data_size":12},"data":[1,2,3]})"),
                                           kThreeFloats)) ==
        "corrupt: reply: output 'scores': expected either data or binary data");
}

TEST_CASE("a NaN in binary data is refused, an infinity is an answer") {
  const auto with = [](float second) {
    const float values[] = {1, second, 3};
    return refusal(one_output(), binary_reply(reply_with(R"({"name":"scores","datatype":"FP32","shape":[1,3],)"
                                                         R"("parameters":{"binary_data_size":12}})"),
                                              {reinterpret_cast<const char*>(values), sizeof values}));
  };
  CHECK(with(std::numeric_limits<float>::quiet_NaN()) ==
        "corrupt: reply: output 'scores': a value that is not a number");
  CHECK(with(-std::numeric_limits<float>::infinity()) == "(accepted)");
}

TEST_CASE("BYTES elements must fill their data exactly, and absurd shapes are refused without allocating") {
  const auto labels = [](const std::string& shape, const std::string& binary) {
    CloudBinding binding = one_output(Datatype::kBytes, {-1, -1});
    return refusal(binding, binary_reply(reply_with(R"({"name":"scores","datatype":"BYTES","shape":)" + shape +
                                                    R"(,"parameters":{"binary_data_size":)" +
                                                    std::to_string(binary.size()) + "}}"),
                                         binary));
  };
  const std::string two = "\x01\x00\x00\x00x\x00\x00\x00\x00"s;
  const std::string expected = "corrupt: reply: output 'scores': another byte count than the shape";
  CHECK(labels("[1,2]", two) == "(accepted)");
  CHECK(labels("[1,1]", two) == expected);
  CHECK(labels("[1,3]", two) == expected);
  CHECK(labels("[1,1]", "\xff\xff\xff\xffx"s) == expected);
  CHECK(labels("[1,1]", "\x01\x00\x00"s) == expected);
  CHECK(labels("[9223372036854775807,9223372036854775807]", two) == expected);
  CHECK(labels("[9223372036854775807,1]", two) == expected);
  CHECK(labels("[9223372036854775808,1]", two) == "corrupt: reply: output 'scores': another shape");
}

TEST_CASE("no error repeats what the server said") {
  const std::string secret = "Jane-Doe-4711";
  const std::vector<std::string> bodies = {
      secret,
      R"({"id":")" + secret + "\"}",
      R"({"id":"a1","model_name":")" + secret + "\"}",
      reply_with(R"({"name":")" + secret + "\"}"),
      reply_with(R"({"name":"scores","datatype":")" + secret + "\"}"),
      scores_with("[\"" + secret + "\",2,3]"),
      scores_with("{\"" + secret + "\":1}"),
  };
  for (const std::string& body : bodies) {
    const std::string message = refusal(body);
    CHECK(message != "(accepted)");
    CHECK(message.find("Jane") == std::string::npos);
  }
}

TEST_CASE("whatever a broken server sends, the answer is a tensor of the binding or a typed error") {
  const std::string header =
      R"({"model_name":"photo","id":"a1","outputs":[{"name":"label","datatype":"BYTES","shape":[1],"data":["hat"]},)"
      R"({"name":"scores","datatype":"FP32","shape":[1,3],"parameters":{"binary_data_size":12}}]})";
  const CloudBinding binding = two_outputs();
  rc::detail::TestParams params;
  params.seed = 20240607;
  params.maxSuccess = 3000;
  std::size_t accepted = 0;
  std::size_t refused = 0;
  const auto property = [&] {
    HttpReply reply = binary_reply(header, kThreeFloats);
    const auto edits = *rc::gen::inRange<std::size_t>(0, 6);
    for (std::size_t i = 0; i < edits && !reply.body.empty(); ++i) {
      const auto at = *rc::gen::inRange<std::size_t>(0, reply.body.size());
      switch (*rc::gen::inRange(0, 5)) {
        case 0:
          reply.body[at] = *rc::gen::arbitrary<char>();
          break;
        case 1:
          reply.body.erase(at, *rc::gen::inRange<std::size_t>(1, 20));
          break;
        case 2:
          reply.body.insert(at, reply.body.substr(*rc::gen::inRange<std::size_t>(0, reply.body.size()), 30));
          break;
        case 3:
          reply.body.insert(at, *rc::gen::element("["s, "}"s, "\""s, "-1"s, "1e999"s, "null"s, "\\u0000"s));
          break;
        default:
          reply.headers.back().second = std::to_string(*rc::gen::inRange<std::size_t>(0, 400));
          break;
      }
    }
    const auto result = decode_infer(binding, reply, "a1");
    if (!result.ok()) {
      ++refused;
      RC_ASSERT(result.error().code == ErrorCode::kCorrupt);
      RC_ASSERT(!result.error().message.empty());
      return;
    }
    ++accepted;
    RC_ASSERT(result.value().size() == std::size_t{2});
    RC_ASSERT(result.value()[0].data.size() == std::size_t{12});
  };
  const auto outcome = rc::detail::checkTestable(property, rc::detail::TestMetadata(), params);
  std::ostringstream told;
  rc::detail::printResultMessage(outcome, told);
  INFO(told.str());
  CHECK(outcome.is<rc::detail::SuccessResult>());
  CHECK(accepted > 100);
  CHECK(refused > 1000);
}
