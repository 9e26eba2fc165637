/// \file The HTML report of `hearth prepare` and `hearth optimize`: one page that needs nothing else.
#pragma once

#include <string>

#include <nlohmann/json.hpp>

namespace hearth::tool {

/// Reads the keys that the JSON report has: `title`, `lead`, `machine`, `judged_on`; `steps`, each with `title`,
/// `bytes` and, where known, `test_accuracy`, `validation_accuracy`, `output_error`, `latency_us` and `role`
/// ("teacher", "reference", "step"); `layers` as of `hearth optimize`; `written`, `why_not`; `files` by name with their
/// SHA-256.
std::string make_recipe_page(const nlohmann::ordered_json& report);

}  // namespace hearth::tool
