#include "tools/hearth/svg.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace hearth::tool {
namespace {

constexpr double kLeft = 74, kRight = 16, kTop = 26, kBottom = 46;

std::string attribute(std::string_view name, double value) {
  return " " + std::string(name) + "=\"" + short_number(value) + "\"";
}

std::string css_class(std::string_view css) { return " class=\"" + std::string(css) + "\""; }

std::string text_at(double x, double y, std::string_view anchor, std::string_view css, std::string_view content,
                    std::string_view more = "") {
  return "<text" + attribute("x", x) + attribute("y", y) + " text-anchor=\"" + std::string(anchor) + "\"" +
         css_class(css) + std::string(more) + ">" + escaped(content) + "</text>\n";
}

std::string line_at(double x0, double y0, double x1, double y1, std::string_view css) {
  return "<line" + attribute("x1", x0) + attribute("y1", y0) + attribute("x2", x1) + attribute("y2", y1) +
         css_class(css) + "/>\n";
}

}  // namespace

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::string short_number(double value, int decimals) {
  char text[64];
  std::snprintf(text, sizeof text, "%.*f", decimals, value);
  std::string out = text;
  if (out.find('.') != std::string::npos) {
    out.erase(out.find_last_not_of('0') + 1);
    if (out.back() == '.') out.pop_back();
  }
  return out == "-0" ? "0" : out;
}

double Scale::share(double value) const {
  const double part = log ? std::log(std::max(value, min) / min) / std::log(max / min) : (value - min) / (max - min);
  return std::clamp(part, 0.0, 1.0);
}

std::vector<Tick> round_ticks(const Scale& scale, double factor, std::string_view unit) {
  const double span = (scale.max - scale.min) * factor;
  double step = std::pow(10, std::floor(std::log10(span / 4)));
  for (const double times : {2.0, 2.5, 2.0}) {  // 1, 2, 5, 10
    if (span / step <= 8) break;
    step *= times;
  }
  const int decimals = std::max(0, static_cast<int>(-std::floor(std::log10(step) + 1e-9)));
  std::vector<Tick> ticks;
  for (double i = std::ceil(scale.min * factor / step - 1e-9); i * step <= scale.max * factor + step * 1e-6; ++i) {
    ticks.push_back({i * step / factor, short_number(i * step, decimals) + std::string(unit)});
  }
  return ticks;
}

std::vector<Tick> decade_ticks(const Scale& scale) {
  const bool few = std::log10(scale.max / scale.min) <= 4.2;
  std::vector<Tick> ticks;
  for (double decade = std::pow(10, std::floor(std::log10(scale.min) + 1e-9)); decade <= scale.max; decade *= 10) {
    for (const double times : {1.0, 2.0, 5.0}) {
      const double value = decade * times;
      if (value < scale.min * 0.999 || value > scale.max * 1.001 || (times > 1 && !few)) continue;
      ticks.push_back({value, short_number(value, 3)});
    }
  }
  return ticks;
}

Plot::Plot(std::string_view title, Scale x, Scale y, double width, double height)
    : title_(title), x_(x), y_(y), width_(width), height_(height) {}

double Plot::at_x(double x) const { return kLeft + x_.share(x) * (width_ - kLeft - kRight); }
double Plot::at_y(double y) const { return height_ - kBottom - y_.share(y) * (height_ - kTop - kBottom); }

void Plot::x_axis(const std::vector<Tick>& ticks, std::string_view name) {
  for (const Tick& tick : ticks) {
    body_ += line_at(at_x(tick.value), height_ - kBottom, at_x(tick.value), height_ - kBottom + 4, "axis");
    body_ += text_at(at_x(tick.value), height_ - kBottom + 18, "middle", "tick", tick.label);
  }
  body_ += line_at(kLeft, height_ - kBottom, width_ - kRight, height_ - kBottom, "axis");
  body_ += text_at((kLeft + width_ - kRight) / 2, height_ - 6, "middle", "name", name);
}

void Plot::y_axis(const std::vector<Tick>& ticks, std::string_view name) {
  for (const Tick& tick : ticks) {
    body_ += line_at(kLeft, at_y(tick.value), width_ - kRight, at_y(tick.value), "grid");
    body_ += text_at(kLeft - 8, at_y(tick.value) + 4, "end", "tick", tick.label);
  }
  const std::string middle = short_number((kTop + height_ - kBottom) / 2);
  body_ += text_at(0, 0, "middle", "name", name, " transform=\"translate(11 " + middle + ") rotate(-90)\"");
}

void Plot::line(const Points& points, std::string_view css) {
  std::string path;
  for (const auto& [x, y] : points) {
    path += (path.empty() ? "M" : "L") + short_number(at_x(x), 1) + " " + short_number(at_y(y), 1);
  }
  body_ += "<path d=\"" + path + "\"" + css_class("line " + std::string(css)) + "/>\n";
}

void Plot::bar(double x0, double x1, double y0, double y1, std::string_view css, std::string_view hover) {
  const double top = at_y(y1), height = at_y(y0) - top;
  if (height <= 0) return;
  body_ += "<rect" + attribute("x", at_x(x0) + 0.5) + attribute("y", top) +
           attribute("width", std::max(0.5, at_x(x1) - at_x(x0) - 1)) + attribute("height", height) +
           css_class("fill " + std::string(css)) + "><title>" + escaped(hover) + "</title></rect>\n";
}

void Plot::dot(double x, double y, double radius, std::string_view css, std::string_view hover) {
  body_ += "<circle" + attribute("cx", at_x(x)) + attribute("cy", at_y(y)) + attribute("r", radius) + css_class(css) +
           "><title>" + escaped(hover) + "</title></circle>\n";
}

void Plot::marker(double x, std::string_view word, bool word_left) {
  body_ += line_at(at_x(x), kTop - 4, at_x(x), height_ - kBottom, "marker");
  body_ += text_at(at_x(x) + (word_left ? 4 : -4), kTop - 9, word_left ? "end" : "start", "note", word);
}

void Plot::band(double x0, double x1, std::string_view css, std::string_view hover) {
  body_ += "<rect" + attribute("x", at_x(x0)) + attribute("y", kTop - 4) +
           attribute("width", std::max(1.5, at_x(x1) - at_x(x0))) + attribute("height", height_ - kBottom - kTop + 4) +
           css_class(css) + "><title>" + escaped(hover) + "</title></rect>\n";
}

void Plot::segment(double x0, double y0, double x1, double y1, std::string_view css) {
  body_ += line_at(at_x(x0), at_y(y0), at_x(x1), at_y(y1), css);
}

void Plot::level(double y, std::string_view word) {
  body_ += line_at(kLeft, at_y(y), width_ - kRight, at_y(y), "marker");
  body_ += text_at(width_ - kRight, at_y(y) - 7, "end", "note", word);
}

void Plot::text(double x, double y, double dx, double dy, std::string_view anchor, std::string_view css,
                std::string_view content) {
  body_ += text_at(at_x(x) + dx, at_y(y) + dy, anchor, css, content);
}

std::string Plot::svg() const {
  return "<svg viewBox=\"0 0 " + short_number(width_) + " " + short_number(height_) + "\" role=\"img\" aria-label=\"" +
         escaped(title_) + "\">\n" + body_ + "</svg>\n";
}

}  // namespace hearth::tool
