/// \file NamedAddresses: a resolver that says what a test tells it.
#pragma once

#include <cstddef>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "runtime/net/resolver.h"

namespace hearth::test {

/// Threads: say() and look_ups() from any. `loop` is set before the first look-up.
class NamedAddresses final : public net::Resolver {
 public:
  explicit NamedAddresses(Result<Addresses> says) : says_(std::move(says)) {}

  void resolve(const std::string& host, Callback done) override {
    const std::lock_guard lock(mutex_);
    looked_up_.push_back(host);
    if (!silent_) loop->post([done = std::move(done), says = says_] { done(says); });
  }
  void say(Result<Addresses> says) {
    const std::lock_guard lock(mutex_);
    says_ = std::move(says);
  }
  void say_nothing() {
    const std::lock_guard lock(mutex_);
    silent_ = true;
  }
  std::vector<std::string> looked_up() {
    const std::lock_guard lock(mutex_);
    return looked_up_;
  }

  EventLoop* loop = nullptr;

 private:
  std::mutex mutex_;
  Result<Addresses> says_;
  bool silent_ = false;
  std::vector<std::string> looked_up_;
};

}  // namespace hearth::test
