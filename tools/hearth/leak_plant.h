/// \file Leaks on purpose: what must stay is sent past the guard, so that the tripwire's zero means something.
#pragma once

#include <string>
#include <vector>

#include <hearth/config.h>
#include <hearth/result.h>
#include <hearth/tensor.h>

#include "tools/hearth/story.h"
#include "tools/hearth/stub_process.h"

namespace hearth::tool {

/// Sends one registered photo as a JSON tensor and as a binary tensor, and one registered canary inside a caption in
/// both encodings, with a plain HTTP client that knows no policy. After each the server is asked what it saw: a photo
/// has to add one photo to its count and nothing else, a caption one caption. Without a text input in the pair there
/// are two leaks, not four. kUnavailable when the server does not answer at all.
Result<std::vector<PlantedLeak>> plant_leaks(const StubProcess& stub, const CloudBinding& cloud, const Tensor& photo,
                                             const std::string& canary);

}  // namespace hearth::tool
