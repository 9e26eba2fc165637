#include "tools/simulate/swarm/story.h"

#include <bit>

#include "runtime/base/digest.h"

namespace hearth::simulate {
namespace {

/// Values one after the other, text with its length, so that no two stories read the same.
class Text {
 public:
  template <class... Values>
  void add(const Values&... values) {
    (add_one(values), ...);
    all_ += '\n';
  }
  const std::string& all() const { return all_; }

 private:
  template <class Value>
  void add_one(const Value& value) {
    if constexpr (std::is_convertible_v<Value, std::string_view>) {
      const std::string_view bytes = value;
      all_ += std::to_string(bytes.size());
      all_ += ':';
      all_ += bytes;
    } else if constexpr (std::is_same_v<Value, TimePoint>) {
      all_ += std::to_string(value.time_since_epoch().count());
    } else if constexpr (std::is_same_v<Value, Duration>) {
      all_ += std::to_string(value.count());
    } else if constexpr (std::is_same_v<Value, float>) {
      all_ += std::to_string(std::bit_cast<std::uint32_t>(value));
    } else {
      all_ += std::to_string(static_cast<std::uint64_t>(value));
    }
    all_ += ' ';
  }
  std::string all_;
};

void add(const Outcome& outcome, Text& text) {
  text.add(outcome.id, outcome.status, outcome.reason, outcome.message, outcome.model, outcome.model_sha256,
           outcome.served_on, outcome.confidence, outcome.bytes_sent, outcome.data_class, outcome.classify_rule,
           outcome.mask.bits(), outcome.permit_rule, outcome.plan, outcome.prefer_rule, outcome.policy_sha256,
           outcome.queued, outcome.latency, outcome.deadline, outcome.deadline_met);
  for (const auto& attempt : outcome.attempts)
    text.add(attempt.site, attempt.endpoint, attempt.began, attempt.took, attempt.bytes_sent, attempt.error);
  for (const auto& tensor : outcome.outputs)
    text.add(tensor.name, std::string_view(reinterpret_cast<const char*>(tensor.data.data()), tensor.data.size()));
}

}  // namespace

std::string sha256_of(const Story& story) {
  Text text;
  for (const auto& event : story.wire)
    text.add(event.kind, event.at, event.attempt, event.endpoint, event.request, event.deadline, event.canary,
             event.status, event.unreachable, event.retry_after);
  for (const auto& asked : story.requests) {
    text.add(asked.at, asked.outcomes, asked.finished);
    add(asked.outcome, text);
  }
  text.add(story.left_in_flight);
  return sha256_hex(text.all());
}

}  // namespace hearth::simulate
