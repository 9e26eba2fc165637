/// \file Meddlers: defects between a runtime and its network, to see that the swarm finds them.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "tools/simulate/swarm/story.h"

namespace hearth::simulate {

/// Hands all through. Threads: the loop's.
class PassOn : public Transport {
 public:
  explicit PassOn(std::shared_ptr<Transport> inner) : inner_(std::move(inner)) {}
  void send(AttemptId attempt, EgressPermit permit, TimePoint deadline, SendCallback done) override {
    inner_->send(attempt, std::move(permit), deadline, std::move(done));
  }
  void cancel(AttemptId attempt) override { inner_->cancel(attempt); }

 private:
  std::shared_ptr<Transport> inner_;
};

/// A client that does not read Retry-After: needs an endpoint that says it, and somebody who asks again (G6).
class DeafToPeace final : public PassOn {
 public:
  using PassOn::PassOn;
  void send(AttemptId attempt, EgressPermit permit, TimePoint deadline, SendCallback done) override {
    PassOn::send(attempt, std::move(permit), deadline, [done = std::move(done)](SendResult result) {
      if (result.reply.ok())
        std::erase_if(result.reply->headers, [](const auto& header) { return header.first == "retry-after"; });
      done(std::move(result));
    });
  }
};

/// A client that withdraws nothing: needs an attempt that is overtaken or late (G7, G3).
class Stubborn final : public PassOn {
 public:
  using PassOn::PassOn;
  void cancel(AttemptId) override {}
};

/// A client whose connections never come back once one could not be made: needs such a fault, and time (G4).
class BearsGrudges final : public PassOn {
 public:
  using PassOn::PassOn;
  void send(AttemptId attempt, EgressPermit permit, TimePoint deadline, SendCallback done) override {
    bool& grudge = grudges_[permit.endpoint().name];
    PassOn::send(attempt, std::move(permit), deadline, [&grudge, done = std::move(done)](SendResult result) {
      const bool lost = !result.reply.ok() && result.reply.error().code == ErrorCode::kUnavailable;
      grudge = grudge || (lost && result.bytes_sent == 0);
      if (grudge) result = {Error{ErrorCode::kUnavailable, "planted"}, 0, false};
      done(std::move(result));
    });
  }

 private:
  std::map<std::string, bool> grudges_;  ///< By endpoint; a map's values stay where they are.
};

template <class Defect>
Story run_with(const SwarmWorld& world) {
  return run_world(world, [](std::shared_ptr<Transport> inner) { return std::make_shared<Defect>(std::move(inner)); });
}

}  // namespace hearth::simulate
