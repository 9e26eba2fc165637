/// \file A run that never was, with every kind of outcome in it.
#pragma once

#include "tools/hearth/story.h"

namespace hearth::tool {

/// Pure function of `images`. Photo hashes are made up; with `kill` the cloud is gone for the second half of hearth's
/// turn.
Story synthetic_story(std::uint64_t images, bool kill);

}  // namespace hearth::tool
