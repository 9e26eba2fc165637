#include "tools/hearth/workload.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <map>
#include <numeric>

#include <hearth/random.h>

#include "runtime/base/json_reader.h"

namespace hearth::tool {
namespace {

constexpr double kRateMin = 1, kRateMax = 5'000;
constexpr double kDeadlineMsMin = 1, kDeadlineMsMax = 60'000;
constexpr double kPhaseSecondsMax = 600;

std::string number(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%g", value);
  return text;
}

bool within(double value, double min, double max) { return value >= min && value <= max; }  // false for NaN

/// Picks by 'one of' without copying the list.
template <class List>
const auto& pick(RandomStream& random, const List& list) {
  return list[random.below(list.size())];
}

std::string token(RandomStream& random, std::size_t length, std::string_view alphabet) {
  std::string out(length, ' ');
  for (char& c : out) c = alphabet[random.below(alphabet.size())];
  return out;
}

std::string digits(RandomStream& random, std::size_t length) { return token(random, length, "0123456789"); }

/// A canary looks like nothing a detector knows, so it tests the mask and not the detector.
std::string make_canary(RandomStream& random) { return "q" + token(random, 15, "bcdfghjkmnpqrstvwxz"); }

/// A test number of a card scheme's length with a right check digit (Luhn, ISO/IEC 7812-1 annex B).
std::string card_number(RandomStream& random) {
  std::string number = "4" + digits(random, 14);
  int sum = 0;
  for (std::size_t i = 0; i < number.size(); ++i) {
    int digit = number[i] - '0';
    if (i % 2 == 0) digit = digit * 2 > 9 ? digit * 2 - 9 : digit * 2;
    sum += digit;
  }
  number += static_cast<char>('0' + (10 - sum % 10) % 10);
  return number.substr(0, 4) + " " + number.substr(4, 4) + " " + number.substr(8, 4) + " " + number.substr(12);
}

constexpr std::array<std::string_view, 8> kProducts = {
    "New arrival, worn once",          "Summer collection, two sizes left", "Studio shot for the catalogue",
    "Back in stock on Monday",         "Lining is cotton, colour is grey",  "Seen from the front, true to size",
    "Sample of the autumn collection", "Two for one until the weekend"};
constexpr std::array<std::string_view, 6> kPersonalMoments = {"From our trip to the lake", "Birthday at home",
                                                              "The kids after school",     "First day in the new flat",
                                                              "Grandpa's favourite one",   "Our wedding, second day"};
constexpr std::array<std::string_view, 5> kSensitiveNotes = {"Ward photo before surgery", "For the dermatologist only",
                                                             "Taken at the clinic this morning",
                                                             "Evidence, case file sealed", "Wound check, day three"};

std::string personal_detail(RandomStream& random) {
  switch (random.below(3)) {
    case 0:
      return "write to " + token(random, 6, "abcdefghiklmnoprstuvwy") + digits(random, 2) + "@example.org";
    case 1:
      return "call +1 202 555 01" + digits(random, 2);
    default:
      return "paid with card " + card_number(random);
  }
}

void write_caption(const WorkloadSpec& spec, bool has_twin, RandomStream& random, Arrival& arrival) {
  const double caption_draw = random.uniform();
  const double detail_draw = random.uniform();
  switch (arrival.photo_class) {
    case PhotoClass::kSensitive:
      if (caption_draw >= spec.sensitive_captions) return;
      arrival.canary = make_canary(random);
      arrival.caption = std::string(pick(random, kSensitiveNotes)) + ", ref " + arrival.canary;
      return;
    case PhotoClass::kPersonal:
      if (caption_draw >= spec.personal_captions) return;
      arrival.canary = make_canary(random);
      arrival.caption = std::string(pick(random, kPersonalMoments)) + ", ref " + arrival.canary;
      return;
    case PhotoClass::kPublic:
      break;
  }
  if (caption_draw >= spec.public_captions) return;
  arrival.caption = pick(random, kProducts);
  if (has_twin) return;
  const double personal = spec.captions_with_personal_data;
  if (detail_draw < personal) {
    arrival.stays = Stays::kPersonalCaption;
    arrival.caption += ", " + personal_detail(random);
  } else if (detail_draw < personal + spec.captions_with_clinical_terms) {
    arrival.stays = Stays::kClinicalCaption;
    arrival.caption += ", " + pick(random, spec.clinical_terms) + " " + digits(random, 6);
  } else {
    return;
  }
  arrival.canary = make_canary(random);
  arrival.caption += ", ref " + arrival.canary;
}

void shuffle(std::vector<std::uint32_t>& order, RandomStream& random) {
  for (std::size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[random.below(i)]);
}

/// Exact shares of a shuffled list, then every group of equal photos raised to its most restrictive member.
std::vector<PhotoClass> draw_classes(const WorkloadSpec& spec, std::span<const std::string> photo_sha256,
                                     std::map<std::string_view, unsigned>& copies) {
  std::vector<std::uint32_t> order(spec.images);
  std::iota(order.begin(), order.end(), 0u);
  RandomStream random(spec.seed, "workload.classes");
  shuffle(order, random);
  const auto images = static_cast<double>(spec.images);
  const auto public_count = static_cast<std::size_t>(std::llround(images * spec.public_share));
  const auto personal_end = static_cast<std::size_t>(std::llround(images * (spec.public_share + spec.personal_share)));
  std::vector<PhotoClass> classes(spec.images, PhotoClass::kSensitive);
  for (std::size_t i = 0; i < order.size() && i < personal_end; ++i) {
    classes[order[i]] = i < public_count ? PhotoClass::kPublic : PhotoClass::kPersonal;
  }
  std::map<std::string_view, PhotoClass> strictest;
  for (std::size_t i = 0; i < classes.size(); ++i) {
    ++copies[photo_sha256[i]];
    PhotoClass& group = strictest.try_emplace(photo_sha256[i], classes[i]).first->second;
    group = std::max(group, classes[i]);
  }
  for (std::size_t i = 0; i < classes.size(); ++i) classes[i] = strictest[photo_sha256[i]];
  return classes;
}

void read_classes(JsonReader& classes, WorkloadSpec& spec) {
  classes.require({"public", "personal", "sensitive"});
  classes.object("public", [&](JsonReader& entry) {
    entry.require({"share"});
    entry.read("share", spec.public_share, 0, 1);
    entry.read("captions", spec.public_captions, 0, 1);
    entry.read("captions_with_personal_data", spec.captions_with_personal_data, 0, 1);
    entry.read("captions_with_clinical_terms", spec.captions_with_clinical_terms, 0, 1);
    entry.finish();
  });
  classes.object("personal", [&](JsonReader& entry) {
    entry.require({"share"});
    entry.read("share", spec.personal_share, 0, 1);
    entry.read("captions", spec.personal_captions, 0, 1);
    entry.finish();
  });
  classes.object("sensitive", [&](JsonReader& entry) {
    entry.require({"share"});
    entry.read("share", spec.sensitive_share, 0, 1);
    entry.read("captions", spec.sensitive_captions, 0, 1);
    entry.read("unlabelled", spec.sensitive_unlabelled, 0, 1);
    entry.finish();
  });
  classes.finish();
}

}  // namespace

std::string_view name_of(PhotoClass photo_class) {
  switch (photo_class) {
    case PhotoClass::kPublic:
      return "public";
    case PhotoClass::kPersonal:
      return "personal";
    case PhotoClass::kSensitive:
      return "sensitive";
  }
  return "";
}

std::string_view name_of(Stays stays) {
  switch (stays) {
    case Stays::kNo:
      return "may_leave";
    case Stays::kPersonalPhoto:
      return "personal_photo";
    case Stays::kSensitivePhoto:
      return "sensitive_photo";
    case Stays::kPersonalCaption:
      return "personal_data_in_caption";
    case Stays::kClinicalCaption:
      return "clinical_term_in_caption";
  }
  return "";
}

Result<WorkloadSpec> load_workload(const std::string& file) {
  auto document = JsonDocument::read_file(file);
  if (!document) return document.error();
  WorkloadSpec spec;
  Problems problems;
  JsonReader reader(*document.value(), document.value()->root(), "", problems);
  std::uint64_t version = 1;
  reader.require({"version", "classes"});
  reader.read("version", version, 1, 1);
  reader.read("name", spec.name);
  reader.read("images", spec.images, 1, kImagesMax);
  reader.read("seed", spec.seed, 0, UINT64_MAX);
  reader.read("deadline_ms", spec.deadline_ms, kDeadlineMsMin, kDeadlineMsMax);
  reader.object("arrivals", [&](JsonReader& arrivals) {
    std::size_t process = 0;
    arrivals.read_choice("process", process, {"poisson"});
    arrivals.read("rate_per_s", spec.rate_per_s, kRateMin, kRateMax);
    arrivals.finish();
  });
  reader.object("classes", [&](JsonReader& classes) { read_classes(classes, spec); });
  reader.read("clinical_terms", spec.clinical_terms);
  reader.finish();
  if (problems.empty()) {
    if (const auto status = check_workload(spec); !status) reader.problem("", status.error().message);
  }
  if (!problems.empty()) return problems.as_error();
  return spec;
}

Status check_workload(const WorkloadSpec& spec) {
  const auto refuse = [](std::string message) { return Status(ErrorCode::kInvalidArgument, std::move(message)); };
  if (spec.images < 1 || spec.images > kImagesMax) {
    return refuse("requests is " + std::to_string(spec.images) +
                  ", expected 1 to 10000 (each test photo arrives once)");
  }
  if (!within(spec.rate_per_s, kRateMin, kRateMax)) {
    return refuse("rate_per_s is " + number(spec.rate_per_s) + ", expected 1 to 5000");
  }
  if (!within(spec.deadline_ms, kDeadlineMsMin, kDeadlineMsMax)) {
    return refuse("deadline_ms is " + number(spec.deadline_ms) + ", expected 1 to 60000");
  }
  const double seconds = static_cast<double>(spec.images) / spec.rate_per_s;
  if (seconds > kPhaseSecondsMax) {
    return refuse(std::to_string(spec.images) + " requests at " + number(spec.rate_per_s) + "/s take " +
                  number(seconds) + " s per mode, expected at most 600 s");
  }
  const double sum = spec.public_share + spec.personal_share + spec.sensitive_share;
  if (!within(sum, 1 - 1e-6, 1 + 1e-6)) { return refuse("the class shares add up to " + number(sum) + ", expected 1"); }
  if (spec.captions_with_personal_data + spec.captions_with_clinical_terms > 1) {
    return refuse("captions_with_personal_data and captions_with_clinical_terms add up to more than 1");
  }
  if (spec.captions_with_clinical_terms > 0 && spec.clinical_terms.empty()) {
    return refuse("captions_with_clinical_terms is above 0 but clinical_terms is empty");
  }
  return Done{};
}

std::vector<Arrival> generate_arrivals(const WorkloadSpec& spec, std::span<const std::string> photo_sha256) {
  std::map<std::string_view, unsigned> copies;
  const auto classes = draw_classes(spec, photo_sha256, copies);
  std::vector<std::uint32_t> order(spec.images);
  std::iota(order.begin(), order.end(), 0u);
  RandomStream order_random(spec.seed, "workload.order");
  shuffle(order, order_random);

  RandomStream gaps(spec.seed, "workload.arrivals");
  RandomStream captions(spec.seed, "workload.captions");
  RandomStream labels(spec.seed, "workload.labels");
  std::vector<Arrival> arrivals;
  arrivals.reserve(spec.images);
  double at_s = 0;
  for (const std::uint32_t photo : order) {
    at_s += gaps.exponential(1 / spec.rate_per_s);
    Arrival arrival;
    arrival.photo = photo;
    arrival.at = from_ms(at_s * 1e3);
    arrival.photo_class = classes[photo];
    arrival.label = name_of(arrival.photo_class);
    if (arrival.photo_class == PhotoClass::kPersonal) arrival.stays = Stays::kPersonalPhoto;
    if (arrival.photo_class == PhotoClass::kSensitive) {
      arrival.stays = Stays::kSensitivePhoto;
      if (labels.uniform() < spec.sensitive_unlabelled) arrival.label.clear();
    }
    write_caption(spec, copies[photo_sha256[photo]] > 1, captions, arrival);
    arrivals.push_back(std::move(arrival));
  }
  return arrivals;
}

}  // namespace hearth::tool
