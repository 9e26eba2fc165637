// The door and redaction: what gets a permit, and what an encoder cannot smuggle through.
#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "runtime/base/digest.h"
#include "runtime/privacy/guard.h"

namespace hearth {
namespace {

const std::string kSecret(32, 's');
const std::string kText = "write to \"ann@example.com\" please";

std::shared_ptr<const policies::Policy> policy(const std::string& egress) {
  const auto loaded =
      policies::Policy::load(R"({"version": 1, "name": "p", "classes": [{"name": "personal", "egress": ")" + egress +
                                 R"("}, {"name": "secret", "egress": "never"}], "default_class": "personal"})",
                             "policy.json");
  REQUIRE(loaded.ok());
  return loaded.value();
}

PrivacyGuard guard_of(const std::string& egress, const std::string& secret = kSecret) {
  return PrivacyGuard(policy(egress), {{"eu-1", "http://127.0.0.1:1", "eu"}}, 10, secret);
}

Request request_of(const std::string& text) {
  Request request;
  request.label = "personal";
  request.text = text;
  return request;
}

HttpMessage plain(const Request& request) { return {"POST", "/infer", {}, request.text}; }

TEST_CASE("the encoder of a class that leaves redacted gets a redacted copy") {
  auto guard = guard_of("redacted");
  const Request request = request_of(kText);
  auto judgement = guard.judge(request, guard.classify(request), {});
  CHECK(judgement.redacted);
  CHECK(judgement.mask.has(1));
  const auto minted = guard.mint(judgement, request, 1, plain, {});
  INFO((minted.ok() ? "" : minted.error().message));
  REQUIRE(minted.ok());
  const std::string& body = minted->permit.message().body;
  CHECK(body.find("ann@example.com") == std::string::npos);
  CHECK(body.find("write to \"[EMAIL_") == 0);
  CHECK(minted->redaction->restore(body) == kText);
  CHECK(minted->record.find("example") == std::string::npos);
}

TEST_CASE("an encoder that lets an original through gets no permit, in whatever form") {
  auto guard = guard_of("redacted");
  const Request request = request_of(kText);
  auto judgement = guard.judge(request, guard.classify(request), {});
  const std::string mail = "ann@example.com";
  const std::vector<HttpMessage> leaks = {
      {"POST", "/infer", {}, kText},
      {"POST", "/infer", {}, nlohmann::json(mail).dump()},
      {"POST", "/infer", {}, R"({"q":"\u0061nn\u0040example.com"})"},
      {"POST", "/infer", {}, "q=ann%40example.com"},
      {"POST", "/infer", {}, "YW5uQGV4YW1wbGUuY29t"},
      {"POST", "/infer", {}, hex_of(mail)},
      {"POST", "/infer?q=ann%40example.com", {}, ""},
      {"POST", "/infer", {{"X-Note", "for " + mail}}, ""},
  };
  for (const HttpMessage& leak : leaks) {
    const auto minted = guard.mint(judgement, request, 1, [&](const Request&) { return leak; }, {});
    INFO(leak.target + " " + leak.body);
    REQUIRE_FALSE(minted.ok());
    CHECK(minted.error().code == ErrorCode::kPermissionDenied);
    CHECK(minted.error().message == "what was redacted stands in the encoded request");
  }
}

TEST_CASE("what was judged to leave redacted never leaves as it is, whatever the policy says later") {
  auto before = guard_of("redacted");
  auto later = guard_of("allow");
  const Request request = request_of(kText);
  auto judgement = before.judge(request, before.classify(request), {});
  const auto minted = later.mint(judgement, request, 1, plain, {});
  REQUIRE(minted.ok());
  CHECK(minted->permit.message().body.find("ann@example.com") == std::string::npos);

  // And the other way round: a policy that now asks for redaction binds what was judged before it.
  auto open = later.judge(request, later.classify(request), {});
  CHECK_FALSE(open.redacted);
  const auto narrowed = before.mint(open, request, 1, plain, {});
  REQUIRE(narrowed.ok());
  CHECK(narrowed->permit.message().body.find("ann@example.com") == std::string::npos);
}

TEST_CASE("what was redacted by a former policy's detectors is not sent under a new one") {
  auto guard = guard_of("redacted");
  const Request request = request_of(kText);
  auto judgement = guard.judge(request, guard.classify(request), {});
  const auto minted = guard.mint(judgement, request, 1, plain, {});
  REQUIRE(minted.ok());
  CHECK(guard.spend(judgement, request, 1, *minted, true, {}).ok());
  guard.replace_policy(guard_of("redacted").shared_policy());
  const auto status = guard.spend(judgement, request, 1, *minted, true, {});
  REQUIRE_FALSE(status.ok());
  CHECK(status.error().message == "a new policy asks for redaction");
}

TEST_CASE("what cannot be redacted gets no permit") {
  auto guard = guard_of("redacted");
  const Request request = request_of(kText);
  auto judgement = guard.judge(request, guard.classify(request), {});
  const auto why_not = [&](PrivacyGuard& door, const Request& asked) {
    bool encoded = false;
    const auto encode = [&](const Request& r) { return encoded = true, plain(r); };
    const auto minted = door.mint(judgement, asked, 1, encode, {});
    CHECK_FALSE(encoded);
    return minted.ok() ? "permitted" : minted.error().message;
  };
  CHECK(why_not(guard, request_of("\xff\xfe")) == "the text to be redacted was not understood");
  CHECK(why_not(guard, request_of(std::string(privacy::TextDetector::kTextBytesMax + 1, 'a'))) ==
        "the text to be redacted was not understood");
  Request photo = request;
  const float values[] = {1};
  photo.inputs = {Tensor::of_floats("x", {1}, values)};
  CHECK(why_not(guard, photo) == "denied by class:personal");
  auto keyless = guard_of("redacted", "");
  CHECK(why_not(keyless, request) == "there is no secret to redact with");
}

}  // namespace
}  // namespace hearth
