// Goal: joules from RAPL's counters. Method: a folder laid out like /sys, with counters that the test moves.
#include <filesystem>
#include <fstream>

#include <rapidcheck.h>
#include <catch2/catch.hpp>

#include "runtime/device/energy_meter.h"
#include "tests/support/temp_folder.h"

using namespace hearth;
using namespace hearth::device;
namespace fs = std::filesystem;

namespace {

struct FakeSys {
  test::TempFolder folder;
  std::string root() const { return folder.path().string(); }
  fs::path zone(const std::string& zone) const { return folder.path() / "class/powercap" / zone; }

  void count(const std::string& name, std::uint64_t uj) const { std::ofstream(zone(name) / "energy_uj") << uj << "\n"; }
  void add(const std::string& folder_name, const std::string& name, std::uint64_t uj, std::uint64_t range_uj) const {
    fs::create_directories(zone(folder_name));
    std::ofstream(zone(folder_name) / "name") << name << "\n";
    std::ofstream(zone(folder_name) / "max_energy_range_uj") << range_uj << "\n";
    count(folder_name, uj);
  }
};

constexpr std::uint64_t kRange = 262'143'328'850;

}  // namespace

TEST_CASE("packages and their memory count once; cores, the whole platform and a second view of a package do not",
          "[device]") {
  FakeSys sys;
  sys.add("intel-rapl:0", "package-0", 1'000'000, kRange);
  sys.add("intel-rapl:0:0", "core", 500'000, kRange);
  sys.add("intel-rapl:0:1", "dram", 100'000, kRange);
  sys.add("intel-rapl:1", "package-1", 7, kRange);
  sys.add("intel-rapl:2", "psys", 9'000'000, kRange);
  sys.add("intel-rapl-mmio:0", "package-0", 1'000'000, kRange);
  auto meter = EnergyMeter::open(sys.root());
  REQUIRE(meter.ok());
  CHECK(meter->joules().value() == 0);
  sys.count("intel-rapl:0", 3'500'000);       // 2.5 J
  sys.count("intel-rapl:0:0", 2'000'000);     // within the package
  sys.count("intel-rapl:0:1", 350'000);       // 0.25 J
  sys.count("intel-rapl:1", 1'000'007);       // 1 J
  sys.count("intel-rapl:2", 20'000'000);      // all of it again
  sys.count("intel-rapl-mmio:0", 3'500'000);  // the first package again
  CHECK(meter->joules().value() == Approx(2.5 + 0.25 + 1));
  CHECK(meter->joules().value() == Approx(3.75));
}

TEST_CASE("whatever steps a counter takes and wherever it begins again, their sum is what was taken", "[device]") {
  FakeSys sys;
  sys.add("intel-rapl:0", "package-0", 0, kRange);
  const bool held = rc::check([&] {
    std::uint64_t counter = *rc::gen::inRange<std::uint64_t>(0, kRange);
    sys.count("intel-rapl:0", counter);
    auto meter = EnergyMeter::open(sys.root());
    double sum_j = 0;
    for (const std::uint64_t step :
         *rc::gen::container<std::vector<std::uint64_t>>(8, rc::gen::inRange<std::uint64_t>(0, kRange))) {
      counter = (counter + step) % kRange;
      sys.count("intel-rapl:0", counter);
      sum_j += static_cast<double>(step) * 1e-6;
      RC_ASSERT(std::abs(meter->joules().value() - sum_j) < 1e-3);
    }
  });
  CHECK(held);
}

TEST_CASE("a machine without counters has no meter, and one whose counters are kept from us says so", "[device]") {
  FakeSys sys;
  CHECK(EnergyMeter::open(sys.root()).error().code == ErrorCode::kNotFound);
  sys.add("intel-rapl:2", "psys", 1, kRange);
  CHECK(EnergyMeter::open(sys.root()).error().code == ErrorCode::kNotFound);

  sys.add("intel-rapl:0", "package-0", 1, kRange);
  auto meter = EnergyMeter::open(sys.root());
  REQUIRE(meter.ok());
  fs::remove(sys.zone("intel-rapl:0") / "energy_uj");
  CHECK(meter->joules().error().code == ErrorCode::kUnavailable);
  const auto refused = EnergyMeter::open(sys.root());
  CHECK(refused.error().code == ErrorCode::kUnavailable);
  CHECK_THAT(refused.error().message, Catch::Contains("energy_uj: cannot be read"));
}
