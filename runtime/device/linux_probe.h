/// \file LinuxProbe: battery and network as the Linux kernel shows them under /sys.
#pragma once

#include <string>

#include <hearth/device.h>

namespace hearth::device {

/// Battery: the lowest capacity of the batteries under class/power_supply. Network: kOffline when no interface but
/// loopback is up, else kUnknown (the kernel does not know what is metered: the app tells). Threads: one at a time.
class LinuxProbe final : public DeviceProbe {
 public:
  /// `sys` is "/sys", or a folder laid out like it.
  explicit LinuxProbe(std::string sys = "/sys") : sys_(std::move(sys)) {}
  DeviceState read() override;

 private:
  std::string sys_;
};

}  // namespace hearth::device
