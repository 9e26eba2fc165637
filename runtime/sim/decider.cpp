#include "runtime/sim/decider.h"

#include <utility>

#include "runtime/cloud/codec.h"

namespace hearth::sim {
namespace {

/// What would be there without a byte of payload, but for its size in digits.
std::uint64_t envelope_of(const ModelPair& pair) {
  if (pair.cloud.model.empty()) return 0;
  Request request;
  request.model = pair.name;
  request.text = pair.cloud.api == CloudApi::kInfer ? "" : "x";
  std::uint64_t payload = request.text.size();
  for (const auto& spec : pair.edge.inputs) {
    Tensor tensor{spec.name, spec.datatype, spec.shape, {}};
    tensor.data.resize(sizeof(float) * (element_count(spec.shape).value_or(0)));
    payload += tensor.data.size();
    request.inputs.push_back(std::move(tensor));
  }
  const auto message = cloud::encode(pair.cloud, Endpoint{}, request, std::string(32, '0'), std::chrono::seconds(1));
  return message.body.size() - payload;
}

std::shared_ptr<const privacy::Rules> rules_of(const RuntimeConfig& config,
                                               std::shared_ptr<const policies::Policy> policy) {
  std::vector<policies::EndpointFacts> facts;
  for (const auto& endpoint : config.endpoints) facts.push_back({endpoint.name, endpoint.region});
  return std::make_shared<privacy::Rules>(std::move(policy), facts, "simulated");
}

}  // namespace

Rulebook::Rulebook(const RuntimeConfig& with, std::shared_ptr<const policies::Policy> policy)
    : config(with), rules(rules_of(with, std::move(policy))) {
  for (const auto& pair : config.models) envelope_bytes.push_back(envelope_of(pair));
}

Decider::Decider(std::shared_ptr<const Rulebook> book, Consent consent)
    : book_(std::move(book)),
      guard_(book_->rules, book_->config.endpoints, book_->config.limits.sessions_max),
      scheduler_(book_->config) {
  guard_.set_consent(consent);
  guard_.take_records();
}

privacy::Moment Decider::moment_at(const DeviceState& device, TimePoint now) {
  const WallTime wall(std::chrono::floor<std::chrono::seconds>(now.time_since_epoch()));
  return {device, wall, wall};
}

Decider::Admitted Decider::admit(const Asked& asked, const DeviceState& device, TimePoint now, Actions& actions) {
  Admitted admitted{guard_.judge(asked.subject, guard_.classify(asked.subject), moment_at(device, now)), {}};
  guard_.take_records();
  const auto& preference = admitted.judgement.preference;
  const ModelPair& pair = book_->config.models[asked.model];
  admitted.deadline = asked.deadline.value_or(preference.deadline.value_or(book_->config.default_deadline));

  scheduler::Submitted submitted{};
  submitted.id = asked.id;
  submitted.mask = admitted.judgement.mask;
  if (pair.cloud.model.empty()) submitted.mask = submitted.mask & Mask::edge_only();
  submitted.plan = preference.plan;
  submitted.confidence_below = preference.confidence_below;
  submitted.deadline = admitted.deadline;
  submitted.on_caller = asked.on_caller;
  submitted.priority = asked.priority;
  submitted.idempotent = asked.idempotent;
  submitted.attempts_max = preference.attempts_max;
  submitted.objective = preference.objective;
  submitted.model = asked.model;
  submitted.payload_bytes = asked.subject.payload_bytes;
  submitted.offline = device.network == NetworkKind::kOffline;
  scheduler_.step(submitted, now, actions);
  return admitted;
}

Status Decider::permit(privacy::Judgement& judgement, const privacy::Subject& subject, SiteId site,
                       std::uint64_t body_bytes, bool spends, const DeviceState& device, TimePoint now) {
  return guard_.rehearse(judgement, subject, site, body_bytes, spends, moment_at(device, now));
}

}  // namespace hearth::sim
