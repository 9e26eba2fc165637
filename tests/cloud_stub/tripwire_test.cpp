#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include "cloud_stub/tripwire.h"
#include "runtime/base/digest.h"
#include "runtime/base/json_reader.h"

namespace {

using namespace hearth;
using namespace hearth::stub;

std::string error_of(const Status& status) { return status.ok() ? "no error" : status.error().message; }

std::uint64_t canaries_in(const Tripwire& tripwire, std::string_view body) {
  return tripwire.check({}, body, "").canaries;
}

}  // namespace

TEST_CASE("nothing is found until something is registered") {
  Tripwire tripwire;
  CHECK_FALSE(tripwire.armed());
  CHECK_FALSE(tripwire.check({}, "Maria Huber", "").any());
  REQUIRE(tripwire.add({}, {}).ok());
  CHECK_FALSE(tripwire.armed());
}

TEST_CASE("a registered tensor is known by its bytes, whatever its name and shape") {
  Tripwire tripwire;
  const std::vector<float> values{1, 2, 3, 4};
  const auto tensor = Tensor::of_floats("x", {4}, values);
  const std::string bytes(reinterpret_cast<const char*>(tensor.data.data()), tensor.data.size());
  std::string hash = sha256_hex(bytes);
  for (char& c : hash) c = static_cast<char>(std::toupper(c));
  REQUIRE(tripwire.add({hash}, {}).ok());

  const std::vector<float> others{1, 2, 3, 5};
  const std::vector<Tensor> inputs{Tensor::of_floats("x", {4}, others), Tensor::of_floats("z", {2, 2}, values)};
  CHECK(tripwire.check(inputs, "", "").inputs == 1);
  CHECK(tripwire.check(std::span(inputs).first(1), "", "").inputs == 0);
  CHECK(tripwire.check({}, bytes, "").inputs == 1);  // the bare tensor as a body
  CHECK(tripwire.check(inputs, bytes, "").inputs == 1);
}

TEST_CASE("a canary is found in each encoding it can travel in") {
  Tripwire tripwire;
  const std::string canary = "Zoë Müller \"7\"/ÿ";
  REQUIRE(tripwire.add({}, {canary}).ok());
  CHECK(canaries_in(tripwire, "a note about " + canary + ".") == 1);
  CHECK(canaries_in(tripwire, R"({"t":"Zoë Müller \"7\"/ÿ"})") == 1);
  CHECK(canaries_in(tripwire, R"({"t":"Zo\u00eb M\u00FCller \u00227\"\/\u00ff"})") == 1);
  CHECK(canaries_in(tripwire, R"(cut: "\u005ao\u00eb M\u00fcller \"7\"\/\u00ff)") == 1);  // no valid JSON
  CHECK(canaries_in(tripwire, "q=Zo%C3%AB%20M%c3%bcller%20%227%22%2F%C3%BF") == 1);
  CHECK(tripwire.check({}, "", "GET /?q=Zo%C3%AB%20M%C3%BCller%20%227%22/%C3%BF").canaries == 1);
  const std::vector<Tensor> inputs{Tensor::of_text("caption", "by " + canary)};
  CHECK(tripwire.check(inputs, "", "").canaries == 1);
  // python3: base64.b64encode(("x" * n + canary + "!").encode()) for n = 0, 1, 2, and urlsafe_b64encode
  CHECK(canaries_in(tripwire, "Wm/Dqw==") == 0);
  CHECK(canaries_in(tripwire, "Wm/DqyBNw7xsbGVyICI3Ii/DvyE=") == 1);
  CHECK(canaries_in(tripwire, "eFpvw6sgTcO8bGxlciAiNyIvw78h") == 1);
  CHECK(canaries_in(tripwire, "eHhab8OrIE3DvGxsZXIgIjciL8O/IQ==") == 1);
  CHECK(canaries_in(tripwire, "Wm_DqyBNw7xsbGVyICI3Ii_DvyE=") == 1);
}

TEST_CASE("what only resembles a canary is not one") {
  Tripwire tripwire;
  REQUIRE(tripwire.add({}, {"Maria Huber"}).ok());
  for (const char* body : {"Maria Hube", "aria Huber", "Maria  Huber", "maria huber", "Mar", ""}) {
    CAPTURE(body);
    CHECK(canaries_in(tripwire, body) == 0);
  }
}

TEST_CASE("each canary counts once a request, however often it occurs") {
  Tripwire tripwire;
  REQUIRE(tripwire.add({}, {"Maria Huber", "Maria", "+43 660"}).ok());
  REQUIRE(tripwire.add({}, {"Maria Huber"}).ok());  // registering twice changes nothing
  CHECK(canaries_in(tripwire, "Maria Huber, Maria Huber") == 2);
  CHECK(canaries_in(tripwire, "Maria Huber, +43 660") == 3);
}

TEST_CASE("many canaries are told apart") {
  Tripwire tripwire;
  std::vector<std::string> canaries;
  for (int i = 0; i < 5000; ++i) canaries.push_back("name number " + std::to_string(i) + ";");
  REQUIRE(tripwire.add({}, canaries).ok());
  CHECK(canaries_in(tripwire, "name number 4711;") == 1);
  CHECK(canaries_in(tripwire, "name number 47115;") == 0);
}

TEST_CASE("what cannot be registered is refused as a whole") {
  Tripwire tripwire;
  CHECK(error_of(tripwire.add({std::string(64, 'a'), "xyz"}, {"Maria Huber"})) ==
        "input_sha256[1] is not 64 hex digits");
  CHECK(error_of(tripwire.add({}, {"Maria Huber", "abc"})) == "canaries[1] is not 4 to 4096 bytes long");
  CHECK(error_of(tripwire.add({}, {std::string(5000, 'a')})) == "canaries[0] is not 4 to 4096 bytes long");
  CHECK_FALSE(tripwire.armed());
}

TEST_CASE("escapes are undone and broken ones left as they are") {
  CHECK(unescape_json(R"(\u00e9\n\\u0041\ud83d\ude00)") == "é\n\\u0041😀");
  CHECK(unescape_json("\\u12") == "\\u12");
  CHECK(unescape_json("\\") == "\\");
  CHECK(unescape_percent("%41%4") == "A%4");
  CHECK(unescape_percent("%zz%") == "%zz%");
}
