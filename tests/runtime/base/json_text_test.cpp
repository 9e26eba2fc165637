// JSON that is written as text reads back as what was put in.
#include <limits>
#include <string>

#include <rapidcheck.h>
#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "runtime/base/json_text.h"

using namespace hearth;
using nlohmann::json;

TEST_CASE("an object written as text is what the library would have written") {
  const auto text =
      JsonObjectText(10).add("a", "x \"y\"\n\\z").add("b", -7).add("c", std::numeric_limits<std::uint64_t>::max());
  std::string whole = JsonObjectText(text).add_json("d", "[1,null]").add("e", "Grüße").take();
  CHECK(whole == nlohmann::ordered_json{{"a", "x \"y\"\n\\z"},
                                        {"b", -7},
                                        {"c", std::numeric_limits<std::uint64_t>::max()},
                                        {"d", {1, nullptr}},
                                        {"e", "Grüße"}}
                     .dump());
  CHECK(JsonObjectText().take() == "{}");
}

TEST_CASE("any text is one JSON string, and what is not UTF-8 is replaced") {
  CHECK(rc::check([](const std::string& text) {
    std::string out;
    append_json_string(out, text);
    RC_ASSERT(json::parse(out) == json::parse(json(text).dump(-1, ' ', false, json::error_handler_t::replace)));
  }));
}
