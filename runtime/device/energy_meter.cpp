#include "runtime/device/energy_meter.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <optional>

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
  const auto [end, failure] = std::from_chars(line.data(), line.data() + line.size(), number);
  if (failure != std::errc() || end != line.data() + line.size()) return std::nullopt;
  return number;
}

Error unreadable(const std::string& counter) {
  return {ErrorCode::kUnavailable, counter + ": cannot be read (kernels show it to root alone)"};
}

}  // namespace

Result<EnergyMeter> EnergyMeter::open(const std::string& sys) {
  const fs::path root = fs::path(sys) / "class/powercap";
  std::error_code failure;
  std::vector<fs::path> folders;
  for (const auto& entry : fs::directory_iterator(root, failure)) folders.push_back(entry.path());
  std::ranges::sort(folders);
  std::vector<Zone> zones;
  for (const fs::path& folder : folders) {
    // Cores and graphics lie within the package; "psys" holds all again, and so does what intel-rapl-mmio shows.
    if (!folder.filename().string().starts_with("intel-rapl:")) continue;
    const std::string name = first_line(folder / "name");
    if (!name.starts_with("package-") && name != "dram") continue;
    Zone zone{(folder / "energy_uj").string(), number_in(folder / "max_energy_range_uj").value_or(0)};
    const auto now = number_in(zone.counter);
    if (!now) return unreadable(zone.counter);
    zone.before_uj = *now;
    zones.push_back(std::move(zone));
  }
  if (zones.empty()) return Error{ErrorCode::kNotFound, root.string() + ": no energy counter of a processor package"};
  return EnergyMeter(std::move(zones));
}

Result<double> EnergyMeter::joules() {
  for (Zone& zone : zones_) {
    const auto now = number_in(zone.counter);
    if (!now) return unreadable(zone.counter);
    taken_uj_ += *now - zone.before_uj + (*now < zone.before_uj ? zone.range_uj : 0);
    zone.before_uj = *now;
  }
  return static_cast<double>(taken_uj_) * 1e-6;
}

}  // namespace hearth::device
