// The simulator's pages as a real browser shows them.
#include <fstream>
#include <iostream>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "tests/support/browser.h"
#include "tests/tools/simulate/synthetic_report.h"

using namespace hearth;
using simulate::test::comparison_of;
using simulate::test::make_run;
using simulate::test::report_of;
using simulate::test::sweep_of;

namespace {

/// What a person would complain about, as a list of sentences.
constexpr const char* kLook = R"js(
<script>
const found = [];
const box = one => one.getBoundingClientRect();
if (document.documentElement.scrollWidth > window.innerWidth) found.push("the page is wider than its window");
for (const card of document.querySelectorAll(".card")) {
  const around = box(card);
  for (const one of card.querySelectorAll("svg text, td, th, b, span, p, small")) {
    if (one.closest(".scroll") || !one.textContent.trim()) continue;
    const inner = box(one);
    if (inner.left < around.left - 1 || inner.right > around.right + 1 || inner.bottom > around.bottom + 1 ||
        inner.top < around.top - 1)
      found.push("out of its card: " + one.textContent.trim());
  }
  for (const one of card.querySelectorAll(".scroll"))
    if (window.innerWidth > 1000 && one.scrollWidth > one.clientWidth + 1)
      found.push("a table is cut: " + card.querySelector("h2").textContent);
}
for (const svg of document.querySelectorAll("svg")) {
  const words = [...svg.querySelectorAll("text")].filter(one => one.textContent.trim());
  for (let i = 0; i < words.length; ++i)
    for (let k = i + 1; k < words.length; ++k) {
      const a = box(words[i]), b = box(words[k]);
      const x = Math.min(a.right, b.right) - Math.max(a.left, b.left);
      const y = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
      if (x > 1.5 && y > 3) found.push("one over the other: " + words[i].textContent + " | " + words[k].textContent);
    }
}
document.title = "LOOKED" + JSON.stringify(found) + "END";
</script>)js";

std::vector<std::string> complaints(const test::Browser& browser, const std::filesystem::path& folder, std::string page,
                                    int width) {
  page.insert(page.rfind("</body>"), kLook);
  const auto file = folder / "looked.html";
  std::ofstream(file) << page;
  const std::string dom = browser.dom(file, width);
  const std::size_t begin = dom.find("<title>LOOKED"), end = dom.find("END</title>");
  if (begin == std::string::npos || end == std::string::npos) return {"the page's script did not run"};
  std::string list = dom.substr(begin + 13, end - begin - 13);
  for (const auto& [entity, character] : {std::pair{"&lt;", "<"}, {"&gt;", ">"}, {"&amp;", "&"}})
    for (std::size_t at; (at = list.find(entity)) != std::string::npos;)
      list.replace(at, std::strlen(entity), character);
  return nlohmann::json::parse(list).get<std::vector<std::string>>();
}

void look_at(const std::string& name, const std::string& page) {
  if (!test::Browser::installed()) {
    std::cout << "skipped: chromium is not installed, so nobody looked at " << name << '\n';
    return;
  }
  const test::Browser browser;
  const test::TempFolder temp;
  const char* const kept = std::getenv("HEARTH_SCREENSHOTS");  // a folder for people who want to look
  for (const int width : {1280, 420}) {
    INFO(name << " at " << width);
    CHECK(complaints(browser, temp.path(), page, width) == std::vector<std::string>{});
  }
  const auto file = temp.path() / (name + ".html");
  std::ofstream(file) << page;
  if (kept)
    std::filesystem::copy_file(file, std::filesystem::path(kept) / file.filename(),
                               std::filesystem::copy_options::overwrite_existing);
  const auto brightness = [](std::uint32_t pixel) { return (pixel >> 16) + (pixel >> 8 & 255) + (pixel & 255); };
  for (const bool dark : {false, true}) {
    INFO(name << (dark ? ", dark" : ", light"));
    const test::Picture picture = browser.screenshot(file, 1280, 1600, dark);
    REQUIRE(picture.width == 1280);
    REQUIRE(picture.height == 1600);
    CHECK(picture.colours() > 40);
    CHECK((brightness(picture.at(2, 2)) < 128) == dark);
  }
}

}  // namespace

TEST_CASE("the report of a run is drawn, light and dark, and nothing in it overlaps or is cut") {
  look_at("report", report_of({make_run()}));
}

TEST_CASE("the report of several seeds is drawn as well") {
  look_at("seeds", report_of({make_run({.seed = 1}), make_run({.seed = 2}), make_run({.seed = 3})}));
}

TEST_CASE("the report of a comparison is drawn as well, of two policies and of many") {
  const std::string story = "A commuter's phone on LTE.";
  look_at("compare", make_comparison_report(comparison_of({0.9, 0.6}, 5), story));
  look_at("compare_many", make_comparison_report(comparison_of({0.95, 0.8, 0.6, 0.4, 0.2, 0}, 3), story));
}

TEST_CASE("the report of a sweep is drawn as well") {
  look_at("sweep", make_sweep_report(sweep_of({0.2, 0.4, 0.6, 0.8, 0.9}, 3), "A commuter's phone on LTE."));
}
