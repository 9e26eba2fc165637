#include "runtime/device/energy_meter.h"

#include <charconv>
#include <filesystem>
#include <fstream>

namespace hearth::device {
namespace {

namespace fs = std::filesystem;

std::string first_line(const fs::path& file) {
  std::ifstream in(file);
  std::string line;
  std::getline(in, line);
  return line;
}

std::optional<std::uint64_t> number_in(const fs::path& file) {
  const std::string line = first_line(file);
  std::uint64_t number = 0;
  if (std::from_chars(line.data(), line.data() + line.size(), number).ec != std::errc()) return {};
  return number;
}

}  // namespace

std::optional<EnergyMeter> EnergyMeter::open(const std::string& sys) {
  EnergyMeter meter;
  std::error_code failure;
  for (const auto& zone : fs::directory_iterator(fs::path(sys) / "class/powercap", failure)) {
    // Not its parts, which the package counts already, nor the platform ("psys"), which counts the package.
    if (!first_line(zone.path() / "name").starts_with("package-")) continue;
    const auto now = number_in(zone.path() / "energy_uj");
    const auto range = number_in(zone.path() / "max_energy_range_uj");
    if (!now || !range) return {};  // some packages without the others would be a wrong figure
    meter.packages_.push_back({(zone.path() / "energy_uj").string(), *range, *now});
  }
  if (meter.packages_.empty()) return {};
  return meter;
}

std::optional<double> EnergyMeter::joules() {
  for (Package& package : packages_) {
    const auto now = number_in(package.counter);
    if (!now) return {};
    const std::uint64_t used =
        *now >= package.last_uj ? *now - package.last_uj : *now + package.range_uj - package.last_uj;
    joules_ += static_cast<double>(used) / 1e6;
    package.last_uj = *now;
  }
  return joules_;
}

}  // namespace hearth::device
