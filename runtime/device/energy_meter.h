/// \file EnergyMeter: the joules that this machine's processors have used, as Linux counts them (RAPL).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace hearth::device {

/// The packages under class/powercap, cores, caches and whatever else runs on them included. Most kernels since 2020
/// let only root read them (CVE-2020-8694), and most virtual machines have none. Counters begin anew after some
/// minutes at full load: read it at least once in ten. Threads: one at a time.
class EnergyMeter {
 public:
  /// Nothing where no package's counter can be read. `sys` is "/sys", or a folder laid out like it.
  static std::optional<EnergyMeter> open(const std::string& sys = "/sys");

  /// Used since open(). Nothing when a counter cannot be read any more.
  std::optional<double> joules();

 private:
  struct Package {
    std::string counter;  ///< File.
    std::uint64_t range_uj;
    std::uint64_t last_uj;
  };
  std::vector<Package> packages_;
  double joules_ = 0;
};

}  // namespace hearth::device
