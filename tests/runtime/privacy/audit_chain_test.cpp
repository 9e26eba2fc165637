// Goal: no single change to a sealed log goes unseen. Method: random logs, one random edit, the pure check.
#include <rapidcheck.h>
#include <catch2/catch.hpp>

#include <algorithm>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "runtime/privacy/audit_chain.h"

using namespace hearth;
using namespace hearth::privacy;

namespace {

using Lines = std::vector<std::string>;
const std::string kKey(kDeviceKeyBytes, 'k');
const std::string kState = R"({"kind":"state","at_s":0})";

std::string record_of(std::uint32_t number) { return R"({"kind":"egress","bytes":)" + std::to_string(number) + "}"; }

/// A state record first, and another wherever a record's number is divisible by 7.
struct Log {
  explicit Log(const std::vector<std::uint32_t>& numbers) : chain(kKey) {
    std::vector<std::uint64_t> segments = {1};
    lines.push_back(chain.seal_state(kState, segments).value());
    records.push_back(kState);
    for (const auto number : numbers) {
      if (number % 7 == 0) {
        segments.push_back(chain.next_seq());
        lines.push_back(chain.seal_state(kState, segments).value());
      } else {
        lines.push_back(chain.seal(record_of(number)).value());
      }
    }
  }
  AuditChain chain;
  Lines lines;
  Lines records;
};

/// Nothing when it holds, else what is wrong.
std::string check(const Lines& lines, const ChainHead* head = nullptr, const std::string& key = kKey) {
  AuditChain chain(key);
  for (const auto& line : lines) {
    auto record = chain.open(line);
    if (!record.ok()) return record.error().message;
    if (head && head->count == chain.head().count && head->mac != chain.head().mac) return "not the head's record";
  }
  if (auto whole = chain.whole(); !whole.ok()) return whole.error().message;
  if (head && head->count > chain.head().count) return "tail cut";
  return {};
}

Lines lines_of(const std::vector<std::uint32_t>& numbers) { return Log(numbers).lines; }

std::size_t pick(std::size_t below) { return *rc::gen::inRange<std::size_t>(0, below); }

}  // namespace

TEST_CASE("what was sealed is found whole and comes back as it was", "[audit]") {
  CHECK(rc::check([](const std::vector<std::uint32_t>& numbers) {
    const auto lines = lines_of(numbers);
    RC_ASSERT(check(lines).empty());
    AuditChain chain(kKey);
    for (std::size_t i = 0; i < lines.size(); ++i) {
      const auto record = chain.open(lines[i]).value();
      if (i > 0 && numbers[i - 1] % 7 != 0) RC_ASSERT(record == record_of(numbers[i - 1]));
      RC_ASSERT(nlohmann::json::accept(record));
    }
  }));
}

TEST_CASE("changing any one character of any record is found", "[audit]") {
  CHECK(rc::check([](const std::vector<std::uint32_t>& numbers, std::uint8_t flip) {
    RC_PRE(flip != 0);
    auto lines = lines_of(numbers);
    auto& line = lines[pick(lines.size())];
    auto& c = line[pick(line.size())];
    c = static_cast<char>(c ^ static_cast<char>(flip));
    RC_ASSERT_FALSE(check(lines).empty());
  }));
}

TEST_CASE("removing any record that has one after it is found", "[audit]") {
  CHECK(rc::check([](const std::vector<std::uint32_t>& numbers) {
    auto lines = lines_of(numbers);
    RC_PRE(lines.size() >= 2u);
    lines.erase(lines.begin() + static_cast<std::ptrdiff_t>(pick(lines.size() - 1)));
    // The last state record says which segments are kept, so the first may not go either.
    RC_ASSERT_FALSE(check(lines).empty());
  }));
}

TEST_CASE("swapping two different records is found", "[audit]") {
  CHECK(rc::check([](const std::vector<std::uint32_t>& numbers) {
    auto lines = lines_of(numbers);
    const auto i = pick(lines.size()), j = pick(lines.size());
    RC_PRE(i != j);
    std::swap(lines[i], lines[j]);
    RC_ASSERT_FALSE(check(lines).empty());
  }));
}

TEST_CASE("a record put in, copied or of another log, is found", "[audit]") {
  CHECK(rc::check([](const std::vector<std::uint32_t>& numbers, const std::vector<std::uint32_t>& others) {
    auto lines = lines_of(numbers);
    const auto strange = *rc::gen::element(record_of(5), std::string("{}"), std::string(), lines[pick(lines.size())],
                                           lines_of(others).back());
    const auto at = pick(lines.size() + 1);
    if (at == lines.size()) {  // at the end, the right next record would be no strange one
      AuditChain probe(kKey);
      for (const auto& line : lines) (void)probe.open(line);
      RC_PRE(!probe.open(strange).ok());
    }
    lines.insert(lines.begin() + static_cast<std::ptrdiff_t>(at), strange);
    RC_ASSERT_FALSE(check(lines).empty());
  }));
}

TEST_CASE("a tail that was cut off is seen with a head, and cannot be without", "[audit]") {
  CHECK(rc::check([](const std::vector<std::uint32_t>& numbers) {
    const Log log(numbers);
    AuditChain reader(kKey);
    const auto head = reader.read_head(log.chain.signed_head().value()).value();
    RC_ASSERT(check(log.lines, &head).empty());
    auto cut = log.lines;
    cut.resize(pick(cut.size()));
    RC_ASSERT_FALSE(check(cut, &head).empty());
    RC_ASSERT(check(cut).empty());
  }));
}

TEST_CASE("older segments that were rotated away are not missed, those still listed are", "[audit]") {
  AuditChain chain(kKey);
  Lines first = {chain.seal_state(kState, {1}).value(), chain.seal(record_of(1)).value()};
  Lines second = {chain.seal_state(kState, {1, 3}).value(), chain.seal(record_of(2)).value()};
  CHECK(check(second) == "records 1 to 2 are missing: older segments were removed before their time");
  Lines third = second;
  third.push_back(chain.seal_state(kState, {3, 5}).value());
  CHECK(check(third).empty());  // the newest state says that the first segment may go
  CHECK(check({third.back()}) == "records 3 to 4 are missing: older segments were removed before their time");
  Lines all = first;
  all.insert(all.end(), third.begin(), third.end());
  CHECK(check(all).empty());
}

TEST_CASE("what is wrong is said without quoting a record", "[audit]") {
  auto lines = lines_of({1, 2, 3});
  CHECK(check(lines, nullptr, std::string(kDeviceKeyBytes, 'x')) == "the log was begun with another key");
  auto removed = lines;
  removed.erase(removed.begin() + 1);
  CHECK(check(removed) == "expected record 2, got record 3: records were removed, inserted or put in another order");
  auto changed = lines;
  changed[2].replace(changed[2].find(":2,"), 3, ":9,");
  CHECK(check(changed) == "record 3 was changed");
  CHECK(check({lines[1]}) == "the log does not begin with a state record: records before this one were removed");
  CHECK(check({"Dear Ann"}) == "not a sealed record: it was changed, or put there by somebody else");
}

TEST_CASE("a head that was changed or made with another key is refused", "[audit]") {
  const Log log({1, 2});
  const auto line = log.chain.signed_head().value();
  CHECK(AuditChain(kKey).read_head(line).value().count == 3);
  auto other = line;
  other.replace(other.find("\"count\":3"), 9, "\"count\":2");
  CHECK(AuditChain(kKey).read_head(other).error().message ==
        "the head is not signed by this log's key, or was changed");
  CHECK_FALSE(AuditChain(std::string(kDeviceKeyBytes, 'x')).read_head(line).ok());
  CHECK(AuditChain(kKey).read_head("[]").error().message == "expected a head as `hearth audit head` prints it");
}
