#include <catch2/catch.hpp>

#include "runtime/privacy/ledger.h"

using namespace hearth;
using namespace hearth::privacy;
using std::chrono::seconds;

namespace {
WallTime at(long long s) { return WallTime(seconds(s)); }
using Records = std::vector<std::string>;
TEST_CASE("money is charged, given back when nothing left, and begins anew with the day") {
  Ledger ledger(10);
  ledger.charge({10, 1'500'000}, at(90'000));
  CHECK(ledger.cloud_usd_today(at(90'000)) == 1.5);
  CHECK(ledger.cloud_usd_today(at(2 * 86'400)) == 0.0);
  REQUIRE(ledger.take(ledger.withheld_record({10, 500'000}, at(90'000), 1, 1)).ok());
  CHECK(ledger.cloud_usd_today(at(90'000)) == 1.0);
  Ledger after(10);
  REQUIRE(after.take(ledger.state_record(at(90'000), at(0))).ok());
  CHECK(after.cloud_usd_today(at(90'000)) == 1.0);
  after.go_blind();
  CHECK(after.cloud_usd_today(at(90'000)) == std::nullopt);
}

}  // namespace

TEST_CASE("taint lasts as long as it was given for, and the longer of two", "[ledger]") {
  Ledger ledger(10);
  CHECK_FALSE(ledger.taint("s", at(0), at(60)).empty());
  CHECK(ledger.taint("s", at(0), at(30)).empty());  // nothing new to remember
  CHECK(ledger.tainted("s", at(59)) == true);
  CHECK(ledger.tainted("s", at(60)) == false);
  CHECK(ledger.tainted("other", at(0)) == false);
  CHECK(ledger.tainted("", at(0)) == false);
}

TEST_CASE("a ledger restored from its records remembers consent, taint and spent bytes", "[ledger]") {
  Ledger before(10);
  Records records = {before.set_consent(Consent::kGiven), before.taint("s", at(0), at(60)),
                     before.taint("t", at(0), at(60)), before.forget("t"),
                     R"({"kind":"egress","at_s":90000,"bytes":1048576})"};
  Ledger after(10);
  REQUIRE(after.restore(records).ok());
  CHECK(after.consent() == Consent::kGiven);
  CHECK(after.tainted("s", at(1)) == true);
  CHECK(after.tainted("t", at(1)) == false);
  CHECK(after.cloud_mib_today(at(90'000)) == 1.0);
  CHECK(after.cloud_mib_today(at(2 * 86'400)) == 0.0);  // the next day
  CHECK(after.cloud_mib_today(at(0)) == 1.0);           // a clock set back gives nothing back
}

TEST_CASE("a past that cannot be read makes every session tainted and every budget spent", "[ledger]") {
  const auto records = GENERATE(Result<Records>(Error{ErrorCode::kUnavailable, "disk"}), Result<Records>(Records{"{"}),
                                Result<Records>(Records{R"({"kind":"novel"})"}),
                                Result<Records>(Records{R"({"kind":"taint","session":"zz"})"}),
                                Result<Records>(Records{R"({"kind":"consent","consent":"maybe"})"}));
  Ledger ledger(10);
  CHECK_FALSE(ledger.restore(records).ok());
  CHECK(ledger.blind());
  CHECK(ledger.tainted("s", at(0)) == std::nullopt);
  CHECK(ledger.cloud_mib_today(at(0)) == std::nullopt);
}

TEST_CASE("more tainted sessions than fit taint every session until they expire", "[ledger]") {
  Ledger ledger(2);
  ledger.taint("a", at(0), at(10));
  ledger.taint("b", at(0), at(100));
  ledger.taint("c", at(0), at(50));
  CHECK(ledger.tainted("never seen", at(49)) == true);
  CHECK(ledger.tainted("never seen", at(50)) == false);
  ledger.taint("d", at(60), at(70));  // "a" has expired and makes room
  CHECK(ledger.tainted("d", at(61)) == true);
  CHECK(ledger.tainted("never seen", at(61)) == false);
}

TEST_CASE("records hold no session names", "[ledger]") {
  Ledger ledger(2);
  CHECK(ledger.taint("patient 4711", at(0), at(10)).find("4711") == std::string::npos);
}
