#include "runtime/edge/turns.h"

#include <algorithm>
#include <chrono>
#include <cstddef>

namespace hearth::edge {
namespace {

constexpr std::size_t kCallsMax = 10'000;

double time_us(const std::function<void()>& call, std::size_t calls) {
  const auto began = std::chrono::steady_clock::now();
  for (std::size_t i = 0; i < calls; ++i) call();
  const auto took = std::chrono::steady_clock::now() - began;
  return std::chrono::duration<double, std::micro>(took).count() / static_cast<double>(calls);
}

}  // namespace

std::vector<Spread> measure_in_turns(std::span<const std::function<void()>> calls, std::size_t turns, double turn_us,
                                     const std::function<void(double)>& progress) {
  std::vector<std::size_t> counts;
  for (const auto& call : calls) {
    time_us(call, 3);
    const double one_us = std::max(time_us(call, 3), 0.01);
    counts.push_back(std::clamp<std::size_t>(static_cast<std::size_t>(turn_us / one_us), 1, kCallsMax));
    time_us(call, counts.back());
  }
  std::vector<std::vector<double>> times(calls.size());
  for (std::size_t turn = 0; turn < turns; ++turn) {
    for (std::size_t i = 0; i < calls.size(); ++i) times[i].push_back(time_us(calls[i], counts[i]));
    if (progress) progress(static_cast<double>(turn + 1) / static_cast<double>(turns));
  }
  std::vector<Spread> spreads;
  for (auto& of_one : times) {
    std::ranges::sort(of_one);
    const auto at = [&](double share) {
      return of_one[static_cast<std::size_t>(share * static_cast<double>(of_one.size()))];
    };
    spreads.push_back({at(0.1), at(0.5), at(0.9)});
  }
  return spreads;
}

}  // namespace hearth::edge
