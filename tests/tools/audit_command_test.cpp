// Goal: what `hearth audit` says of a log, and that it leaves the log alone. Method: real logs in a temporary folder.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <future>
#include <iostream>
#include <sstream>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "runtime/device/audit_log.h"
#include "runtime/net/net.h"
#include "tests/support/temp_folder.h"
#include "tools/hearth/audit_command.h"

using namespace hearth;
namespace fs = std::filesystem;
using nlohmann::json;

namespace {

struct Said {
  int code = -1;
  std::string out;
  std::string err;
};

Said audit(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), "audit");
  std::vector<char*> argv;
  for (auto& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  std::ostringstream out, err;
  auto* const out_before = std::cout.rdbuf(out.rdbuf());
  auto* const err_before = std::cerr.rdbuf(err.rdbuf());
  const int code = tool::audit_main(static_cast<int>(arguments.size()), argv.data());
  std::cout.rdbuf(out_before);
  std::cerr.rdbuf(err_before);
  return {code, out.str(), err.str()};
}

std::string text_of(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}
void put(const fs::path& file, const std::string& text) { std::ofstream(file, std::ios::binary) << text; }

struct Place {
  test::TempFolder folder;
  std::string log = folder.path() / "journal";

  void write(const std::vector<std::string>& records) const {
    const auto loop = net::make_asio_loop();
    RuntimeConfig config;
    config.journal_file = log;
    config.limits.journal_segment_mib = 1;
    config.limits.journal_segments_max = 2;
    const auto journal = device::open_audit_log(*loop, config).value();
    REQUIRE(journal->replay().ok());
    for (const auto& record : records) {
      std::promise<bool> kept;
      loop->post(
          [&] { journal->append(record, Durability::kSynced, [&](Status status) { kept.set_value(status.ok()); }); });
      REQUIRE(kept.get_future().get());
    }
  }
};

std::string egress(int request, const std::string& data_class, const std::string& region, const std::string& detected,
                   long long at_s = 4'000'000'000) {
  return R"({"kind":"egress","at_s":)" + std::to_string(at_s) + R"(,"class":")" + data_class +
         R"(","label":null,"detected":)" + detected + R"(,"endpoint":")" + region + R"(-1","region":")" + region +
         R"(","bytes":10,"request":)" + std::to_string(request) + R"(,"attempt":1,"model":"tagger"})";
}

const std::vector<std::string> kRecords = {egress(1, "public", "us", "{}"), egress(2, "phi", "eu", R"({"MRN":2})"),
                                           egress(3, "public", "eu", "null")};

}  // namespace

TEST_CASE("verify says that a good log holds and what it cannot see", "[tools][audit]") {
  const Place place;
  place.write(kRecords);
  const auto said = audit({"verify", place.log});
  CHECK(said.code == 0);
  CHECK(said.out.starts_with("holds: 4 records, 1 to 4, in 1 file(s), from 20"));
  CHECK(said.out.ends_with("note: without --head a tail that was cut off cannot be seen\n"));
  const auto facts = json::parse(audit({"verify", place.log, "--json"}).out);
  CHECK(facts.at("holds") == true);
  CHECK(facts.at("records") == 4);
  CHECK(facts.at("tail_checked") == false);
}

TEST_CASE("verify finds a changed and a removed record, and with a head a cut tail", "[tools][audit]") {
  const Place place;
  place.write(kRecords);
  const auto head = audit({"head", place.log});
  REQUIRE(head.code == 0);
  const std::string head_file = place.folder.path() / "head.json";
  put(head_file, head.out);
  CHECK(audit({"verify", place.log, "--head", head_file}).code == 0);
  const auto text = text_of(place.log);

  auto changed = text;
  changed.replace(changed.find("\"phi\""), 5, "\"pub\"");
  put(place.log, changed);
  CHECK(audit({"verify", place.log}).out == "does not hold: " + place.log + ":4: record 3 was changed\n");
  CHECK(audit({"head", place.log}).code == 1);  // a broken log's head is not signed

  auto removed = text;
  const auto line = removed.rfind('\n', removed.find("\"phi\"")) + 1;
  removed.erase(line, removed.find('\n', line) + 1 - line);
  put(place.log, removed);
  CHECK(audit({"verify", place.log}).code == 1);

  const auto cut = text.substr(0, text.rfind('\n', text.size() - 2) + 1);
  put(place.log, cut);
  CHECK(audit({"verify", place.log}).code == 0);
  const auto said = audit({"verify", place.log, "--head", head_file});
  CHECK(said.code == 1);
  CHECK(said.out == "does not hold: records 4 to 4 are missing: the head shows that the tail was cut off\n");
  CHECK(text_of(place.log) == cut);
}

TEST_CASE("a torn last line is told from tampering", "[tools][audit]") {
  const Place place;
  place.write(kRecords);
  const auto text = text_of(place.log);
  put(place.log, text + R"({"kind":"egr)");
  const auto said = audit({"verify", place.log});
  CHECK(said.code == 0);
  CHECK(said.out.find("note: the last line is torn (12 bytes): a crash") != std::string::npos);
  CHECK(text_of(place.log) == text + R"({"kind":"egr)");  // verify changes nothing
  put(place.log, text + "{\"kind\":\"egr\n");
  CHECK(audit({"verify", place.log}).code == 1);
}

TEST_CASE("a log over segments is checked across them, and what was rotated away is not missed", "[tools][audit]") {
  const Place place;
  const std::string padding(100'000, 'x');
  std::vector<std::string> records;
  for (int i = 0; i < 40; ++i) records.push_back(R"({"kind":"decision","padding":")" + padding + "\"}");
  place.write(records);
  const auto facts = json::parse(audit({"verify", place.log, "--json"}).out);
  CHECK(facts.at("holds") == true);
  CHECK(facts.at("segments") == 2);
  CHECK(facts.at("first_record") > 1);
  const auto said = audit({"prove", place.log, "--never", "class=phi", "--since", "1d"});
  CHECK(said.code == 1);
  CHECK(said.out.find("older records were rotated away") != std::string::npos);
  for (const auto& entry : fs::directory_iterator(place.folder.path()))
    if (entry.path() != place.log && entry.path().extension() != ".key") fs::remove(entry.path());
  const auto missing = audit({"verify", place.log});
  CHECK(missing.code == 1);
  CHECK(missing.out.find("older segments were removed before their time") != std::string::npos);
}

TEST_CASE("prove answers from the log: what held, what did not, and which records show it", "[tools][audit]") {
  const Place place;
  place.write(kRecords);
  CHECK(audit({"prove", place.log, "--never", "class=phi", "--region", "us"}).code == 0);
  CHECK(audit({"prove", place.log, "--never", "class=phi", "--endpoint", "us-1"}).code == 0);
  const auto said = audit({"prove", place.log, "--never", "class=phi"});
  CHECK(said.code == 1);
  CHECK(said.out == "does not hold: 1 of 3 egress records are of class=phi: records 3\n");
  const auto facts = json::parse(audit({"prove", place.log, "--never", "region=eu & model=tagger", "--json"}).out);
  CHECK(facts.at("holds") == false);
  CHECK(facts.at("offenders") == json{3, 4});
  // Text that was not understood may have held anything.
  CHECK(json::parse(audit({"prove", place.log, "--never", "detected.MRN>0", "--json"}).out).at("offenders") ==
        json{3, 4});
  CHECK(json::parse(audit({"prove", place.log, "--never", "detected.MRN>2", "--json"}).out).at("offenders") == json{4});
  CHECK(audit({"prove", place.log, "--never", "class=phy"})
            .out.find("note: no record of this log names class \"phy\": is it spelled right?") != std::string::npos);
}

TEST_CASE("an egress that was withheld did not leave, and ids that begin anew do not excuse an older one",
          "[tools][audit]") {
  const Place place;
  const std::string withheld = R"({"kind":"withheld","at_s":4000000000,"bytes":10,"request":2,"attempt":1})";
  place.write({egress(2, "phi", "eu", "{}"), withheld});
  CHECK(audit({"prove", place.log, "--never", "class=phi"}).code == 0);
  place.write({egress(2, "phi", "eu", "{}"), egress(2, "public", "eu", "{}"), withheld});
  CHECK(audit({"prove", place.log, "--never", "class=phi"}).code == 1);
}

TEST_CASE("prove asks no more of the log than it reaches back for", "[tools][audit]") {
  const Place place;
  place.write({egress(1, "phi", "eu", "{}", 1000)});  // long ago
  CHECK(audit({"prove", place.log, "--never", "class=phi"}).code == 1);
  const auto said = audit({"prove", place.log, "--never", "class=phi", "--since", "90d"});
  CHECK(said.code == 1);
  CHECK(said.out.find(": it was begun then\n") != std::string::npos);
}

TEST_CASE("prove gives no answer from a log that does not hold", "[tools][audit]") {
  const Place place;
  place.write(kRecords);
  auto text = text_of(place.log);
  text.replace(text.find("\"phi\""), 5, "\"pub\"");
  put(place.log, text);
  const auto said = audit({"prove", place.log, "--never", "class=phi"});
  CHECK(said.code == 1);
  CHECK(said.out.starts_with("cannot be answered: the log does not hold: "));
}

TEST_CASE("bad input to audit is one line and exit code 2", "[tools][audit]") {
  const Place place;
  place.write(kRecords);
  const std::string other = place.folder.path() / "letter";
  put(other, "Dear Ann, how have you been?\n");
  const std::string key = place.log + ".key";
  struct Case {
    std::vector<std::string> arguments;
    std::string message;
  };
  const std::vector<Case> cases = {
      {{"verify", "/nowhere"}, "/nowhere: no such file"},
      {{"verify", place.folder.path()}, place.folder.path().string() + ": is a folder, expected an audit log"},
      {{"verify", other, "--key", key}, other + ": not an audit log: it does not begin as one"},
      {{"verify", place.log, "--key", other}, other + ": expected an audit key of 32 bytes, got 29"},
      {{"verify", place.log, "--key", "/nowhere"},
       "/nowhere: the audit key is missing; without it the log cannot be checked"},
      {{"verify", place.log, "--head", other}, "expected a head as `hearth audit head` prints it"},
      {{"prove", place.log, "--never", "phi"},
       "--never: expected ATTRIBUTE=VALUE or detected.TYPE>0, joined by &; got \"phi\""},
      {{"prove", place.log, "--never", "clas=phi"},
       "--never: expected one of class, model, label, region, endpoint, detected.TYPE; got \"clas\" (did you mean "
       "\"class\"?)"},
      {{"prove", place.log, "--never", "class>=phi"},
       "--never: expected class=VALUE: a log knows no order of class values"},
      {{"prove", place.log, "--never", "class="}, "--never: expected a value after class="},
      {{"prove", place.log, "--never", "detected.MRN=1"},
       "--never: expected detected.MRN>0, or another whole number; got \"detected.MRN=1\""},
      {{"prove", place.log, "--never", "class=phi", "--since", "ever"},
       "--since: expected a number from 1 to 100000 and d, h, m or s, as in 90d; got \"ever\""},
  };
  for (const auto& one : cases) {
    const auto said = audit(one.arguments);
    CHECK(said.code == 2);
    CHECK(said.out.empty());
    CHECK(said.err == "hearth audit: " + one.message + "\n");
  }
  CHECK(audit({}).code == 2);
}
