/// \file The parts that every report page is made of.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace hearth::tool {

/// A whole HTML page that needs nothing from elsewhere: `body` under the reports' style sheet, with `more_style` after
/// it.
std::string html_page(std::string_view title, std::string_view more_style, std::string_view body);

/// A large figure with its unit and what it is.
std::string tile(std::string_view figure, std::string_view unit, std::string_view words);

/// `width`: wide, seven, half or five of the page's twelve columns. `body` is HTML, all else text.
std::string card(std::string_view width, std::string_view title, std::string_view subtitle, std::string_view body);

/// CSS class and word of each colour in a picture.
using Legend = std::vector<std::pair<std::string, std::string>>;
std::string legend(const Legend& entries);

/// A 1, 2 or 5 times a power of ten on the far side of `value` > 0: where a logarithmic axis ends well.
double log_bound(double value, bool up);

}  // namespace hearth::tool
