// Goal: what a restart remembers is what was known, however often segments change. Method: random histories of a
// ledger over a simulated store; the restored ledger is compared with the one that lived.
#include <rapidcheck.h>
#include <catch2/catch.hpp>

#include "runtime/privacy/chained_journal.h"
#include "runtime/sim/simulated_journal.h"
#include "runtime/sim/virtual_loop.h"

using namespace hearth;
using namespace hearth::privacy;

namespace {

const std::string kKey(kDeviceKeyBytes, 'k');
constexpr ChainedJournal::Bounds kSmall{2048, 3, 100};
constexpr ChainedJournal::Bounds kLarge{1 << 20, 3, 100};

struct Store {
  sim::VirtualLoop loop{WallTime(std::chrono::seconds(1'000'000))};
  std::shared_ptr<sim::SimulatedJournal> inner = std::make_shared<sim::SimulatedJournal>(loop);

  ChainedJournal open(ChainedJournal::Bounds bounds = kSmall, Result<std::string> key = kKey) {
    return ChainedJournal(loop, inner, std::move(key), bounds);
  }
  Status append(Journal& journal, std::string record) {
    Status verdict = Error{ErrorCode::kInternal, "not told"};
    journal.append(std::move(record), Durability::kSynced, [&](Status status) { verdict = std::move(status); });
    loop.run_until_idle();
    return verdict;
  }
};

/// One change of a ledger, and the record of it; empty when nothing changed.
std::string random_change(Ledger& ledger, WallTime now) {
  const std::string session(1, static_cast<char>('a' + *rc::gen::inRange(0, 20)));
  const auto seconds = std::chrono::seconds(*rc::gen::inRange(1, 100'000));
  switch (*rc::gen::inRange(0, 5)) {
    case 0:
      return ledger.set_consent(*rc::gen::element(Consent::kGiven, Consent::kRevoked));
    case 1:
      return ledger.forget(session);
    case 2:
      return R"({"kind":"decision","at_s":1,"padding":")" + std::string(200, 'x') + "\"}";
    case 3: {
      const auto at_s = (now + seconds).time_since_epoch().count();
      ledger.charge({static_cast<std::uint64_t>(at_s % 1000), 3}, now + seconds);
      return R"({"kind":"egress","at_s":)" + std::to_string(at_s) + R"(,"bytes":)" + std::to_string(at_s % 1000) +
             R"(,"micro_usd":3})";
    }
    default:
      return ledger.taint(session, now, now + seconds);
  }
}

}  // namespace

TEST_CASE("a ledger restored from the newest segment knows what the one before knew", "[audit]") {
  std::size_t segments = 0;
  CHECK(rc::check([&] {
    Store store;
    Ledger lived(kSmall.sessions_max);
    const WallTime now = store.loop.wall_now();
    auto journal = std::make_unique<ChainedJournal>(store.open());
    RC_ASSERT(journal->replay().ok());
    const int changes = *rc::gen::inRange(0, 60);
    for (int i = 0; i < changes; ++i) {
      const auto record = random_change(lived, now);
      if (!record.empty()) RC_ASSERT(store.append(*journal, record).ok());
      if (i % 20 != 19) continue;
      journal = std::make_unique<ChainedJournal>(store.open());  // a restart in the middle
      RC_ASSERT(journal->replay().ok());
    }
    Ledger restored(kSmall.sessions_max);
    RC_ASSERT(restored.restore(store.open().replay()).ok());
    RC_ASSERT(restored.state_record(now, now) == lived.state_record(now, now));
    AuditChain chain(kKey);
    for (const auto& line : store.inner->records) RC_ASSERT(chain.open(line).ok());
    RC_ASSERT(chain.whole().ok());
    RC_ASSERT(chain.segments().size() <= kSmall.segments_max);
    segments += store.inner->segment_starts.size();
  }));
  CHECK(segments > 100);
}

TEST_CASE("a broken chain is an error of replay and of every append", "[audit]") {
  Store store;
  {
    auto journal = store.open(kLarge);
    REQUIRE(journal.replay().ok());
    REQUIRE(store.append(journal, R"({"kind":"consent","consent":"revoked"})").ok());
    REQUIRE(store.append(journal, R"({"kind":"consent","consent":"given"})").ok());
  }
  const std::string expected =
      "expected record 2, got record 3: records were removed, inserted or put in another order";
  store.inner->records.erase(store.inner->records.begin() + 1);  // the revocation
  auto journal = store.open(kLarge);
  CHECK(journal.replay().error().message == expected);
  CHECK(store.append(journal, R"({"kind":"consent","consent":"given"})").error().message == expected);
  CHECK(store.inner->records.size() == 2);
}

TEST_CASE("without a key nothing is kept and nothing is remembered", "[audit]") {
  Store store;
  auto journal = store.open(kLarge, Error{ErrorCode::kNotFound, "k: the audit key is missing"});
  CHECK(journal.replay().error().message == "k: the audit key is missing");
  CHECK(store.append(journal, R"({"kind":"gap"})").error().message == "k: the audit key is missing");
  CHECK(store.inner->records.empty());
  CHECK(journal.keyed_digest("payload").empty());
}

TEST_CASE("a payload's digest is this device's own, and the same each time", "[audit]") {
  Store store;
  const auto digest = store.open().keyed_digest("payload");
  CHECK(digest.size() == 64);
  CHECK(digest == store.open().keyed_digest("payload"));
  CHECK(digest != store.open().keyed_digest("payloae"));
  CHECK(digest != store.open(kSmall, std::string(kDeviceKeyBytes, 'x')).keyed_digest("payload"));
}

TEST_CASE("a clock set forward while a segment begins ends no taint", "[audit]") {
  Store store;
  Ledger lived(10);
  const WallTime now = store.loop.wall_now();
  auto journal = store.open();
  REQUIRE(journal.replay().ok());
  REQUIRE(store.append(journal, lived.taint("s", now, now + std::chrono::hours(1))).ok());
  store.loop.set_clock_forward(std::chrono::hours(24 * 365));
  for (int i = 0; i < 10; ++i)
    REQUIRE(store.append(journal, R"({"kind":"decision","padding":")" + std::string(500, 'x') + "\"}").ok());
  REQUIRE(store.inner->segment_starts.size() >= 2);
  Ledger restored(10);
  REQUIRE(restored.restore(store.open().replay()).ok());
  CHECK(restored.tainted("s", now) == true);
}

TEST_CASE("a state record larger than a segment does not begin one for every record", "[audit]") {
  Store store;
  Ledger lived(100);
  const WallTime now = store.loop.wall_now();
  auto journal = store.open();
  REQUIRE(journal.replay().ok());
  for (int i = 0; i < 100; ++i)
    REQUIRE(store.append(journal, lived.taint(std::to_string(i), now, now + std::chrono::hours(1))).ok());
  const auto before = store.inner->segment_starts.size();
  for (int i = 0; i < 20; ++i) REQUIRE(store.append(journal, R"({"kind":"decision","n":1})").ok());
  CHECK(store.inner->segment_starts.size() <= before + 2);
}
