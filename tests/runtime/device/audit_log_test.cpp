// Goal: what the disk does to the audit log. Method: real files in a temporary folder, faults made by hand.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <future>

#include <sys/stat.h>
#include <unistd.h>
#include <catch2/catch.hpp>

#include "runtime/device/audit_log.h"
#include "runtime/device/file_journal.h"
#include "runtime/device/journal_files.h"
#include "runtime/device/key_file.h"
#include "runtime/net/net.h"
#include "tests/support/temp_folder.h"

using namespace hearth;
using namespace hearth::device;
namespace fs = std::filesystem;

namespace {

using Records = std::vector<std::string>;

/// Does something with the journal on its loop and waits for the verdict.
template <class Do>
Status on_loop(EventLoop& loop, Do&& act) {
  std::promise<Status> verdict;
  loop.post([&] { act([&](Status status) { verdict.set_value(std::move(status)); }); });
  return verdict.get_future().get();
}
Status append(EventLoop& loop, Journal& journal, const std::string& record, Durability durability) {
  return on_loop(loop, [&](Journal::Callback told) { journal.append(record, durability, std::move(told)); });
}
Status begin_segment(EventLoop& loop, SegmentedJournal& journal, const std::string& record, std::size_t kept) {
  return on_loop(loop, [&](Journal::Callback told) { journal.begin_segment(record, kept, std::move(told)); });
}

std::string text_of(const fs::path& file) {
  std::ifstream in(file);
  return {std::istreambuf_iterator<char>(in), {}};
}

std::uint64_t bytes_in(const fs::path& folder) {
  std::uint64_t bytes = 0;
  for (const auto& entry : fs::directory_iterator(folder)) bytes += entry.file_size();
  return bytes;
}

struct Place {
  test::TempFolder folder;
  std::shared_ptr<EventLoop> loop = net::make_asio_loop();
  std::string file = folder.path() / "journal";
  std::string key = file + ".key";

  RuntimeConfig config() const {
    RuntimeConfig made;
    made.journal_file = file;
    made.limits.journal_segment_mib = 1;
    made.limits.journal_segments_max = 3;
    return made;
  }
  std::shared_ptr<Journal> open() const { return open_audit_log(*loop, config()).value(); }
};

std::size_t records_in(Journal& journal) {
  const auto records = journal.replay();
  INFO((records.ok() ? "" : records.error().message));
  REQUIRE(records.ok());
  return records.value().size();
}

const std::string kConsent = R"({"kind":"consent","consent":"given"})";

}  // namespace

TEST_CASE("a new segment takes the journal's place, older ones stay beside it until there are too many", "[device]") {
  Place place;
  {
    const auto journal = FileJournal::open(*place.loop, place.file).value();
    CHECK(append(*place.loop, *journal, "one", Durability::kWritten).ok());
    CHECK(begin_segment(*place.loop, *journal, "two", 3).ok());
    CHECK(append(*place.loop, *journal, "three", Durability::kSynced).ok());
    CHECK(journal->replay().value() == Records{"two", "three"});
    CHECK(text_of(place.file + ".1") == "hearth journal 2 whole\none\n");
    CHECK(begin_segment(*place.loop, *journal, "four", 3).ok());
    CHECK(begin_segment(*place.loop, *journal, "five", 3).ok());
    CHECK_FALSE(fs::exists(place.file + ".1"));
    CHECK(older_segments(place.file).size() == 2);
    CHECK(FileJournal::open(*place.loop, place.file).error().message ==
          place.file + ": the journal is in use by another runtime");
  }
  const auto journal = FileJournal::open(*place.loop, place.file).value();
  CHECK(journal->replay().value() == Records{"five"});
  CHECK(begin_segment(*place.loop, *journal, "six", 9).ok());
  CHECK(older_segments(place.file).back().number == 4);
}

TEST_CASE("a crash between any two steps of beginning a segment loses nothing", "[device]") {
  Place place;
  {
    const auto journal = FileJournal::open(*place.loop, place.file).value();
    CHECK(append(*place.loop, *journal, "one", Durability::kSynced).ok());
  }
  std::ofstream(place.file + ".new") << "hearth journal 2 whole\ntwo";  // written in part
  if (GENERATE(false, true)) fs::create_hard_link(place.file, place.file + ".1");
  const auto journal = FileJournal::open(*place.loop, place.file).value();
  CHECK(journal->replay().value() == Records{"one"});
  CHECK_FALSE(fs::exists(place.file + ".new"));
  CHECK(older_segments(place.file).empty());
  CHECK(begin_segment(*place.loop, *journal, "two", 2).ok());
  CHECK(text_of(place.file + ".1") == "hearth journal 2 whole\none\n");
}

TEST_CASE("a journal whose newest segment is gone has no past", "[device]") {
  Place place;
  {
    const auto journal = FileJournal::open(*place.loop, place.file).value();
    CHECK(begin_segment(*place.loop, *journal, "two", 2).ok());
  }
  fs::remove(place.file);
  const auto journal = FileJournal::open(*place.loop, place.file).value();
  CHECK(journal->replay().error().message ==
        place.file + ": older segments of this journal are there, but its newest is not");
  CHECK_FALSE(append(*place.loop, *journal, "x", Durability::kSynced).ok());
}

TEST_CASE("a disk with no room for a new segment stops the journal for good", "[device]") {
  Place place;
  const auto journal = FileJournal::open(*place.loop, place.file).value();
  CHECK(append(*place.loop, *journal, "one", Durability::kSynced).ok());
  fs::create_directory(place.file + ".new");  // as good as a disk that refuses
  CHECK(begin_segment(*place.loop, *journal, "two", 2).error().code == ErrorCode::kUnavailable);
  CHECK_FALSE(append(*place.loop, *journal, "three", Durability::kSynced).ok());
  CHECK(text_of(place.file) == "hearth journal 2 torn!\none\n");
}

TEST_CASE("a key is made on first use, for its owner only, and then stays the same", "[device]") {
  Place place;
  const auto first = read_or_make_key(place.key, true);
  REQUIRE(first.ok());
  CHECK(first.value().size() == 32);
  CHECK(first.value() != std::string(32, '\0'));
  struct stat info {};
  REQUIRE(::stat(place.key.c_str(), &info) == 0);
  CHECK((info.st_mode & 0777) == 0600);
  CHECK(read_or_make_key(place.key, true).value() == first.value());
  CHECK(read_key(place.key).value() == first.value());
  CHECK(std::distance(fs::directory_iterator(place.folder.path()), {}) == 1);  // nothing half-written beside it
}

TEST_CASE("a key that is missing, of the wrong size or unreadable is named, and nothing can be kept", "[device]") {
  Place place;
  {
    const auto journal = place.open();
    REQUIRE(journal->replay().value().empty());
    REQUIRE(append(*place.loop, *journal, kConsent, Durability::kSynced).ok());
  }
  const int fault = GENERATE(0, 1, 2, 3);
  std::string expected = place.key;
  fs::remove(place.key);
  if (fault == 0) expected += ": the audit key is missing; without it the log cannot be checked";
  if (fault == 1) {
    std::ofstream(place.key) << "short";
    expected += ": expected an audit key of 32 bytes, got 5";
  } else if (fault == 2) {
    std::ofstream(place.key) << std::string(33, 'k');
    expected += ": expected an audit key of 32 bytes, got more";
  } else if (fault == 3) {
    fs::create_directory(place.key);
    expected += ": cannot read the audit key: Is a directory";
  }
  const auto before = text_of(place.file);
  const auto journal = place.open();
  CHECK(journal->replay().error().message == expected);
  CHECK(append(*place.loop, *journal, kConsent, Durability::kSynced).error().message == expected);
  CHECK(text_of(place.file) == before);
  CHECK(fs::exists(place.key) == (fault != 0));  // none is made for a log that has one
}

TEST_CASE("a log that its key does not fit, or that was changed, has no past", "[device]") {
  Place place;
  {
    const auto journal = place.open();
    REQUIRE(journal->replay().ok());
    REQUIRE(append(*place.loop, *journal, R"({"kind":"consent","consent":"revoked"})", Durability::kSynced).ok());
  }
  if (GENERATE(true, false)) {
    std::ofstream(place.key) << std::string(32, 'x');
    CHECK(place.open()->replay().error().message == "the log was begun with another key");
  } else {
    auto text = text_of(place.file);
    text.replace(text.find("revoked"), 7, "given");
    std::ofstream(place.file) << text;
    CHECK(place.open()->replay().error().message == "record 2 was changed");
  }
}

TEST_CASE("the log's disk use is bounded however much is recorded, and it still remembers", "[device]") {
  Place place;
  const std::string padding(64 * 1024, 'x');
  {
    const auto journal = place.open();
    REQUIRE(journal->replay().ok());
    REQUIRE(append(*place.loop, *journal, kConsent, Durability::kSynced).ok());
    for (int i = 0; i < 100; ++i)  // 6.25 MiB into segments of 1
      REQUIRE(append(*place.loop, *journal, R"({"kind":"decision","padding":")" + padding + "\"}", Durability::kWritten)
                  .ok());
  }
  CHECK(older_segments(place.file).size() == 2);
  CHECK(bytes_in(place.folder.path()) <= 3u << 20);
  const auto journal = place.open();
  const auto records = journal->replay();
  REQUIRE(records.ok());
  CHECK(records.value().front().find(R"("consent":"given")") != std::string::npos);
}

TEST_CASE("a torn last line is a crash and not a broken chain", "[device]") {
  Place place;
  {
    const auto journal = place.open();
    REQUIRE(journal->replay().ok());
    REQUIRE(append(*place.loop, *journal, kConsent, Durability::kSynced).ok());
  }
  std::ofstream(place.file, std::ios::app)
      << GENERATE(as<std::string>(), R"({"kind":"egress","at_)", std::string(100, '\0'));
  {
    const auto journal = place.open();
    CHECK(records_in(*journal) == 2);
    CHECK(append(*place.loop, *journal, kConsent, Durability::kSynced).ok());
  }
  CHECK(records_in(*place.open()) == 3);
}
