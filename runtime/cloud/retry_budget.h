/// \file RetryBudget: bounds what retries and hedges may add to the load of a cloud in trouble.
#pragma once

#include <algorithm>

namespace hearth::cloud {

/// Two token buckets; an attempt beyond a request's first needs both.
///
/// *Throttle*, gRPC's proposal A6: starts full at `tokens_max`; a failure takes one token, a success gives back
/// `token_ratio`; retries and hedges are allowed while more than half is left. Stops them when the cloud fails.
/// *Share*: each first attempt earns `extra_share` of an extra one, up to `burst`. Bounds them when it is only slow: in
/// any window the extra attempts are at most `extra_share` of the first ones, and `burst` more.
/// Threads: a plain value.
class RetryBudget {
 public:
  struct Options {
    double tokens_max = 10;
    double token_ratio = 0.1;
    double extra_share = 0.08;
    double burst = 25;
  };

  explicit RetryBudget(Options options) : options_(options), tokens_(options.tokens_max), earned_(options.burst) {}

  void first_attempt() { earned_ = std::min(options_.burst, earned_ + options_.extra_share); }
  bool allows_extra() const { return tokens_ > options_.tokens_max / 2 && earned_ >= 1; }
  void extra_attempt() { earned_ -= 1; }
  void succeeded() { tokens_ = std::min(options_.tokens_max, tokens_ + options_.token_ratio); }
  void failed() { tokens_ = std::max(0.0, tokens_ - 1); }

 private:
  Options options_;
  double tokens_;
  double earned_;
};

}  // namespace hearth::cloud
