// Goal: breaker and Retry-After, case by case. Method: pure state, told the time.
#include <catch2/catch.hpp>

#include "runtime/cloud/breaker.h"
#include "runtime/cloud/retry_after.h"

using namespace hearth;
using namespace hearth::cloud;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

TimePoint at(int ms) { return TimePoint(milliseconds(ms)); }

std::optional<Duration> asked(const std::string& retry_after_text, const std::string& date = "") {
  HttpReply reply;
  reply.headers.emplace_back("retry-after", retry_after_text);
  if (!date.empty()) reply.headers.emplace_back("date", date);
  return retry_after(reply);
}

Breaker fresh_breaker() { return Breaker(Breaker::Options{}, RandomStream(1, "breaker")); }

}  // namespace

TEST_CASE("Retry-After is read as seconds or as a date against the reply's own, and garbage is none", "[cloud]") {
  const std::string noon = "Sun, 06 Nov 1994 12:00:00 GMT";
  CHECK(asked("7") == seconds(7));
  CHECK(asked("0") == seconds(0));
  CHECK(asked("99999999999999999999") == std::chrono::hours(24));
  CHECK(asked("Sun, 06 Nov 1994 12:00:30 GMT", noon) == seconds(30));
  CHECK(asked("Sun, 06 Nov 1994 11:59:30 GMT", noon) == std::nullopt);  // in the past
  CHECK(asked("Sun, 06 Nov 1994 12:00:30 GMT") == std::nullopt);        // nothing to read it against
  CHECK(asked("Sun, 31 Feb 1994 12:00:30 GMT", noon) == std::nullopt);
  CHECK(asked("-5") == std::nullopt);
  CHECK(asked("1.5") == std::nullopt);
  CHECK(asked("soon") == std::nullopt);
  CHECK(retry_after(HttpReply{}) == std::nullopt);
}

TEST_CASE("a breaker opens on failures that are most of the last ten, though none came five in a row", "[cloud]") {
  auto breaker = fresh_breaker();
  AttemptId attempt = 0;
  int outcomes = 0;
  while (!breaker.open() && outcomes < 100) {
    if (++outcomes % 4 == 0) {
      breaker.succeeded();
    } else {
      breaker.failed(++attempt, at(outcomes));
    }
  }
  CHECK(outcomes < 30);
  auto healthy = fresh_breaker();
  for (int i = 0; i < 1000; ++i) {
    if (i % 4 == 0) {
      healthy.failed(++attempt, at(i));
    } else {
      healthy.succeeded();
    }
  }
  CHECK_FALSE(healthy.open());
}

TEST_CASE("a breaker opens at once when nothing was reached, and its pause doubles with each failed trial", "[cloud]") {
  auto breaker = fresh_breaker();
  breaker.unreachable(1, at(0));
  CHECK_FALSE(breaker.allows(at(799)));
  CHECK(breaker.allows(at(1201)));
  breaker.begin(2, at(1201));
  CHECK_FALSE(breaker.allows(at(1202)));  // one trial at a time
  breaker.unreachable(2, at(1300));
  CHECK_FALSE(breaker.allows(at(1300 + 1599)));
  CHECK(breaker.allows(at(1300 + 2401)));
}
