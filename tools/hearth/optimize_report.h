/// \file What `hearth optimize` tells: the report for programs, the table for people.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "runtime/edge/optimize.h"

namespace hearth::tool {

nlohmann::ordered_json json_of(const edge::Spread& spread);
/// Nothing when it is no such object.
std::optional<edge::Spread> spread_from(const nlohmann::ordered_json& json);

nlohmann::ordered_json json_of(const edge::LayerTimes& times);
edge::LayerTimes layer_times_from(const nlohmann::ordered_json& json);

nlohmann::ordered_json json_of(const std::vector<edge::OptimizedLayer>& layers);

/// The layers when they were measured, then the steps.
void print_optimized(const std::vector<edge::OptimizedLayer>& layers, const nlohmann::ordered_json& report);

}  // namespace hearth::tool
