/// \file Checks that a model pair and an endpoint must pass, whether read from a file or made in code.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include <hearth/config.h>

namespace hearth::config {

/// Told each problem: the JSON pointer of the value inside its object ("/edge/inputs/0/shape"), and what is wrong.
using Report = std::function<void(const std::string& pointer, const std::string& message)>;

constexpr std::size_t kEndpointsMax = 31;

void check_pair(const ModelPair& pair, const Report& report);
/// Whether an API key may go into a header of that name: none that the message or the transport writes.
bool may_hold_api_key(std::string_view header);
void check_endpoint(const Endpoint& endpoint, const Report& report);
/// A pair that no endpoint can answer would stay on the edge for ever, without a word.
void check_spoken(const RuntimeConfig& config, const Report& report);
void check_timing(const CloudTiming& timing, const Report& report);

/// Calls `visit(key, value, least, most)` for each bound. One table for reading, checking and the schema's test.
template <class LimitsT, class Visit>
void visit_limits(LimitsT& limits, Visit&& visit) {
  visit("queue_length_max", limits.queue_length_max, 1, 1'000'000);
  visit("edge_slots", limits.edge_slots, 1, 256);
  visit("edge_memory_mib_max", limits.edge_memory_mib_max, 1, 1'048'576);
  visit("cloud_in_flight_max", limits.cloud_in_flight_max, 1, 65'536);
  visit("payload_kib_max", limits.payload_kib_max, 1, 1'048'576);
  visit("reply_kib_max", limits.reply_kib_max, 1, 1'048'576);
  visit("sessions_max", limits.sessions_max, 1, 10'000'000);
  visit("connections_per_endpoint_max", limits.connections_per_endpoint_max, 1, 1024);
  visit("journal_segment_mib", limits.journal_segment_mib, 1, 4095);
  visit("journal_segments_max", limits.journal_segments_max, 1, 10'000);
}

/// The same for durations, in milliseconds.
template <class TimingT, class Visit>
void visit_timing(TimingT& timing, Visit&& visit) {
  visit("connect_timeout_ms", timing.connect_timeout, 1, 600'000);
  visit("look_up_every_ms", timing.look_up_every, 1000, 86'400'000);
  visit("expected_latency_ms", timing.expected_latency, 0.001, 600'000);
  visit("local_reserve_ms", timing.local_reserve, 0, 600'000);
  visit("breaker_backoff_ms", timing.breaker_backoff, 1, 3'600'000);
  visit("breaker_backoff_max_ms", timing.breaker_backoff_max, 1, 86'400'000);
  visit("retry_backoff_ms", timing.retry_backoff, 1, 600'000);
  visit("retry_after_max_ms", timing.retry_after_max, 1, 86'400'000);
}

/// The same for plain numbers.
template <class TimingT, class EnergyT, class Visit>
void visit_numbers(TimingT& timing, EnergyT& energy, Visit&& visit) {
  visit("cloud", "extra_attempts_share_max", timing.extra_attempts_share_max, 0, 1);
  visit("cloud", "in_time_probability_min", timing.in_time_probability_min, 0, 1);
  visit("energy", "edge_watts", energy.edge_watts, 0, 10'000);
  visit("energy", "radio_joules_per_mib", energy.radio_joules_per_mib, 0, 10'000);
  visit("energy", "radio_joules_per_attempt", energy.radio_joules_per_attempt, 0, 10'000);
}

constexpr std::uint64_t kBatchMax = 64;
constexpr double kBatchWaitMsMax = 60'000;
constexpr double kShareMin = 0.01, kShareMax = 100;
constexpr std::uint64_t kBreakerFailuresMax = 1000;
constexpr std::uint64_t kAttemptsMax = 5;
constexpr double kWeightMin = 0.001;
constexpr double kWeightMax = 1000;
constexpr std::uint64_t kThreadsMax = 256;
constexpr double kDeadlineMsMin = 0.1;
constexpr double kDeadlineMsMax = 3'600'000;

}  // namespace hearth::config
