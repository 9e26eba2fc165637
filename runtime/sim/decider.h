/// \file Decider: one device's privacy guard and scheduler, the very ones that ship, told what an app and a network
/// tell them. Nothing that only an oracle knows can reach it: its inputs have no place for it.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include <hearth/config.h>
#include <hearth/device.h>

#include "runtime/privacy/guard.h"
#include "runtime/scheduler/core.h"

namespace hearth::sim {

/// What a device shares with others of its kind.
struct Rulebook {
  Rulebook(const RuntimeConfig& config, std::shared_ptr<const policies::Policy> policy);

  RuntimeConfig config;
  std::shared_ptr<const privacy::Rules> rules;
  std::vector<std::uint64_t> envelope_bytes;  ///< By model: what the codec adds to a payload, by its own encoding.
};

class Decider {
 public:
  using Actions = std::vector<scheduler::Action>;

  Decider(std::shared_ptr<const Rulebook> book, Consent consent);

  /// What the app says of one request.
  struct Asked {
    RequestId id = 0;
    privacy::Subject subject;
    std::uint16_t model = 0;
    std::optional<Duration> deadline;
    Priority priority = Priority::kNormal;
    bool idempotent = true;
    bool on_caller = false;  ///< It waits for the answer and lends its thread: Runtime::infer().
  };
  struct Admitted {
    privacy::Judgement judgement;
    Duration deadline{};
  };
  /// As Runtime does at admission, `device` being what is known of the device at that moment.
  Admitted admit(const Asked& asked, const DeviceState& device, TimePoint now, Actions& actions);
  /// Whether the door would open for this attempt, or `spends` its permit: see PrivacyGuard::rehearse().
  Status permit(privacy::Judgement& judgement, const privacy::Subject& subject, SiteId site, std::uint64_t body_bytes,
                bool spends, const DeviceState& device, TimePoint now);
  void tell(const scheduler::Event& event, TimePoint now, Actions& actions) { scheduler_.step(event, now, actions); }

  std::size_t unfinished() const { return scheduler_.unfinished(); }

 private:
  static privacy::Moment moment_at(const DeviceState& device, TimePoint now);

  std::shared_ptr<const Rulebook> book_;
  PrivacyGuard guard_;
  scheduler::SchedulerCore scheduler_;
};

}  // namespace hearth::sim
