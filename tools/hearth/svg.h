/// \file Inline SVG plots: scales, axes and marks. Colours are CSS classes, so that one picture serves light and dark.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace hearth::tool {

/// Text made safe for element content and attributes.
std::string escaped(std::string_view text);

/// "12.34" without trailing zeros; for coordinates and tick labels.
std::string short_number(double value, int decimals = 2);

/// Where a value goes along an axis.
struct Scale {
  double min = 0, max = 1;
  bool log = false;                  ///< min > 0.
  double share(double value) const;  ///< 0 at min, 1 at max, clamped.
};

struct Tick {
  double value;
  std::string label;
};

/// Four to eight round values across the scale, labelled in `unit` (appended as it is) times `factor`.
std::vector<Tick> round_ticks(const Scale& scale, double factor = 1, std::string_view unit = "");
/// 1, 10, 100 ... within a logarithmic scale, each with a 2 and a 5 when there are few decades.
std::vector<Tick> decade_ticks(const Scale& scale);

/// One picture. Values are in the units of the axes; what lies outside is drawn at the border.
class Plot {
 public:
  /// `title` is read out by screen readers.
  Plot(std::string_view title, Scale x, Scale y, double width = 540, double height = 320);

  void x_axis(const std::vector<Tick>& ticks, std::string_view name);
  void y_axis(const std::vector<Tick>& ticks, std::string_view name);

  using Points = std::vector<std::pair<double, double>>;
  void line(const Points& points, std::string_view css);
  void bar(double x0, double x1, double y0, double y1, std::string_view css, std::string_view hover);
  void dot(double x, double y, double radius, std::string_view css, std::string_view hover);
  /// A dashed line across the plot at `x` with a word above it, reaching to the left or to the right.
  void marker(double x, std::string_view word, bool word_left);
  /// A shaded stretch of the whole height; `hover` is told where it is pointed at.
  void band(double x0, double x1, std::string_view css, std::string_view hover);
  /// A line from (x0, y0) to (x1, y1) without joints; for intervals about a dot.
  void segment(double x0, double y0, double x1, double y1, std::string_view css);
  /// The same as a marker along the plot at `y`, its word above the line's right end.
  void level(double y, std::string_view word);
  /// `anchor`: start, middle or end. Offsets in pixels.
  void text(double x, double y, double dx, double dy, std::string_view anchor, std::string_view css,
            std::string_view content);
  std::string svg() const;

 private:
  double at_x(double x) const;
  double at_y(double y) const;

  std::string title_;
  Scale x_, y_;
  double width_, height_;
  std::string body_;
};

}  // namespace hearth::tool
