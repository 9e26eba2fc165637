/// \file Timeline: what became of the requests of each stretch of a run; what pictures over time are drawn from.
#pragma once

#include <array>
#include <span>
#include <vector>

#include "tools/simulate/latency_histogram.h"
#include "tools/simulate/record.h"

namespace hearth::simulate {

/// How a request was answered, in the order in which bars are stacked.
enum class Placed : std::uint8_t {
  kAtHome,     ///< By the edge; nothing else was permitted.
  kLocal,      ///< By the edge, which was good enough.
  kCloud,      ///< By the cloud.
  kFellBack,   ///< By the edge, because the cloud could not.
  kNotServed,  ///< Rejected, failed or cancelled.
};
inline constexpr std::size_t kPlaces = 5;
Placed placed(const Record& record);

/// Memory: a few KB a bin. Threads: none of its own.
class Timeline : public RecordSink {
 public:
  static constexpr std::size_t kBins = 120;

  struct Bin {
    std::array<std::uint64_t, kPlaces> came{};  ///< Of those that came in it.
    LatencyHistogram latency;                   ///< Of those that came in it and were served.
    Duration in_flight{};                       ///< Time that requests spent in it: over its length, the mean number.
  };

  explicit Timeline(Duration length);
  void take(const Record& record) override;

  std::span<const Bin> bins() const { return bins_; }
  Duration bin_length() const { return bin_length_; }
  Duration length() const { return length_; }

 private:
  Duration length_, bin_length_;
  std::vector<Bin> bins_;
};

}  // namespace hearth::simulate
