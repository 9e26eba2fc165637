// Goal: energy as the kernel counts it, over a counter's end too, and nothing claimed where it cannot be read.
// Method: folders laid out like /sys.
#include "runtime/device/energy_meter.h"

#include <filesystem>
#include <fstream>
#include <string>

#include <catch2/catch.hpp>

#include "tests/support/temp_folder.h"

using hearth::device::EnergyMeter;
namespace fs = std::filesystem;

namespace {

/// A zone whose counter ends at 1,000,000 microjoules.
void put(const fs::path& sys, const std::string& zone, const std::string& name, const std::string& energy_uj) {
  const fs::path folder = sys / "class/powercap" / zone;
  fs::create_directories(folder);
  std::ofstream(folder / "name") << name << '\n';
  std::ofstream(folder / "energy_uj") << energy_uj << '\n';
  std::ofstream(folder / "max_energy_range_uj") << "1000000\n";
}

}  // namespace

TEST_CASE("the packages' joules add up, their parts and the platform are not counted again", "[device]") {
  const hearth::test::TempFolder sys;
  put(sys.path(), "intel-rapl:0", "package-0", "100");
  put(sys.path(), "intel-rapl:0:0", "core", "50");
  put(sys.path(), "intel-rapl:1", "package-1", "900000");
  put(sys.path(), "intel-rapl:2", "psys", "7");
  auto meter = EnergyMeter::open(sys.path().string());
  REQUIRE(meter);
  CHECK(meter->joules() == 0.0);
  put(sys.path(), "intel-rapl:0", "package-0", "500100");
  put(sys.path(), "intel-rapl:0:0", "core", "400000");
  put(sys.path(), "intel-rapl:2", "psys", "700000");
  CHECK(*meter->joules() == Approx(0.5));
  put(sys.path(), "intel-rapl:1", "package-1", "100000");  // over its end: 100,000 to it and 100,000 after it
  CHECK(*meter->joules() == Approx(0.7));
}

TEST_CASE("there is no meter where a package's counter cannot be read, and none that goes on without it", "[device]") {
  const hearth::test::TempFolder sys;
  CHECK_FALSE(EnergyMeter::open(sys.path().string()));
  put(sys.path(), "intel-rapl:0:0", "core", "50");
  CHECK_FALSE(EnergyMeter::open(sys.path().string()));
  put(sys.path(), "intel-rapl:0", "package-0", "");
  CHECK_FALSE(EnergyMeter::open(sys.path().string()));
  put(sys.path(), "intel-rapl:0", "package-0", "5");
  auto meter = EnergyMeter::open(sys.path().string());
  REQUIRE(meter);
  fs::remove(sys.path() / "class/powercap/intel-rapl:0/energy_uj");
  CHECK_FALSE(meter->joules());
}
