#include "runtime/device/linux_probe.h"

#include <algorithm>
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

void read_battery(const fs::path& power, DeviceState& state) {
  std::error_code error;
  for (const auto& supply : fs::directory_iterator(power, error)) {
    if (first_line(supply.path() / "type") != "Battery") continue;
    const std::string capacity = first_line(supply.path() / "capacity");
    double percent = 0;
    if (std::from_chars(capacity.data(), capacity.data() + capacity.size(), percent).ec == std::errc() &&
        percent >= 0 && percent <= 100)
      state.battery_percent = std::min(percent, state.battery_percent.value_or(100));
    const std::string status = first_line(supply.path() / "status");
    if (status == "Charging" || status == "Full" || status == "Not charging") state.charging = true;
    if (status == "Discharging") state.charging = false;
  }
}

NetworkKind read_network(const fs::path& net) {
  std::error_code error;
  auto interfaces = fs::directory_iterator(net, error);
  if (error) return NetworkKind::kUnknown;
  for (const auto& interface : interfaces) {
    if (interface.path().filename() == "lo") continue;
    // Tunnels and some drivers say "unknown" while they work; only a clear "down" counts as down.
    if (first_line(interface.path() / "operstate") != "down") return NetworkKind::kUnknown;
  }
  return NetworkKind::kOffline;
}

}  // namespace

DeviceState LinuxProbe::read() {
  DeviceState state;
  read_battery(fs::path(sys_) / "class/power_supply", state);
  state.network = read_network(fs::path(sys_) / "class/net");
  return state;
}

}  // namespace hearth::device
