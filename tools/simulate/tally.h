/// \file Tally: the figures of some simulated requests, and the list of metrics that every result is made of.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

#include "tools/simulate/latency_histogram.h"
#include "tools/simulate/record.h"
#include "tools/simulate/statistics.h"

namespace hearth::simulate {

/// Where the answer came from.
enum class Answered : std::uint8_t { kNowhere, kEdge, kCloud };

/// One request, judged against a clairvoyant oracle: it knows beforehand what each road would have led to, is bound by
/// the same mask, and answers from one road alone. It wants, in this order: the right answer within the deadline, few
/// US dollars, little latency. When no open road leads to a right answer in time it takes the cheapest one; without an
/// open road it answers nothing, for nothing.
///
/// The roads are as they would have been for this request alone (record.h), so the oracle pays for no queue that it
/// causes: what it reaches is a bound, and under heavy load no policy can reach it. A plan that uses both roads can
/// beat it by luck.
struct Judged {
  explicit Judged(const Record& record);

  Answered answered = Answered::kNowhere;
  bool right_in_time = false;  ///< What became of it.
  bool edge_right = false;     ///< The road is open and would have led to the right answer in time.
  bool cloud_right = false;
  bool some_road = false;  ///< Open, and known: a run may leave the roads out.
  bool oracle_on_cloud = false;
  double oracle_usd = 0;
  double oracle_joules = 0;

  /// Index into Tally::roads.
  std::size_t road() const {
    return static_cast<std::size_t>(answered) * 4 + (edge_right ? 2u : 0u) + (cloud_right ? 1u : 0u);
  }
};

/// Sums and counts. Latencies are those of what was served; everything else is of every request, so that a request
/// without an answer is neither right nor in time.
struct Tally {
  std::uint64_t requests = 0;
  std::uint64_t served = 0;
  std::uint64_t in_time = 0;
  std::uint64_t correct = 0;
  std::uint64_t right_in_time = 0;
  std::uint64_t may_leave = 0;  ///< The mask permitted some endpoint.
  std::uint64_t attempts = 0;
  std::uint64_t bytes_up = 0;
  double usd = 0;
  double joules = 0;
  double oracle_usd = 0;
  double oracle_joules = 0;
  std::uint64_t oracle_on_cloud = 0;
  std::uint64_t some_road = 0;            ///< Requests of which some road was open. None: the roads were left out.
  std::array<std::uint64_t, 12> roads{};  ///< By Judged::road().
  LatencyHistogram latency;

  void add(const Record& record, const Judged& judged);
  void merge(const Tally& other);

  /// How many were answered there while the edge and the cloud would, or would not, have been right in time.
  std::uint64_t count(Answered answered, bool edge_right, bool cloud_right) const;
  std::uint64_t on_edge() const { return of(Answered::kEdge); }
  std::uint64_t on_cloud() const { return of(Answered::kCloud); }
  std::uint64_t oracle_right() const;    ///< Some open road was right in time.
  std::uint64_t missed_cloud() const;    ///< The cloud alone would have been right in time, and did not answer.
  std::uint64_t missed_edge() const;     ///< The edge alone would have been, and did not answer.
  std::uint64_t needless_cloud() const;  ///< Answered by the cloud, though the edge would have been right in time too.
  double share(std::uint64_t part) const;  ///< Of the requests; not a number without any.

 private:
  std::uint64_t of(Answered answered) const;
};

/// One figure by name. The unit is the end of the key.
struct Metric {
  std::string_view key;
  std::string_view words;  ///< For people: "deadlines met".
  Better better = Better::kNeither;
  double (*of)(const Tally&);  ///< Not a number where there is nothing to count.
  bool is_share = false;
};

/// Every metric, in the order in which they are shown.
std::span<const Metric> metrics();
/// The index of the metric with this key, or nothing.
const Metric* find_metric(std::string_view key);

}  // namespace hearth::simulate
