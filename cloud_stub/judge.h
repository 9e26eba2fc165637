/// \file Judge: the server's verdict on its clients: what was run twice, came too late, or followed a redirect.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>

#include <hearth/time.h>

#include "cloud_stub/oip.h"

namespace hearth::stub {

/// Counted since start.
struct Verdict {
  std::uint64_t attempts = 0;            ///< Infer requests that arrived whole, answered or not.
  std::uint64_t distinct_requests = 0;   ///< With different inputs for a model; ids are new with each attempt.
  std::uint64_t executed = 0;            ///< Forward passes.
  std::uint64_t ids_executed_twice = 0;  ///< The same id again: one attempt was repeated on the wire.
  std::uint64_t inputs_executed_twice =
      0;                             ///< The same inputs again: a retry, a hedge, or a client that repeats itself.
  std::uint64_t after_deadline = 0;  ///< Reached the model later than the time they came with.
  std::uint64_t redirects_followed = 0;
  bool forgot = false;  ///< More than kRememberedMax different requests: the counts of repeats are too low.

  /// Attempts per distinct request; 0 before the first.
  double amplification() const;
};

/// Threads: every method from any thread.
class Judge {
 public:
  static constexpr std::size_t kRememberedMax = 1'000'000;

  /// An infer request has arrived; `model` as its path names it.
  void arrived(std::string_view model, const InferRequest& request);
  /// It is about to run, `waited` after it arrived; `timeout`: what it allowed.
  void executes(std::string_view model, const InferRequest& request, std::optional<Duration> timeout, Duration waited);
  void redirect_followed() { redirects_.fetch_add(1, std::memory_order_relaxed); }

  Verdict verdict() const;

 private:
  using Keys = std::unordered_set<std::uint64_t>;
  /// Was it there already? Nothing is added beyond the limit.
  bool again(Keys& keys, std::uint64_t key);

  mutable std::mutex mutex_;
  Verdict counts_;
  Keys seen_;
  Keys executed_inputs_;
  Keys executed_ids_;
  std::atomic<std::uint64_t> redirects_{0};
};

}  // namespace hearth::stub
