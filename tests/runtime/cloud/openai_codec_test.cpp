// The OpenAI API's requests and replies, written by hand from its reference; never from what the codec itself printed.
#include <limits>
#include <string>
#include <vector>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "runtime/cloud/openai_codec.h"

using namespace hearth;
using cloud::decode_openai;
using cloud::encode_openai;
using nlohmann::json;

namespace {

CloudBinding binding(CloudApi api = CloudApi::kChat) {
  CloudBinding bound;
  bound.model = "org/small:1";
  bound.api = api;
  bound.text_input = "text";
  const bool embeds = api == CloudApi::kEmbeddings;
  bound.outputs = {{"out", embeds ? Datatype::kFp32 : Datatype::kBytes, {embeds ? 3 : 1}}};
  return bound;
}

HttpReply reply(std::string body, int status = 200) { return {status, {}, std::move(body)}; }

/// The text, or "code: message".
std::string text_or_error(const HttpReply& got, CloudApi api = CloudApi::kChat) {
  const auto outputs = decode_openai(binding(api), got);
  if (!outputs.ok()) return std::string(name_of(outputs.error().code)) + ": " + outputs.error().message;
  const auto& data = outputs.value().at(0).data;
  return std::string(reinterpret_cast<const char*>(data.data()) + 4, data.size() - 4);
}

std::string chat(const std::string& choice) { return R"({"object":"chat.completion","choices":[)" + choice + "]}"; }

const std::string kRefused = "invalid_argument: the server's model or its content filter refused to answer";

}  // namespace

TEST_CASE("a chat request holds the model, the pair's system prompt and the text, and nothing about the user") {
  CloudBinding bound = binding();
  const HttpMessage plain = encode_openai(bound, "say \"hi\"\n");
  CHECK(plain.method == "POST");
  CHECK(plain.target == "/chat/completions");
  CHECK(plain.body == R"({"model":"org/small:1","messages":[{"role":"user","content":"say \"hi\"\n"}]})");
  bound.system_prompt = "Be short.";
  bound.tokens_max = 64;
  CHECK(encode_openai(bound, "hi").body ==
        R"({"model":"org/small:1","messages":[{"role":"system","content":"Be short."},)"
        R"({"role":"user","content":"hi"}],"max_tokens":64})");
}

TEST_CASE("completions and embeddings have paths and keys of their own") {
  const HttpMessage completion = encode_openai(binding(CloudApi::kCompletions), "once");
  CHECK(completion.target == "/completions");
  CHECK(completion.body == R"({"model":"org/small:1","prompt":"once"})");
  const HttpMessage embedding = encode_openai(binding(CloudApi::kEmbeddings), "once");
  CHECK(embedding.target == "/embeddings");
  CHECK(embedding.body == R"({"model":"org/small:1","input":"once","encoding_format":"float"})");
}

TEST_CASE("text that is not UTF-8 still makes valid JSON") {
  CHECK(json::parse(encode_openai(binding(), "a\xff").body)["messages"][0]["content"] == "a\xef\xbf\xbd");
}

TEST_CASE("the answer of a chat and of a completion is its first choice's text") {
  CHECK(text_or_error(reply(
            chat(R"({"index":0,"message":{"role":"assistant","content":"fine"},"finish_reason":"stop"})"))) == "fine");
  CHECK(text_or_error(reply(chat(R"({"message":{"content":"cut","refusal":null},"finish_reason":"length"})"))) ==
        "cut");
  CHECK(text_or_error(reply(R"({"choices":[{"text":"fine","logprobs":null}]})"), CloudApi::kCompletions) == "fine");
  const auto outputs = decode_openai(binding(), reply(chat(R"({"message":{"content":""}})")));
  REQUIRE(outputs.ok());
  CHECK(outputs.value()[0].name == "out");
  CHECK(outputs.value()[0].shape == std::vector<std::int64_t>{1});
  CHECK(check_tensor(outputs.value()[0], binding().outputs[0]).ok());
}

TEST_CASE("an embedding is read in the binding's shape, and only there") {
  const auto embedding = [](const std::string& list, std::vector<std::int64_t> shape) -> std::string {
    CloudBinding bound = binding(CloudApi::kEmbeddings);
    bound.outputs[0].shape = std::move(shape);
    const auto outputs =
        decode_openai(bound, reply(R"({"object":"list","data":[{"index":0,"embedding":)" + list + "}]}"));
    if (!outputs.ok()) return outputs.error().message;
    const auto values = outputs.value()[0].floats();
    return json(std::vector<float>(values.begin(), values.end())).dump() + json(outputs.value()[0].shape).dump();
  };
  CHECK(embedding("[0.5,-1,2e0]", {3}) == "[0.5,-1.0,2.0][3]");
  CHECK(embedding("[0.5,-1,2]", {1, 3}) == "[0.5,-1.0,2.0][1,3]");
  CHECK(embedding("[0.5,-1,2]", {1, -1}) == "[0.5,-1.0,2.0][1,3]");
  CHECK(embedding("[0.5,-1]", {3}) == "reply: an embedding of another length");
  CHECK(embedding("[0.5,-1,2]", {2, -1}) == "reply: an embedding of another length");
  CHECK(embedding("[]", {3}) == "reply: an embedding of another length");
  for (const std::string list : {"[0.5,null,2]", "[0.5,\"1\",2]", "[0.5,3.5e38,2]", "[0.5,true,2]"}) {
    CHECK(embedding(list, {3}) == "reply: an embedding with something other than numbers");
  }
  for (const std::string list : {"\"AAAA\"", "null", "{}"}) {
    CHECK(embedding(list, {3}) == "reply: no embedding in it");
  }
}

TEST_CASE("the API's errors become typed ones without the server's words") {
  const auto error = [](int status, const std::string& code = "any") {
    return text_or_error(
        reply(R"({"error":{"message":"Jane Doe said","type":"t","param":null,"code":")" + code + "\"}}", status));
  };
  CHECK(error(400) == "invalid_argument: the server answered with status 400");
  CHECK(error(401, "invalid_api_key") ==
        "invalid_argument: the server answered with status 401: it does not take the credential");
  CHECK(error(403) == "invalid_argument: the server answered with status 403: it does not take the credential");
  CHECK(error(404, "model_not_found") == "not_found: the server does not have the model, or not this API (404)");
  CHECK(error(429, "rate_limit_exceeded") == "unavailable: the server answered with status 429");
  CHECK(error(429, "insufficient_quota") == "unavailable: the server answered with status 429");
  CHECK(error(500) == "unavailable: the server answered with status 500");
  CHECK(error(302) == "corrupt: the server answered with status 302");
  CHECK(error(400, "content_filter") == kRefused);
  CHECK(error(200) == "unavailable: the server answered with an error in place of a reply");
  CHECK(text_or_error(reply("<html>Jane</html>", 400)) == "invalid_argument: the server answered with status 400");
}

TEST_CASE("a filter's or the model's refusal is no answer") {
  CHECK(text_or_error(reply(chat(R"({"message":{"content":""},"finish_reason":"content_filter"})"))) == kRefused);
  CHECK(text_or_error(reply(chat(R"({"message":{"content":null,"refusal":"I cannot, Jane"}})"))) == kRefused);
}

TEST_CASE("what is not the API's reply is corrupt") {
  for (const std::string body : {"", "[]", "null", "{", "data: {}", "\xff"}) {
    CHECK(text_or_error(reply(body)) == "corrupt: reply: not a JSON object");
  }
  CHECK(text_or_error(reply(R"({"x":)" + std::string(100'000, '[') + std::string(100'000, ']') + "}")) ==
        "corrupt: reply: JSON nested too deep");
  for (const std::string body : {"{}", R"({"choices":[]})", R"({"choices":{}})", R"({"choices":[7]})"}) {
    CHECK(text_or_error(reply(body)) == "corrupt: reply: no choice in it");
  }
  CHECK(text_or_error(reply(chat("{}"))) == "corrupt: reply: no message in it");
  CHECK(text_or_error(reply(chat(R"({"message":"hi"})"))) == "corrupt: reply: no message in it");
  for (const std::string content : {"null", "7", R"([{"type":"text","text":"x"}])"}) {
    CHECK(text_or_error(reply(chat(R"({"message":{"content":)" + content + "}}"))) == "corrupt: reply: no text in it");
  }
  CHECK(text_or_error(reply(chat(R"({"message":{"content":"hi"}})")), CloudApi::kCompletions) ==
        "corrupt: reply: no text in it");
}
