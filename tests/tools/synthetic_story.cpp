#include "tests/tools/synthetic_story.h"

#include <hearth/random.h>

#include "runtime/base/digest.h"
#include "runtime/base/json_reader.h"

namespace hearth::tool {
namespace {

Outcome base_outcome(const Arrival& arrival, float confidence, RequestId id) {
  Outcome outcome;
  outcome.id = id;
  outcome.status = OutcomeStatus::kServed;
  outcome.model = "fashion";
  outcome.confidence = confidence;
  outcome.data_class = name_of(arrival.photo_class);
  outcome.policy_sha256 = sha256_hex("policy");
  outcome.deadline = from_ms(250);
  return outcome;
}

void answer(Served& one, bool correct, double latency_ms, bool cloud) {
  one.correct = correct;
  one.answer = correct ? 1 : 2;
  one.latency = from_ms(latency_ms);
  one.in_time = latency_ms <= 250;
  one.outcome.served_on = cloud ? "cloud" : "edge";
  one.outcome.latency = one.latency;
  one.outcome.deadline_met = one.in_time;
  one.outcome.bytes_sent = cloud ? 3'700 : 0;
}

}  // namespace

Story synthetic_story(std::uint64_t images, bool kill) {
  Story story;
  story.spec.images = images;
  std::vector<std::string> hashes;
  for (std::uint64_t i = 0; i < images; ++i) hashes.push_back(sha256_hex(std::to_string(i)));
  story.arrivals = generate_arrivals(story.spec, hashes);
  story.labels = {"T-shirt/top", "Trouser", "Pullover"};
  story.truth.assign(images, 1);
  story.edge_only.name = "edge_only";
  story.cloud_only.name = "cloud_only";
  story.hearth.name = "hearth";
  story.threshold = 0.8;
  story.policy_name = "demo <&>";
  story.policy_sha256 = sha256_hex("policy");
  story.link = "60 ms round trip, 10 Mbit/s each way, 1 % errors";
  story.machine = "Synthetic CPU, 2 cores";
  story.version = "0.0";
  for (int i = 0; i <= 50; ++i) {
    const double share = i / 50.0;
    story.curve.push_back({share, share * share, 0.88 + 0.04 * (1 - (1 - share) * (1 - share))});
  }
  RandomStream random(3, "synthetic");
  if (kill) story.killed_at_s = to_ms(story.arrivals[images / 2].at) / 1e3;
  for (std::uint32_t i = 0; i < images; ++i) {
    const Arrival& arrival = story.arrivals[i];
    const auto confidence = static_cast<float>(1 - 0.88 * random.uniform() * random.uniform() * random.uniform());
    const bool edge_right = random.uniform() < confidence;
    const bool cloud_right = random.uniform() < 0.92;
    const double edge_ms = random.lognormal(0.4, 0.5), cloud_ms = 62 + random.lognormal(12, 0.7);
    Served one;
    one.arrival = i;
    one.submitted = arrival.at;
    one.outcome = base_outcome(arrival, confidence, i);
    one.outcome.mask = Mask::edge_only();
    one.outcome.reason = Reason::kLocalByDefault;
    answer(one, edge_right, edge_ms, false);
    story.edge_only.served.push_back(one);
    one.outcome.mask = Mask::all(1);
    one.outcome.reason = Reason::kCloudAnswered;
    answer(one, cloud_right, cloud_ms, true);
    story.cloud_only.served.push_back(one);
    one.outcome.mask = arrival.stays == Stays::kNo ? Mask::all(1) : Mask::edge_only();
    const bool ask = one.outcome.mask.has_cloud() && confidence < 0.8F;
    const bool gone = kill && i >= images / 2;
    if (!one.outcome.mask.has_cloud()) one.outcome.permit_rule = "class:" + one.outcome.data_class;
    one.outcome.reason = ask                            ? gone ? Reason::kCloudUnhealthy : Reason::kCloudAnswered
                         : one.outcome.mask.has_cloud() ? Reason::kLocalConfident
                                                        : Reason::kLocalOnlyPermitted;
    answer(one, ask && !gone ? cloud_right : edge_right, ask && !gone ? cloud_ms : edge_ms, ask && !gone);
    story.hearth.served.push_back(one);
  }
  return story;
}

}  // namespace hearth::tool
