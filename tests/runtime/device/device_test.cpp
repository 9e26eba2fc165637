// Goal: what a device's files tell. Method: real files in a temporary folder; a virtual loop takes the callbacks.
#include <atomic>
#include <filesystem>
#include <fstream>
#include <future>

#include <catch2/catch.hpp>

#include "runtime/device/file_journal.h"
#include "runtime/device/file_watch.h"
#include "runtime/device/linux_probe.h"
#include "runtime/net/net.h"
#include "tests/support/temp_folder.h"

using namespace hearth;
using namespace hearth::device;
namespace fs = std::filesystem;

namespace {

void put(const fs::path& file, const std::string& text) {
  fs::create_directories(file.parent_path());
  std::ofstream(file) << text;
}

/// Appends on the loop and waits for the verdict.
Status append(EventLoop& loop, Journal& journal, const std::string& record) {
  std::promise<Status> verdict;
  loop.post([&] {
    journal.append(record, Durability::kSynced, [&](Status status) { verdict.set_value(std::move(status)); });
  });
  return verdict.get_future().get();
}

}  // namespace

TEST_CASE("records survive, a torn last line does not, and the next append starts clean", "[device]") {
  test::TempFolder folder;
  const std::string file = folder.path() / "journal.jsonl";
  const auto loop = net::make_asio_loop();
  {
    auto journal = FileJournal::open(*loop, file).value();
    CHECK(append(*loop, *journal, "one").ok());
    CHECK(append(*loop, *journal, "two").ok());
  }
  std::ofstream(file, std::ios::app) << "tor";
  {
    auto journal = FileJournal::open(*loop, file).value();
    CHECK(journal->replay().value() == std::vector<std::string>{"one", "two"});
    CHECK(append(*loop, *journal, "three").ok());
    CHECK(journal->replay().value() == std::vector<std::string>{"one", "two", "three"});
  }
}

TEST_CASE("a journal that is full says so for ever: what it lost may have been a revocation", "[device]") {
  test::TempFolder folder;
  const std::string file = folder.path() / "journal.jsonl";
  const auto loop = net::make_asio_loop();
  {
    auto journal = FileJournal::open(*loop, file, 32).value();  // the first line takes 23
    CHECK(append(*loop, *journal, "12345678").ok());
    CHECK(append(*loop, *journal, "x").error().code == ErrorCode::kResourceExhausted);
    CHECK(append(*loop, *journal, "y").error().code == ErrorCode::kUnavailable);
  }
  auto later = FileJournal::open(*loop, file).value();
  CHECK(later->replay().error().message ==
        file + ": a record could not be kept earlier, so this is not the whole story");
}

TEST_CASE("on a disk that is full the runtime's journal opens, refuses records and has no past", "[device]") {
  const auto loop = net::make_asio_loop();
  auto journal = FileJournal::open(*loop, "/dev/full");
  REQUIRE(journal.ok());
  CHECK(append(*loop, *journal.value(), "x").error().code == ErrorCode::kUnavailable);
  CHECK_FALSE(journal.value()->replay().ok());
}

TEST_CASE("a file that is no journal is refused and left as it was", "[device]") {
  test::TempFolder folder;
  const std::string file = folder.path() / "letter.txt";
  put(file, "Dear Ann, how have you been?\n");
  const auto loop = net::make_asio_loop();
  auto journal = FileJournal::open(*loop, file).value();
  CHECK(journal->replay().error().message == file + ": not a journal of this version");
  CHECK_FALSE(append(*loop, *journal, "x").ok());
  journal.reset();
  std::ifstream in(file);
  std::string line;
  std::getline(in, line);
  CHECK(line == "Dear Ann, how have you been?");
  CHECK_FALSE(std::getline(in, line));
}

TEST_CASE("a journal has one owner, and a missing folder is named", "[device]") {
  test::TempFolder folder;
  const auto loop = net::make_asio_loop();
  const std::string file = folder.path() / "journal.jsonl";
  const auto first = FileJournal::open(*loop, file);
  CHECK(FileJournal::open(*loop, file).error().message == file + ": the journal is in use by another runtime");
  const std::string lost = folder.path() / "none" / "journal.jsonl";
  CHECK(FileJournal::open(*loop, lost).error().message ==
        lost + ": cannot open the journal: No such file or directory");
}

TEST_CASE("the probe reads the weakest battery and a network that is down, and guesses nothing", "[device]") {
  test::TempFolder folder;
  LinuxProbe probe(folder.path());
  CHECK_FALSE(probe.read().battery_percent);
  CHECK(probe.read().network == NetworkKind::kUnknown);

  put(folder.path() / "class/power_supply/BAT0/type", "Battery\n");
  put(folder.path() / "class/power_supply/BAT0/capacity", "57\n");
  put(folder.path() / "class/power_supply/BAT0/status", "Discharging\n");
  put(folder.path() / "class/power_supply/BAT1/type", "Battery\n");
  put(folder.path() / "class/power_supply/BAT1/capacity", "12\n");
  put(folder.path() / "class/power_supply/AC/type", "Mains\n");
  put(folder.path() / "class/net/lo/operstate", "unknown\n");
  put(folder.path() / "class/net/wlan0/operstate", "down\n");
  const auto state = probe.read();
  CHECK(state.battery_percent == 12.0);
  CHECK(state.charging == false);
  CHECK(state.network == NetworkKind::kOffline);

  put(folder.path() / "class/net/eth0/operstate", "up\n");
  CHECK(probe.read().network == NetworkKind::kUnknown);
  put(folder.path() / "class/power_supply/BAT1/capacity", "many\n");
  CHECK(probe.read().battery_percent == 57.0);
}

TEST_CASE("a first line that a crash cut off begins anew: nothing was kept yet", "[device]") {
  test::TempFolder folder;
  const std::string file = folder.path() / "journal.jsonl";
  put(file, "hearth jour");
  const auto loop = net::make_asio_loop();
  auto journal = FileJournal::open(*loop, file).value();
  CHECK(journal->replay().value().empty());
  CHECK(append(*loop, *journal, "one").ok());
  CHECK(journal->replay().value() == std::vector<std::string>{"one"});
}

TEST_CASE("a watched file that is written to or replaced is told, another one is not", "[device]") {
  const test::TempFolder folder;
  const std::string file = folder.path() / "policy.json";
  std::ofstream(file) << "one";
  std::promise<void> written;
  std::promise<void> replaced;
  std::atomic<int> told = 0;
  auto watch = device::watch_file(file, [&] {
    const int number = ++told;
    if (number == 1) written.set_value();
    if (number == 2) replaced.set_value();
  });
  REQUIRE(watch.ok());
  std::ofstream(folder.path() / "other.json") << "no";
  std::ofstream(file) << "two";
  written.get_future().wait();
  std::ofstream(folder.path() / "policy.json.part") << "three";
  fs::rename(folder.path() / "policy.json.part", file);
  replaced.get_future().wait();
  watch.value().reset();
  CHECK(told == 2);
  CHECK_FALSE(device::watch_file((folder.path() / "none/policy.json").string(), [] {}).ok());
}
