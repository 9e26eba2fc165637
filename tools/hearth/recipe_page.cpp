#include "tools/hearth/recipe_page.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <optional>
#include <vector>

#include "tools/hearth/page.h"
#include "tools/hearth/svg.h"

namespace hearth::tool {
namespace {

using nlohmann::ordered_json;

constexpr std::array<const char*, 4> kKinds = {"float", "torch_int8", "hearth_int8", "hearth_int4"};

std::string text_of(const ordered_json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

std::optional<double> number_of(const ordered_json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_number() ? std::optional(found->get<double>()) : std::nullopt;
}

std::optional<double> latency_of(const ordered_json& step) {
  return step.contains("latency_us") ? number_of(step["latency_us"], "p50") : std::nullopt;
}

std::optional<double> accuracy_of(const ordered_json& step) {
  const auto test = number_of(step, "test_accuracy");
  return test ? test : number_of(step, "validation_accuracy");
}

std::string kib(double bytes) { return short_number(bytes / 1024, bytes < 100 * 1024 ? 1 : 0); }
std::string percent(double share) { return short_number(100 * share, 2) + " %"; }
std::string micros(double us) { return short_number(us, us < 100 ? 1 : 0); }

std::string spread_text(const ordered_json& spread) {
  return micros(spread["p50"].get<double>()) + " (" + micros(spread["p10"].get<double>()) + "–" +
         micros(spread["p90"].get<double>()) + ")";
}

std::vector<ordered_json> steps_of(const ordered_json& report, const char* role) {
  std::vector<ordered_json> steps;
  for (const auto& step : report.value("steps", ordered_json::array())) {
    if (text_of(step, "role") == role) steps.push_back(step);
  }
  return steps;
}

std::string times_text(double before, double after) {
  const double ratio = before / after;
  return ratio >= 1 ? short_number(ratio, 1) + " times" : "1 / " + short_number(1 / ratio, 1);
}

/// The last step against what it stands in for: the reference when there is one, else the first step.
std::string tiles(const ordered_json& report) {
  const auto steps = steps_of(report, "step");
  const auto references = steps_of(report, "reference");
  if (steps.empty()) return "";
  const ordered_json& last = steps.back();
  const ordered_json& first = steps.front();
  const ordered_json& before = references.empty() ? first : references.back();
  const std::string against = text_of(before, "title");
  std::string out = "<div class=\"tiles\">\n";
  if (const auto accuracy = accuracy_of(last)) {
    const auto was = accuracy_of(first);
    out += tile(percent(*accuracy), "",
                "right on the test set" +
                    (was && &first != &last ? "; " + text_of(first, "title") + ": " + percent(*was) : std::string()));
  }
  if (const auto error = number_of(last, "output_error")) {
    out += tile(short_number(100 * *error, 2) + " %", "", "root mean square error of the outputs, of their size");
  }
  const double bytes = last["bytes"].get<double>();
  out += tile(kib(bytes), "KiB",
              "on disk; " + text_of(first, "title") + ": " + kib(first["bytes"].get<double>()) + " KiB");
  if (const auto us = latency_of(last)) {
    const auto was = latency_of(before);
    out += tile(micros(*us), "us",
                "a pass, median, one thread" +
                    (was && &before != &last ? "; " + against + ": " + micros(*was) + " us" : std::string()));
    if (was && &before != &last) out += tile(times_text(*was, *us), "", "as fast as: " + against);
  }
  return out + "</div>\n";
}

std::string css_of(const ordered_json& step, bool last) {
  const std::string role = text_of(step, "role");
  return role == "teacher" ? "cloud" : role == "reference" ? "home" : last ? "hearth" : "edge";
}

std::string table(const ordered_json& report) {
  const auto& steps = report["steps"];
  const bool photos = std::ranges::any_of(steps, [](const auto& step) { return step.contains("test_accuracy"); });
  const bool errors = std::ranges::any_of(steps, [](const auto& step) { return step.contains("output_error"); });
  std::string out = "<div class=\"scroll\"><table><thead><tr><th></th><th>KiB</th>";
  if (photos) out += "<th>validation</th><th>test</th>";
  if (errors) out += "<th>output error</th>";
  out += "<th>us, median (p10–p90)</th></tr></thead><tbody>\n";
  const std::size_t count = steps_of(report, "step").size();
  std::size_t number = 0;
  for (const ordered_json& step : steps) {
    const auto cell = [&](const std::optional<double>& value) {
      out += "<td>" + (value ? percent(*value) : std::string("–")) + "</td>";
    };
    const bool numbered = text_of(step, "role") == "step";
    number += numbered ? 1 : 0;
    out += "<tr><td><i class=\"swatch " + css_of(step, numbered && number == count) + "\"></i>" +
           (numbered ? std::to_string(number) + " " : std::string()) + escaped(text_of(step, "title")) + "</td><td>" +
           kib(step["bytes"].get<double>()) + "</td>";
    if (photos) {
      cell(number_of(step, "validation_accuracy"));
      cell(number_of(step, "test_accuracy"));
    }
    if (errors) cell(number_of(step, "output_error"));
    out += "<td>" + (step.contains("latency_us") ? spread_text(step["latency_us"]) : std::string("–")) + "</td></tr>\n";
  }
  return out + "</tbody></table></div>\n";
}

/// One dot a step, joined in their order; the teacher apart.
std::string accuracy_plot(const ordered_json& report, const char* name,
                          const std::function<std::optional<double>(const ordered_json&)>& across) {
  std::vector<std::pair<double, double>> points;
  std::vector<const ordered_json*> shown;
  for (const auto& step : report["steps"]) {
    const auto x = across(step), y = accuracy_of(step);
    if (!x || !y || *x <= 0 || text_of(step, "role") == "reference") continue;
    points.emplace_back(*x, *y);
    shown.push_back(&step);
  }
  if (points.size() < 2) return "";
  double left = 1e12, right = 0, low = 1, high = 0;
  for (const auto& [x, y] : points) {
    left = std::min(left, x), right = std::max(right, x), low = std::min(low, y), high = std::max(high, y);
  }
  const Scale x{left * 0.6, right * 1.8, true};
  const Scale y{std::floor((low - 0.002) * 100) / 100, std::min(1.0, std::ceil((high + 0.002) * 100) / 100), false};
  Plot plot(std::string("Accuracy against ") + name, x, y);
  plot.y_axis(round_ticks(y, 100, " %"), "accuracy");
  plot.x_axis(decade_ticks(x), std::string(name) + " (log scale)");
  Plot::Points path;
  for (std::size_t i = 0; i < points.size(); ++i) {
    if (text_of(*shown[i], "role") == "step") path.push_back(points[i]);
  }
  plot.line(path, "edge");
  std::size_t number = 0;
  for (std::size_t i = 0; i < points.size(); ++i) {
    const bool teacher = text_of(*shown[i], "role") == "teacher", last = !teacher && number + 1 == path.size();
    const std::string css = css_of(*shown[i], last), title = text_of(*shown[i], "title");
    const std::string label = teacher ? "teacher" : std::to_string(++number);
    plot.dot(points[i].first, points[i].second, last ? 8 : 6, "fill " + css, title);
    const double down = number % 2 == 0 ? -12 : 22;  // Neighbours that lie close part.
    plot.text(points[i].first, points[i].second, 0, down, "middle", "word " + css, label);
  }
  return plot.svg();
}

std::string layers_table(const ordered_json& layers) {
  std::string out = "<div class=\"scroll\"><table><thead><tr><th>layer</th><th>size</th>";
  for (const char* kind : kKinds) out += "<th>" + std::string(kind) + "</th>";
  out += "<th>chosen</th></tr></thead><tbody>\n";
  for (const auto& layer : layers) {
    const std::string chosen = text_of(layer, "chosen"), why = text_of(layer, "why_float");
    out += "<tr><td>" + layer["layer"].dump() + " " + escaped(text_of(layer, "operator")) + "</td><td>" +
           layer["inputs"].dump() + " to " + layer["outputs"].dump() + "</td>";
    for (const char* kind : kKinds) {
      const bool has = layer["latency_us"].contains(kind);
      out += std::string(chosen == kind ? "<td class=\"ours\">" : "<td>") +
             (has ? spread_text(layer["latency_us"][kind]) : "–") + "</td>";
    }
    out += "<td class=\"ours\">" + escaped(chosen) + (why.empty() ? "" : "<br><small>" + escaped(why) + "</small>") +
           "</td></tr>\n";
  }
  return out + "</tbody></table></div>\n";
}

std::string footer(const ordered_json& report) {
  std::string out = "<footer><p>" + escaped(text_of(report, "machine")) + ".</p>\n";
  const auto files = report.value("files", ordered_json::object());
  for (const auto& [name, sha256] : files.items()) {
    if (sha256.is_string()) {
      out += "<p>" + escaped(name) + " <code>" + escaped(sha256.get<std::string>()) + "</code></p>\n";
    }
  }
  return out + "</footer>\n";
}

}  // namespace

std::string make_recipe_page(const ordered_json& report) {
  const std::string title = text_of(report, "title");
  std::string page = "<header><h1>" + escaped(title) + "</h1><p class=\"lead\">" + escaped(text_of(report, "lead")) +
                     "</p></header>\n";
  if (const std::string why = text_of(report, "why_not"); !why.empty()) {
    page += "<div class=\"card\"><h2 class=\"bad\">Nothing was written</h2><p>" + escaped(why) + "</p></div><br>\n";
  }
  page += tiles(report) + "<div class=\"cards\">\n";
  page += card("wide", "Step by step", "judged on " + text_of(report, "judged_on"), table(report));
  const auto size = [](const ordered_json& step) {
    const auto bytes = number_of(step, "bytes");
    return bytes ? std::optional(*bytes / 1024) : std::nullopt;
  };
  if (const auto plot = accuracy_plot(report, "size, KiB", size); !plot.empty()) {
    page += card("half", "What size costs", "the steps by number; up and to the left is better", plot);
  }
  if (const auto plot = accuracy_plot(report, "latency, us", latency_of); !plot.empty()) {
    page += card("half", "What speed costs", "the steps by number; one pass on one thread, all in turns", plot);
  }
  if (report.contains("layers") && !report["layers"].empty()) {
    page +=
        card("wide", "Layer by layer", "microseconds in turns: median (p10–p90); the fastest within the budget is kept",
             layers_table(report["layers"]));
  }
  return html_page(title, "", page + "</div>\n" + footer(report));
}

}  // namespace hearth::tool
