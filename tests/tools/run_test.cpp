// `hearth run` from its flags to its files, with a small pair that needs no training.
#include <sys/wait.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

namespace {

namespace fs = std::filesystem;

const fs::path& folder() {
  static const fs::path made = [] {
    const fs::path path = fs::temp_directory_path() / "hearth_run_test";
    fs::remove_all(path);
    fs::create_directories(path);
    REQUIRE(std::system((std::string(HEARTH_MAKE_PHOTO_PAIR) + " " + (path / "models").string()).c_str()) == 0);
    return path;
  }();
  return made;
}

std::string text_of(const fs::path& file) {
  std::ifstream in(file);
  return std::string(std::istreambuf_iterator<char>(in), {});
}

struct Ran {
  int code = 0;
  std::string out, err;
};

/// The command with the small pair; the deadline is long, since a sanitizer's build is slow.
Ran hearth_run(const std::string& flags, const std::string& models = "models") {
  const std::string out = (folder() / "stdout").string(), err = (folder() / "stderr").string();
  const std::string command = std::string(HEARTH_PROGRAM) + " run --models " + (folder() / models).string() + " " +
                              flags + " >" + out + " 2>" + err;
  const int status = std::system(command.c_str());
  return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, text_of(out), text_of(err)};
}

std::string results(const std::string& name) { return (folder() / name).string(); }

}  // namespace

TEST_CASE("the job runs end to end: nothing sensitive leaves, nothing fails, planted leaks are seen, the cloud dies") {
  const Ran ran = hearth_run(
      "--requests 200 --rate 400 --deadline-ms 5000 --kill-cloud-at 0.5 --plant-leak --json --out " + results("whole"));
  INFO(ran.err);
  REQUIRE(ran.code == 0);
  const auto summary = nlohmann::json::parse(ran.out);  // nothing but JSON on standard output
  CHECK(summary["requests"] == 200);
  CHECK(summary["failed"] == 0);
  CHECK(summary["sensitive_left"] == 0);
  CHECK(summary["must_stay_bytes_sent"] == 0);
  CHECK(summary["planted_leaks_sent"] == 4);
  CHECK(summary["planted_leaks_seen"] == 4);
  CHECK(summary["sensitive_requests"] == 30);  // 15 % of 200
  CHECK(summary["cloud_killed_at_s"].is_number());
  // The baseline ignores the policy, so the tripwire has to ring there; on a slow machine not for each photo, since a
  // cloud that answers too late is left alone for a while.
  CHECK(summary["tripwire"]["cloud_only"]["photos"] > 0);
  CHECK(summary["tripwire"]["cloud_only"]["photos"] <= summary["must_stay_requests"]);
  CHECK(text_of(folder() / "whole/summary.json") == ran.out);

  std::ifstream lines(folder() / "whole/requests.jsonl");
  std::map<std::string, int> modes;
  for (std::string line; std::getline(lines, line);) ++modes[nlohmann::json::parse(line)["mode"].get<std::string>()];
  CHECK(modes == std::map<std::string, int>{{"edge_only", 200}, {"cloud_only", 200}, {"hearth", 200}});
  CHECK(text_of(folder() / "whole/report.html").find("</html>") != std::string::npos);
}

TEST_CASE("the table goes to standard output and says what each row was measured on") {
  const Ran ran = hearth_run("--requests 60 --rate 400 --deadline-ms 5000 --out " + results("table"));
  INFO(ran.err);
  REQUIRE(ran.code == 0);
  CHECK(ran.out.find("The same 60 photos and arrivals three times") != std::string::npos);
  CHECK(ran.out.find("nothing that must stay left") != std::string::npos);
}

TEST_CASE("what hearth's turn learned is kept, and one that is broken is told of and made anew") {
  const std::string file = results("learned.json");
  const std::string flags = "--requests 60 --rate 400 --deadline-ms 5000 --json --profile " + file + " --out ";
  std::ofstream(file) << "{";
  for (const bool broken : {true, false}) {
    const Ran ran = hearth_run(flags + results("learned"));
    INFO(ran.err);
    REQUIRE(ran.code == 0);
    const auto summary = nlohmann::json::parse(ran.out);
    const std::string warnings = summary.contains("warnings") ? summary["warnings"].dump() : "";
    CHECK((warnings.find("the profile is broken") != std::string::npos) == broken);
    const auto learned = nlohmann::json::parse(text_of(file));
    CHECK(learned["edge"][0]["model_sha256"] == summary["edge_model_sha256"]);
    CHECK(learned["cloud"][0]["endpoint"] == "cloud");
    CHECK(learned["cloud"][0]["rows"][0]["samples"] > 0);
  }
}

TEST_CASE("bad input ends with code 2 and one line, and writes nothing") {
  const std::map<std::string, std::string> refusals = {
      {"--requests 0", "hearth run: requests is 0, expected 1 to 10000"},
      {"--rate nan", "hearth run: rate_per_s is nan"},
      {"--kill-cloud-at 1.5", "hearth run: --kill-cloud-at: expected a share"},
      {"--requests -5", "--requests"},
      {"--workload /nowhere.json", "hearth run: /nowhere.json: "},
      {"--policy /nowhere.json", "hearth run: /nowhere.json: "},
      {"--stub-config /nowhere.json --requests 10", "hearth run: hearth-cloud-stub: "},
      {"--requests 10 --profile /nowhere/p.json", "hearth run: /nowhere/p.json: cannot be written"},
      {"--bogus", "--bogus"}};
  for (const auto& [flags, expected] : refusals) {
    INFO(flags);
    const Ran ran = hearth_run(flags + " --out " + results("refused"));
    CHECK(ran.code == 2);
    CHECK(ran.out.empty());
    INFO(ran.err);
    CHECK(ran.err.find(expected) != std::string::npos);
    CHECK_FALSE(fs::exists(results("refused")));
  }
}

TEST_CASE("a model file that is not what its pair names is refused, with its name") {
  fs::copy(folder() / "models", folder() / "spoilt", fs::copy_options::recursive);
  std::ofstream(folder() / "spoilt/edge.pt") << "not a model";
  const Ran ran = hearth_run("--requests 10 --out " + results("refused"), "spoilt");
  CHECK(ran.code == 2);
  CHECK(ran.err.find("spoilt/edge.pt: its SHA-256 is") != std::string::npos);
}
