#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include <hearth/random.h>

#include "cloud_stub/oip.h"

namespace {

using namespace hearth;
using namespace hearth::stub;
using nlohmann::json;

std::string floats(std::vector<float> values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float)};
}

std::string text_element(const std::string& text) {
  const auto length = static_cast<std::uint32_t>(text.size());
  return std::string(reinterpret_cast<const char*>(&length), 4) + text;
}

std::string raw(const Tensor& tensor) {
  return {reinterpret_cast<const char*>(tensor.data.data()), tensor.data.size()};
}

InferRequest parse_json(const std::string& text) { return parse_infer(text, std::nullopt); }

InferRequest parse_binary(const std::string& header, const std::string& binary) {
  return parse_infer(header + binary, std::to_string(header.size()));
}

/// One input with this datatype, shape and data, as JSON.
InferRequest parse_data(const std::string& datatype, const std::string& shape, const std::string& data) {
  return parse_json(R"({"inputs":[{"name":"x","datatype":")" + datatype + R"(","shape":)" + shape + R"(,"data":)" +
                    data + "}]}");
}

std::string message_of(const InferRequest& request) { return request.error ? request.error->message : "no error"; }

ModelInfo model_of_everything() {
  ModelInfo info;
  info.name = "m";
  info.inputs = {{"a", Datatype::kFp32, {1, 2}}, {"b", Datatype::kInt64, {-1}}};
  info.optional_inputs = {{"caption", Datatype::kBytes, {1}}};
  info.outputs = {{"scores", Datatype::kFp32, {2}}, {"label", Datatype::kBytes, {1}}};
  return info;
}

}  // namespace

TEST_CASE("flat and nested JSON data give the same row-major bytes") {
  const auto flat = parse_data("FP32", "[2,2]", "[1,2.5,-3,4e-2]");
  const auto nested = parse_data("FP32", "[2,2]", "[[1,2.5],[-3,4e-2]]");
  REQUIRE(message_of(flat) == "no error");
  REQUIRE(message_of(nested) == "no error");
  CHECK(raw(flat.inputs[0]) == floats({1, 2.5F, -3, 0.04F}));
  CHECK(raw(nested.inputs[0]) == raw(flat.inputs[0]));
  CHECK(flat.inputs[0].shape == std::vector<std::int64_t>{2, 2});
}

TEST_CASE("every datatype is read from JSON within its own range") {
  struct Case {
    const char* datatype;
    const char* fits;
    const char* does_not;
    std::size_t bytes;
  };
  const std::vector<Case> cases{{"BOOL", "true", "1", 1},
                                {"UINT8", "255", "256", 1},
                                {"UINT16", "65535", "-1", 2},
                                {"UINT32", "4294967295", "4294967296", 4},
                                {"UINT64", "18446744073709551615", "-1", 8},
                                {"INT8", "-128", "128", 1},
                                {"INT16", "-32768", "-32769", 2},
                                {"INT32", "-2147483648", "2147483648", 4},
                                {"INT64", "-9223372036854775808", "9223372036854775808", 8},
                                {"FP32", "3.4e38", "3.5e38", 4},
                                {"FP64", "1.7e308", "\"1\"", 8},
                                {"BYTES", "\"abc\"", "7", 7}};
  for (const auto& one : cases) {
    CAPTURE(one.datatype);
    const auto good = parse_data(one.datatype, "[1]", std::string("[") + one.fits + "]");
    REQUIRE(message_of(good) == "no error");
    CHECK(good.inputs[0].data.size() == one.bytes);
    const auto bad = parse_data(one.datatype, "[1]", std::string("[") + one.does_not + "]");
    CHECK(message_of(bad) == "inputs[0]: data holds a value that is not of the datatype or outside its range");
  }
  CHECK(message_of(parse_data("FP16", "[1]", "[1]")) == "inputs[0]: FP16 has no exact JSON form: send it as binary");
  CHECK(message_of(parse_data("BF16", "[1]", "[1]")) == "inputs[0]: datatype is not one of the protocol's");
}

TEST_CASE("binary inputs are taken in their order, and may be mixed with JSON ones") {
  const std::string header = R"({"id":"q-1","inputs":[
    {"name":"a","datatype":"FP32","shape":[2],"parameters":{"binary_data_size":8}},
    {"name":"j","datatype":"INT32","shape":[1],"data":[7]},
    {"name":"t","datatype":"BYTES","shape":[2],"parameters":{"binary_data_size":11}},
    {"name":"h","datatype":"FP16","shape":[1],"parameters":{"binary_data_size":2}}]})";
  const auto request = parse_binary(header, floats({1, 2}) + text_element("ab") + text_element("c") + "\x01\x3c");
  REQUIRE(message_of(request) == "no error");
  CHECK(request.id == "q-1");
  REQUIRE(request.inputs.size() == 4);
  CHECK(raw(request.inputs[0]) == floats({1, 2}));
  CHECK(raw(request.inputs[1]) == std::string("\7\0\0\0", 4));
  CHECK(raw(request.inputs[2]) == text_element("ab") + text_element("c"));
  CHECK(raw(request.inputs[3]) == "\x01\x3c");
}

TEST_CASE("a header length that is not one is refused with its reason") {
  const std::string body = R"({"inputs":[]})";
  const auto with = [&](const char* length) { return message_of(parse_infer(body, length)); };
  CHECK(with("99999999999") == "Inference-Header-Content-Length is more than the body holds");
  CHECK(with("99999999999999999999999999") == "Inference-Header-Content-Length is more than the body holds");
  CHECK(with("14") == "Inference-Header-Content-Length is more than the body holds");
  for (const char* bad : {"-1", "", " 13", "13 ", "0x0d", "1e1", "thirteen"}) {
    CAPTURE(bad);
    CHECK(with(bad) == "Inference-Header-Content-Length is not a non-negative integer");
  }
  CHECK(with("0") == "Inference-Header-Content-Length 0 (raw binary request) is not supported");
  CHECK(with("12") == "the request is not valid JSON");
  CHECK(with("13") == "no error");
}

TEST_CASE("binary sizes that do not add up are refused") {
  const auto with = [](const std::string& size, const std::string& binary) {
    return message_of(parse_binary(
        R"({"inputs":[{"name":"x","datatype":"FP32","shape":[2],"parameters":{"binary_data_size":)" + size + "}}]}",
        binary));
  };
  CHECK(with("8", floats({1, 2})) == "no error");
  CHECK(with("8", floats({1})) == "inputs[0]: binary_data_size is more than the body holds");
  CHECK(with("18446744073709551615", floats({1, 2})) == "inputs[0]: binary_data_size is more than the body holds");
  CHECK(with("8", floats({1, 2, 3})) == "the body holds more bytes than the binary_data_size parameters name");
  CHECK(with("4", floats({1})) == "inputs[0]: holds 4 bytes of data, shape says 2 elements of 4");
  CHECK(with("7", "1234567") == "inputs[0]: holds 7 bytes of data, shape says 2 elements of 4");
  for (const char* bad : {"-8", "8.0", "\"8\"", "true"}) {
    CAPTURE(bad);
    CHECK(with(bad, floats({1, 2})) == "inputs[0]: parameters.binary_data_size is not a non-negative integer");
  }
}

TEST_CASE("BYTES elements that run past their data or do not match the shape are refused") {
  const auto with = [](const std::string& binary) {
    return message_of(parse_binary(R"({"inputs":[{"name":"x","datatype":"BYTES","shape":[1],"parameters":)"
                                   R"({"binary_data_size":)" +
                                       std::to_string(binary.size()) + "}}]}",
                                   binary));
  };
  CHECK(with(text_element("a caption")) == "no error");
  CHECK(with(text_element("a caption").substr(0, 6)) == "inputs[0]: a BYTES element is longer than its data");
  CHECK(with("\xff\xff\xff\xff") == "inputs[0]: a BYTES element is longer than its data");
  CHECK(with("ab") == "inputs[0]: a BYTES element is longer than its data");
  CHECK(with(text_element("a") + text_element("b")) ==
        "inputs[0]: the number of BYTES elements is not what shape says");
}

TEST_CASE("shapes that overflow, are negative or are not integers are refused") {
  CHECK(message_of(parse_data("FP32", "[4294967296,4294967296]", "[1]")) == "inputs[0]: shape has too many elements");
  CHECK(message_of(parse_data("FP32", "[9223372036854775807,3]", "[1]")) == "inputs[0]: shape has too many elements");
  for (const char* bad : {"[-1]", "[1.5]", "[18446744073709551615]", "[\"1\"]", "7", "null"}) {
    CAPTURE(bad);
    CHECK(message_of(parse_data("FP32", bad, "[1]")) == "inputs[0]: shape is not an array of non-negative integers");
  }
  CHECK(message_of(parse_data("FP32", "[3]", "[1,2]")) ==
        "inputs[0]: holds 8 bytes of data, shape says 3 elements of 4");
  CHECK(message_of(parse_data("FP32", "[2,2]", "[[1,2,3],[4]]")) ==
        "inputs[0]: data is nested in another way than shape says");
  CHECK(message_of(parse_data("FP32", "[0]", "[]")) == "no error");
}

TEST_CASE("JSON is refused beyond 64 levels, cut short, not UTF-8 or not an object") {
  const auto nested = [](std::size_t levels) {
    return R"({"parameters":{},"inputs":[],"x":)" + std::string(levels, '[') + std::string(levels, ']') + "}";
  };
  CHECK(message_of(parse_json(nested(kJsonDepthMax - 1))) == "no error");
  CHECK(message_of(parse_json(nested(kJsonDepthMax))) == "the JSON is nested deeper than 64 levels");
  CHECK(message_of(parse_json(std::string(1'000'000, '['))) == "the JSON is nested deeper than 64 levels");
  CHECK(message_of(parse_json(R"({"id":"]]]]","inputs":[]})")) == "no error");
  const std::string whole = R"({"inputs":[{"name":"x","datatype":"FP32","shape":[1],"data":[1.5]}]})";
  for (std::size_t cut = 0; cut < whole.size(); ++cut) {
    CAPTURE(cut);
    CHECK(message_of(parse_json(whole.substr(0, cut))) == "the request is not valid JSON");
  }
  CHECK(message_of(parse_json("{\"id\":\"\xff\xfe\",\"inputs\":[]}")) == "the request is not valid JSON");
  CHECK(message_of(parse_json("[]")) == "the request is not a JSON object");
  CHECK(message_of(parse_json("{}")) == "inputs is not an array");
  CHECK(message_of(parse_data("FP32", "[1]", "[1e999]")) == "the request is not valid JSON");
}

TEST_CASE("a part of the wrong type is named and its text is not quoted") {
  const std::string secret = "Maria Huber";
  const std::vector<std::pair<std::string, std::string>> cases{
      {R"({"id":7,"inputs":[]})", "id is not a string"},
      {R"({"inputs":["Maria Huber"]})", "inputs[0]: is not an object"},
      {R"({"parameters":"Maria Huber","inputs":[]})", "parameters is not an object"},
      {R"({"parameters":{"Maria Huber":[]},"inputs":[]})",
       "parameters holds something other than strings, numbers and booleans"},
      {R"({"parameters":{"binary_data_output":"Maria Huber"},"inputs":[]})",
       "parameters.binary_data_output is not a boolean"},
      {R"({"inputs":[],"outputs":{}})", "outputs is not an array"},
      {R"({"inputs":[],"outputs":["Maria Huber"]})", "outputs[0]: is not an object"},
      {R"({"inputs":[],"outputs":[{"name":1}]})", "outputs[0]: name is not a string"},
      {R"({"inputs":[],"outputs":[{"name":"Maria Huber","parameters":{"binary_data":1}}]})",
       "outputs[0]: parameters.binary_data is not a boolean"},
      {R"({"inputs":[{"name":1,"datatype":"FP32","shape":[1],"data":[1]}]})", "inputs[0]: name is not a string"},
      {R"({"inputs":[{"name":"x","datatype":"Maria Huber","shape":[1],"data":[1]}]})",
       "inputs[0]: datatype is not one of the protocol's"},
      {R"({"inputs":[{"name":"x","datatype":"FP32","shape":[1],"data":"Maria Huber"}]})",
       "inputs[0]: data is not an array"},
      {R"({"inputs":[{"name":"x","datatype":"FP32","shape":[1],"data":["Maria Huber"]}]})",
       "inputs[0]: data holds a value that is not of the datatype or outside its range"},
      {R"({"inputs":[{"name":"x","datatype":"FP32","shape":[1]}]})",
       "inputs[0]: has neither data nor binary_data_size"},
      {R"({"inputs":[{"name":"x","datatype":"FP32","shape":[1],"data":[1],"parameters":{"binary_data_size":4}}]})",
       "inputs[0]: has both data and binary_data_size"}};
  for (const auto& [body, expected] : cases) {
    CAPTURE(body);
    const std::string message = message_of(parse_json(body));
    CHECK(message == expected);
    CHECK(message.find(secret) == std::string::npos);
  }
}

TEST_CASE("what can be decoded of a refused request is kept for the tripwire") {
  const std::string header = R"({"inputs":[
    {"name":"x","datatype":"FP32","shape":[99],"parameters":{"binary_data_size":8}},
    {"name":"y","datatype":"FP32","shape":[2],"data":[3,4]}]})";
  const auto request = parse_binary(header, floats({1, 2}) + "left over");
  CHECK(message_of(request) == "inputs[0]: holds 8 bytes of data, shape says 99 elements of 4");
  REQUIRE(request.inputs.size() == 2);
  CHECK(raw(request.inputs[0]) == floats({1, 2}));
  CHECK(raw(request.inputs[1]) == floats({3, 4}));
}

TEST_CASE("inputs are fitted to the model in its order and optional ones are taken out") {
  auto request = parse_json(R"({"inputs":[
    {"name":"caption","datatype":"BYTES","shape":[1],"data":["a shirt"]},
    {"name":"b","datatype":"INT64","shape":[3],"data":[1,2,3]},
    {"name":"a","datatype":"FP32","shape":[1,2],"data":[1,2]}]})");
  REQUIRE(message_of(request) == "no error");
  REQUIRE_FALSE(fit_to_model(request, model_of_everything()).has_value());
  REQUIRE(request.inputs.size() == 2);
  CHECK(request.inputs[0].name == "a");
  CHECK(request.inputs[1].name == "b");
}

TEST_CASE("what does not fit the model is refused by name of the model's own tensors") {
  const std::string a = R"({"name":"a","datatype":"FP32","shape":[1,2],"data":[1,2]})";
  const std::string b = R"({"name":"b","datatype":"INT64","shape":[1],"data":[1]})";
  const auto fit = [](const std::string& inputs, const std::string& outputs) {
    auto request = parse_json(R"({"inputs":[)" + inputs + R"(],"outputs":[)" + outputs + "]}");
    REQUIRE(message_of(request) == "no error");
    const auto problem = fit_to_model(request, model_of_everything());
    return problem ? problem->message : "fits";
  };
  CHECK(fit(a + "," + b, R"({"name":"label"})") == "fits");
  CHECK(fit(a, "") == "input 'b' is missing");
  CHECK(fit(a + "," + a + "," + b, "") == "inputs[1]: repeats input 'a'");
  CHECK(fit(a + "," + b + R"(,{"name":"Maria","datatype":"INT8","shape":[0],"data":[]})", "") ==
        "inputs[2]: is not an input of this model");
  CHECK(fit(R"({"name":"a","datatype":"FP32","shape":[2,1],"data":[1,2]})", "") ==
        "inputs[0]: datatype or shape is not what the model takes: FP32 [1,2]");
  CHECK(fit(R"({"name":"b","datatype":"INT32","shape":[1],"data":[1]})", "") ==
        "inputs[0]: datatype or shape is not what the model takes: INT64 [-1]");
  CHECK(fit(a + "," + b, R"({"name":"Maria"})") == "outputs[0]: is not an output of this model");
  CHECK(fit(a + "," + b, R"({"name":"label"},{"name":"label"})") == "outputs[1]: repeats output 'label'");
}

TEST_CASE("a reply holds the outputs asked for, as asked, and echoes the id") {
  const ModelInfo info = model_of_everything();
  const std::vector<float> values{0.1F, -2};
  const std::vector<Tensor> outputs{Tensor::of_floats("", {2}, values), Tensor::of_text("", "boot")};
  InferReply reply;

  SECTION("all of them as JSON when nothing was said") {
    const auto request = parse_json(R"({"id":"\u00fc\"1","inputs":[]})");
    REQUIRE_FALSE(build_reply(request, info, outputs, reply));
    CHECK_FALSE(reply.header_length.has_value());
    const auto body = json::parse(reply.body);
    CHECK(body["id"] == "ü\"1");
    CHECK(body["model_name"] == "m");
    CHECK(body["model_version"] == "1");
    REQUIRE(body["outputs"].size() == 2);
    CHECK(body["outputs"][0]["data"][0].get<float>() == 0.1F);
    CHECK(body["outputs"][1]["data"] == json::array({"boot"}));
  }
  SECTION("without an id there is none") {
    REQUIRE_FALSE(build_reply(parse_json(R"({"inputs":[]})"), info, outputs, reply));
    CHECK_FALSE(json::parse(reply.body).contains("id"));
  }
  SECTION("binary for all by the request, JSON for one by its own word") {
    const auto request = parse_json(R"({"parameters":{"binary_data_output":true},"inputs":[],
      "outputs":[{"name":"label"},{"name":"scores","parameters":{"binary_data":false}}]})");
    REQUIRE_FALSE(build_reply(request, info, outputs, reply));
    REQUIRE(reply.header_length.has_value());
    const auto header = json::parse(reply.body.substr(0, *reply.header_length));
    CHECK(header["outputs"][0]["name"] == "label");
    CHECK(header["outputs"][0]["parameters"]["binary_data_size"] == 8);
    CHECK_FALSE(header["outputs"][0].contains("data"));
    CHECK(header["outputs"][1]["data"].size() == 2);
    CHECK(reply.body.substr(*reply.header_length) == text_element("boot"));
  }
  SECTION("NaN cannot be JSON and can be binary") {
    const std::vector<float> bad{std::numeric_limits<float>::quiet_NaN(), 1};
    const std::vector<Tensor> broken{Tensor::of_floats("", {2}, bad)};
    auto request = parse_json(R"({"inputs":[],"outputs":[{"name":"scores"}]})");
    const auto problem = build_reply(request, info, broken, reply);
    REQUIRE(problem);
    CHECK(problem->status == 500);
    CHECK(problem->message == "output 'scores' holds values that JSON cannot hold: ask for binary");
    request.outputs[0].binary = true;
    CHECK_FALSE(build_reply(request, info, broken, reply));
  }
}

TEST_CASE("no bytes at all crash the parser") {
  const std::string header = R"({"id":"q","inputs":[{"name":"x","datatype":"FP32","shape":[2],)"
                             R"("parameters":{"binary_data_size":8}},{"name":"t","datatype":"BYTES","shape":[1],)"
                             R"("data":["text"]}],"outputs":[{"name":"y","parameters":{"binary_data":true}}]})";
  const std::string body = header + floats({1, 2});
  RandomStream draws(7, "oip.test");
  std::size_t refused = 0;
  for (int round = 0; round < 5000; ++round) {
    std::string broken = body;
    for (std::uint64_t change = 0; change <= draws.below(4); ++change) {
      broken[draws.below(broken.size())] = static_cast<char>(draws.below(256));
    }
    if (draws.below(4) == 0) broken.resize(draws.below(broken.size()));
    auto request = parse_infer(broken, std::to_string(header.size()));
    if (request.error || fit_to_model(request, model_of_everything())) ++refused;
  }
  CHECK(refused == 5000);  // None of them fits this model, whatever the bytes say.
}
