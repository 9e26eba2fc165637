#include "tools/hearth/page.h"

#include <cmath>

#include "tools/hearth/report_style.h"
#include "tools/hearth/svg.h"

namespace hearth::tool {

std::string html_page(std::string_view title, std::string_view more_style, std::string_view body) {
  return "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
         "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>" +
         escaped(title) + "</title>\n<style>" + kReportStyle + std::string(more_style) +
         "</style>\n</head>\n<body><main>\n" + std::string(body) + "</main></body>\n</html>\n";
}

std::string tile(std::string_view figure, std::string_view unit, std::string_view words) {
  return "<div class=\"card tile\"><b>" + escaped(figure) +
         (unit.empty() ? "" : " <small>" + escaped(unit) + "</small>") + "</b><span>" + escaped(words) +
         "</span></div>\n";
}

std::string card(std::string_view width, std::string_view title, std::string_view subtitle, std::string_view body) {
  return "<section class=\"card " + std::string(width) + "\"><h2>" + escaped(title) + "</h2><p class=\"sub\">" +
         escaped(subtitle) + "</p>" + std::string(body) + "</section>\n";
}

std::string legend(const Legend& entries) {
  std::string out = "<p class=\"legend\">";
  for (const auto& [css, word] : entries)
    out += "<span><i class=\"swatch " + css + "\"></i>" + escaped(word) + "</span>";
  return out + "</p>\n";
}

double log_bound(double value, bool up) {
  const double decade = std::pow(10, std::floor(std::log10(value)));
  double below = decade;
  for (const double times : {1.0, 2.0, 5.0, 10.0}) {
    const double bound = decade * times;
    if (up && bound >= value * 0.999) return bound;
    if (bound <= value * 1.001) below = bound;
  }
  return below;
}

}  // namespace hearth::tool
