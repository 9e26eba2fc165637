/// \file Forecasts: one site's forecasts by model and size of payload.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include <hearth/time.h>

#include "runtime/signals/forecast.h"
#include "runtime/signals/link_estimate.h"

namespace hearth::signals {

/// Payloads up to 4 KiB, 64 KiB, 1 MiB, and larger ones are forecast apart. A size that has not been seen is forecast
/// from the nearest one that has, moved by what the link makes of the difference. Memory: 1 to 3 KB for each model and
/// size seen. Threads: none of its own.
class Forecasts {
 public:
  static constexpr std::size_t kSizes = 4;
  static constexpr std::array<std::uint64_t, kSizes> kSizeBytes = {4u << 10, 64u << 10, 1u << 20, 16u << 20};

  explicit Forecasts(Duration expected) : expected_(expected), unknown_(expected) {}

  /// As in Forecast.
  void observe(std::size_t model, std::uint64_t bytes, Duration latency, TimePoint now, bool first = true);
  void overtaken(std::size_t model, std::uint64_t bytes, Duration waited) { of(model, bytes).overtaken(waited); }
  bool fresh(std::size_t model, std::uint64_t bytes, TimePoint now) const;
  Forecast::InTime in_time(std::size_t model, std::uint64_t bytes, Duration room) const;
  Duration median(std::size_t model, std::uint64_t bytes) const;
  /// As Forecast::tail(); never borrowed from another size.
  Duration tail(std::size_t model, std::uint64_t bytes, double q) const;

  /// As in Forecast.
  void start_from(std::size_t model, std::uint64_t bytes, const QuantileSketch& profile) {
    of(model, bytes).start_from(profile);
  }
  /// The long past of a model and the size that is kSizeBytes[size]; null when there is none.
  const QuantileSketch* lasting(std::size_t model, std::size_t size) const;

 private:
  static std::size_t size_of(std::uint64_t bytes);

  struct Nearest {
    const Forecast& forecast;
    Duration moved_by;
  };
  Forecast& of(std::size_t model, std::uint64_t bytes);
  Nearest nearest(std::size_t model, std::uint64_t bytes) const;

  Duration expected_;
  Forecast unknown_;
  LinkEstimate link_;
  std::vector<std::array<std::unique_ptr<Forecast>, kSizes>> models_;
};

}  // namespace hearth::signals
