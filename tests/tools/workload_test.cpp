#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>

#include <catch2/catch.hpp>

#include "runtime/base/digest.h"
#include "runtime/base/json_reader.h"
#include "tools/hearth/workload.h"

using namespace hearth;
using namespace hearth::tool;

namespace {

std::vector<std::string> distinct_hashes(std::size_t count) {
  std::vector<std::string> hashes;
  for (std::size_t i = 0; i < count; ++i) hashes.push_back(sha256_hex(std::to_string(i)));
  return hashes;
}

/// The error of loading `text` as workload.json, its folder cut away.
std::string refusal_of(const std::string& text) {
  const auto folder = std::filesystem::temp_directory_path() / "hearth_workload_test";
  std::filesystem::create_directories(folder);
  const std::string file = (folder / "workload.json").string();
  std::ofstream(file) << text;
  const auto spec = load_workload(file);
  if (spec) return "";
  std::string message = spec.error().message;
  for (std::size_t at; (at = message.find(folder.string() + "/")) != std::string::npos;) {
    message.erase(at, folder.string().size() + 1);
  }
  return message;
}

std::string classes(const std::string& shares) { return R"({"version": 1, "classes": )" + shares + "}"; }
const std::string kFair = R"({"public": {"share": 0.6}, "personal": {"share": 0.25}, "sensitive": {"share": 0.15}})";

}  // namespace

TEST_CASE("the shipped workload is the one the main job is described with") {
  const auto spec = load_workload("configs/workloads/demo.json");
  REQUIRE(spec);
  CHECK(spec.value().images == 10'000);
  CHECK(spec.value().rate_per_s == 250);
  CHECK(spec.value().deadline_ms == 250);
  CHECK(spec.value().public_share == 0.60);
  CHECK(spec.value().personal_share == 0.25);
  CHECK(spec.value().sensitive_share == 0.15);
}

TEST_CASE("class shares that do not add up to one are refused with their sum") {
  CHECK(refusal_of(classes(R"({"public": {"share": 0.6}, "personal": {"share": 0.25}, "sensitive": {"share": 0.25}})"))
            .find("workload.json:1:1: ") == 0);
  CHECK(refusal_of(classes(R"({"public": {"share": 0.6}, "personal": {"share": 0.25}, "sensitive": {"share": 0.25}})"))
            .find("the class shares add up to 1.1, expected 1") != std::string::npos);
}

TEST_CASE("every problem of a workload file comes in one error, with its place and path") {
  const std::string message =
      refusal_of("{\"version\": 1,\n\"images\": 0,\n\"deadline\": 5,\n\"classes\": " + kFair + "}");
  CHECK(message.find("workload.json:2:11: /images:") != std::string::npos);
  CHECK(message.find("workload.json:3:13: /deadline:") != std::string::npos);
  CHECK(message.find("deadline_ms") != std::string::npos);  // the nearest valid key
}

TEST_CASE("a workload file needs its classes, and shares within 0 and 1") {
  CHECK(refusal_of(R"({"version": 1})").find("classes") != std::string::npos);
  CHECK(refusal_of(classes(R"({"public": {"share": 1.5}, "personal": {"share": 0}, "sensitive": {"share": 0}})"))
            .find("/classes/public/share") != std::string::npos);
  CHECK(refusal_of("{").find("workload.json:1") == 0);
  CHECK(refusal_of(classes(kFair)).empty());
}

TEST_CASE("absurd values from flags are refused in one line that names the bounds") {
  WorkloadSpec spec;
  const auto message = [&] { return check_workload(spec).error().message; };
  REQUIRE(check_workload(spec));
  spec.images = 0;
  CHECK(message() == "requests is 0, expected 1 to 10000 (each test photo arrives once)");
  spec.images = 20'000;
  CHECK(message() == "requests is 20000, expected 1 to 10000 (each test photo arrives once)");
  spec = {};
  spec.rate_per_s = std::numeric_limits<double>::quiet_NaN();
  CHECK(message() == "rate_per_s is nan, expected 1 to 5000");
  spec.rate_per_s = 2;
  CHECK(message() == "10000 requests at 2/s take 5000 s per mode, expected at most 600 s");
  spec = {};
  spec.deadline_ms = -1;
  CHECK(message() == "deadline_ms is -1, expected 1 to 60000");
  spec = {};
  spec.clinical_terms.clear();
  CHECK(message() == "captions_with_clinical_terms is above 0 but clinical_terms is empty");
}

TEST_CASE("the same seed gives the same arrivals, another seed others") {
  WorkloadSpec spec;
  spec.images = 500;
  const auto hashes = distinct_hashes(500);
  const auto once = generate_arrivals(spec, hashes), again = generate_arrivals(spec, hashes);
  spec.seed = 2;
  const auto other = generate_arrivals(spec, hashes);
  const auto same = [](const Arrival& a, const Arrival& b) {
    return a.photo == b.photo && a.at == b.at && a.label == b.label && a.caption == b.caption && a.canary == b.canary;
  };
  CHECK(std::equal(once.begin(), once.end(), again.begin(), again.end(), same));
  CHECK_FALSE(std::equal(once.begin(), once.end(), other.begin(), other.end(), same));
}

TEST_CASE("class shares are exact, and each photo arrives once, in order of time") {
  WorkloadSpec spec;
  spec.images = 2'000;
  const auto arrivals = generate_arrivals(spec, distinct_hashes(2'000));
  std::map<PhotoClass, int> counts;
  std::set<std::uint32_t> photos;
  for (const Arrival& arrival : arrivals) {
    ++counts[arrival.photo_class];
    photos.insert(arrival.photo);
  }
  CHECK(counts[PhotoClass::kPublic] == 1'200);   // 60 % of 2,000
  CHECK(counts[PhotoClass::kPersonal] == 500);   // 25 %
  CHECK(counts[PhotoClass::kSensitive] == 300);  // 15 %
  CHECK(photos.size() == 2'000);
  CHECK(std::is_sorted(arrivals.begin(), arrivals.end(), [](auto& a, auto& b) { return a.at < b.at; }));
  // 2,000 exponential gaps of mean 4 ms: 8 s, standard deviation 8 s / sqrt(2000) = 0.18 s.
  CHECK(to_ms(arrivals.back().at) == Approx(8'000).margin(4 * 180));
}

TEST_CASE("photos with the same bytes share the most restrictive class, and no caption tells them apart") {
  WorkloadSpec spec;
  spec.images = 1'000;
  spec.public_captions = spec.captions_with_personal_data = 1;
  spec.captions_with_clinical_terms = 0;
  auto hashes = distinct_hashes(1'000);
  for (std::size_t i = 0; i + 1 < 1'000; i += 2) hashes[i + 1] = hashes[i];  // 500 pairs of twins
  std::map<std::string, std::set<Stays>> stays;
  int sensitive = 0;
  for (const Arrival& arrival : generate_arrivals(spec, hashes)) {
    stays[hashes[arrival.photo]].insert(arrival.stays);
    sensitive += arrival.photo_class == PhotoClass::kSensitive ? 1 : 0;
  }
  for (const auto& [hash, kinds] : stays) CHECK(kinds.size() == 1);
  // A pair is sensitive unless both draws were not: 1 - 0.85^2 = 0.2775, against 0.15 for single photos.
  CHECK(sensitive == Approx(277.5).margin(60));
}

TEST_CASE("every caption that must stay has a canary of its own, and no other caption has one") {
  WorkloadSpec spec;
  spec.images = 3'000;
  std::set<std::string> canaries;
  std::map<Stays, int> kinds;
  for (const Arrival& arrival : generate_arrivals(spec, distinct_hashes(3'000))) {
    ++kinds[arrival.stays];
    const bool marked = arrival.stays != Stays::kNo && !arrival.caption.empty();
    CHECK(arrival.canary.empty() == !marked);
    if (!marked) continue;
    CHECK(arrival.caption.find(arrival.canary) != std::string::npos);
    CHECK(canaries.insert(arrival.canary).second);
  }
  // 1,800 public photos, 30 % with a caption, 15 % and 5 % of those: 81 and 27 expected, 4 sigma is 35 and 21.
  CHECK(kinds[Stays::kPersonalCaption] == Approx(81).margin(35));
  CHECK(kinds[Stays::kClinicalCaption] == Approx(27).margin(21));
}

TEST_CASE("only sensitive photos ever lack their label") {
  WorkloadSpec spec;
  spec.images = 2'000;
  int unlabelled = 0;
  for (const Arrival& arrival : generate_arrivals(spec, distinct_hashes(2'000))) {
    if (!arrival.label.empty()) {
      CHECK(arrival.label == name_of(arrival.photo_class));
      continue;
    }
    CHECK(arrival.photo_class == PhotoClass::kSensitive);
    ++unlabelled;
  }
  CHECK(unlabelled == Approx(30).margin(21));  // 10 % of 300, 4 sigma
}
