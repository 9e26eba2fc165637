/// \file report.html: one page that needs nothing but itself, in light and dark. No payload and no caption is in it.
#pragma once

#include <string>

#include "tools/hearth/story.h"

namespace hearth::tool {

std::string make_report(const Story& story, const Board& board);

}  // namespace hearth::tool
