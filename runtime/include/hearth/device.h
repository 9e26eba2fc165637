/// \file Device state, from the app or from a probe, and the consent of its user.
#pragma once

#include <cstdint>
#include <optional>

namespace hearth {

/// kUnknown is treated by the policy as the most restrictive answer.
enum class NetworkKind : std::uint8_t { kUnknown, kOffline, kMetered, kUnmetered };

/// Whether the device's user agreed that data may leave. Anything but kGiven means no wherever a policy asks for
/// consent.
enum class Consent : std::uint8_t { kAbsent, kGiven, kRevoked };

/// What is known of the device. Missing values stay unknown; they are never guessed.
struct DeviceState {
  NetworkKind network = NetworkKind::kUnknown;
  std::optional<double> battery_percent;  ///< 0 to 100.
  std::optional<bool> charging;
};

/// The seam behind which the machine's own sensors stand.
/// Threads: read() is called on the loop thread only.
class DeviceProbe {
 public:
  virtual ~DeviceProbe() = default;
  /// A cheap read of what the machine knows; an unreadable sensor leaves its field unknown.
  virtual DeviceState read() = 0;
};

}  // namespace hearth
