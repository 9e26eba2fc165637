#include "tools/hearth/optimize_report.h"

#include <cstdio>
#include <utility>

namespace hearth::tool {
namespace {

using nlohmann::ordered_json;

std::string cell(const std::optional<edge::Spread>& spread) {
  if (!spread) return "-";
  char text[64];
  std::snprintf(text, sizeof text, "%.1f (%.1f-%.1f)", spread->p50_us, spread->p10_us, spread->p90_us);
  return text;
}

void print_layers(const std::vector<edge::OptimizedLayer>& layers) {
  if (layers.empty()) return;
  std::printf("  %-5s %-13s %-18s %-18s %-18s %-18s %s\n", "layer", "size", "float", "torch_int8", "hearth_int8",
              "hearth_int4", "chosen");
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const auto& layer = layers[i];
    const std::string size = std::to_string(layer.inputs) + " to " + std::to_string(layer.outputs);
    std::printf("  %-5zu %-13s", i, size.c_str());
    for (const auto& spread : layer.times) std::printf(" %-18s", cell(spread).c_str());
    std::printf(" %s%s%s\n", std::string(edge::name_of(layer.chosen)).c_str(), layer.why_float.empty() ? "" : ": ",
                layer.why_float.c_str());
  }
  std::printf("\n");
}

}  // namespace

ordered_json json_of(const edge::Spread& spread) {
  return {{"p10", spread.p10_us}, {"p50", spread.p50_us}, {"p90", spread.p90_us}};
}

std::optional<edge::Spread> spread_from(const ordered_json& json) {
  edge::Spread spread;
  for (const auto& [key, value] :
       {std::pair("p10", &spread.p10_us), std::pair("p50", &spread.p50_us), std::pair("p90", &spread.p90_us)}) {
    if (!json.is_object() || !json.contains(key) || !json[key].is_number()) return std::nullopt;
    *value = json[key].get<double>();
  }
  return spread;
}

ordered_json json_of(const edge::LayerTimes& times) {
  ordered_json json = ordered_json::object();
  for (std::size_t kind = 0; kind < times.size(); ++kind) {
    if (times[kind]) json[std::string(edge::name_of(edge::kLayerKinds[kind]))] = json_of(*times[kind]);
  }
  return json;
}

edge::LayerTimes layer_times_from(const ordered_json& json) {
  edge::LayerTimes times;
  for (std::size_t kind = 0; kind < times.size(); ++kind) {
    const std::string name(edge::name_of(edge::kLayerKinds[kind]));
    if (json.is_object() && json.contains(name)) times[kind] = spread_from(json[name]);
  }
  return times;
}

ordered_json json_of(const std::vector<edge::OptimizedLayer>& layers) {
  ordered_json list = ordered_json::array();
  for (const edge::OptimizedLayer& layer : layers) {
    ordered_json entry = {{"layer", list.size()},
                          {"inputs", layer.inputs},
                          {"outputs", layer.outputs},
                          {"rows", layer.rows},
                          {"activation", layer.activation},
                          {"was", edge::name_of(layer.was)},
                          {"chosen", edge::name_of(layer.chosen)}};
    if (!layer.why_float.empty()) entry["why_float"] = layer.why_float;
    entry["latency_us"] = json_of(layer.times);
    list.push_back(std::move(entry));
  }
  return list;
}

void print_optimized(const std::vector<edge::OptimizedLayer>& layers, const ordered_json& report) {
  std::printf("Judged on %s. Microseconds, one thread: median (p10-p90) of turns.\n\n",
              report["judged_on"].get<std::string>().c_str());
  print_layers(layers);
  std::printf("  %-28s %10s   %-24s", "model", "size", "latency");
  for (const auto& [key, value] : report["before"].items()) {
    if (value.is_number_float()) std::printf("   %s", key.c_str());
  }
  for (const auto& step : report["steps"]) {
    const auto spread = step.contains("latency_us") ? spread_from(step["latency_us"]) : std::nullopt;
    std::printf("\n  %-28s %6.1f KiB   %-24s", step["title"].get<std::string>().c_str(),
                step["bytes"].get<double>() / 1024, cell(spread).c_str());
    for (const auto& [key, value] : step.items()) {
      if (value.is_number_float()) std::printf("   %-*.4f", static_cast<int>(key.size()), value.get<double>());
    }
  }
  std::printf("\n");
}

}  // namespace hearth::tool
