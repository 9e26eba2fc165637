/// \file The report's pictures, each made of one Story.
#pragma once

#include <string>

#include "tools/hearth/story.h"

namespace hearth::tool {

std::string latency_chart(const Story& story);     ///< CDFs of the three modes, log milliseconds.
std::string accuracy_chart(const Board& board);    ///< Accuracy against MiB sent.
std::string timeline_chart(const Story& story);    ///< Where each second's requests were served; the kill marked.
std::string threshold_chart(const Story& story);   ///< Validation split, from prepare.json; empty without one.
std::string confidence_chart(const Story& story);  ///< Local confidence of what may leave, split by who answered.

}  // namespace hearth::tool
