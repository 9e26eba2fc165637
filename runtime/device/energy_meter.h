/// \file EnergyMeter: joules that the processor took, as the kernel shows RAPL's counters under /sys/class/powercap.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <hearth/result.h>

namespace hearth::device {

/// What every processor package took together, and its memory where that is counted apart: all that runs on the
/// machine, not this process alone, so measure on an idle one and take the idle draw off. Counters move about once a
/// millisecond. Where there are none (most virtual machines, most Arm boards) there is no meter.
/// (Linux, Documentation/power/powercap/powercap.rst.) Threads: one at a time.
class EnergyMeter {
 public:
  /// kNotFound: this machine shows no counter. kUnavailable: it does, and this process may not read it: since 2020
  /// kernels show them to root alone. `sys` is "/sys", or a folder laid out like it.
  static Result<EnergyMeter> open(const std::string& sys = "/sys");

  /// Since open(). Counters begin again at zero after some minutes of full load: ask at least once in every minute.
  /// kUnavailable when a counter can no longer be read.
  Result<double> joules();

 private:
  struct Zone {
    std::string counter;          ///< File of microjoules.
    std::uint64_t range_uj = 0;   ///< Where the counter begins again.
    std::uint64_t before_uj = 0;  ///< As read last.
  };
  explicit EnergyMeter(std::vector<Zone> zones) : zones_(std::move(zones)) {}

  std::vector<Zone> zones_;
  std::uint64_t taken_uj_ = 0;
};

}  // namespace hearth::device
