/// \file Device: what a simulated device is besides its decisions: how fast, how hot, how full, on what network.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <hearth/device.h>
#include <hearth/random.h>
#include <hearth/time.h>

namespace hearth::sim {

/// A time: lognormal about a median, or a measured profile's quantiles.
struct TimeModel {
  Duration median{};
  double sigma = 0;                 ///< Of the logarithm; 0: constant.
  std::vector<Duration> quantiles;  ///< Where given, these count: at 0, 1/n, ... 1, linear between.

  Duration draw(RandomStream& stream) const;
};

/// The value below which a drawn share lies, of quantiles at 0, 1/n, ... 1; at least two of them.
Duration draw_of(const std::vector<Duration>& quantiles, RandomStream& stream);

/// What a model's two halves would answer to one sample, as somebody recorded it.
struct Answer {
  float confidence = 0;  ///< Of the edge half.
  bool edge_correct = false;
  bool cloud_correct = false;
};

/// A model pair in time and truth.
struct PairModel {
  TimeModel edge;              ///< Of a pass for one request.
  double batch_growth = 1;     ///< A pass for several takes so much of it more for each further one.
  double edge_accuracy = 0.9;  ///< Without recorded answers.
  double cloud_accuracy = 0.95;
  std::shared_ptr<const std::vector<Answer>> answers;

  /// Of a sample: the recorded one, taken modulo their number. Without a record: a confidence whose mean is the edge
  /// half's accuracy and which is calibrated: of the answers with confidence c, the share c is right. The cloud half is
  /// right as often as its accuracy says, whatever the edge half says.
  Answer answer(std::uint64_t sample, std::uint64_t seed) const;
};

/// A device that is busy for long slows down. `heat` follows the share of busy slots with a time constant; above
/// `from` passes take longer, in proportion, up to `slow_factor` at full heat.
struct Thermal {
  Duration time_constant{};  ///< 0: never.
  double from = 0.6;
  double slow_factor = 2;
};

/// Drained by passes, by the radio and by being on.
struct Battery {
  double capacity_wh = 0;  ///< 0: no battery: neither it nor charging is known.
  double start_percent = 100;
  double idle_watts = 0.5;
  double charge_watts = 10;
};

/// Other programs: now and then passes take `slow_factor` as long.
struct Background {
  double busy_share = 0;  ///< Of the time.
  Duration busy_mean = std::chrono::seconds(2);
  double slow_factor = 1.5;
};

/// From `at` on.
template <class Value>
struct Step {
  Duration at{};
  Value value{};
};

struct DeviceModel {
  std::vector<Step<NetworkKind>> network = {{{}, NetworkKind::kUnmetered}};
  std::vector<Step<bool>> charging = {{{}, false}};
  Thermal thermal;
  Battery battery;
  Background background;
  TimeModel record;                                ///< Until an egress record is durable.
  Duration probe_every = std::chrono::seconds(5);  ///< What decisions know of the device is up to this old.
  bool on_caller = false;                          ///< The app calls infer() and lends its thread, instead of submit().
};

/// One device's body. Told the time, which never goes back. Threads: none of its own.
class Body {
 public:
  /// `model` must outlive it.
  Body(const DeviceModel& model, std::size_t slots, double edge_watts, std::uint64_t seed);

  /// What decisions know: what the sensors said at the start, or when somebody last looked.
  const DeviceState& known() const { return known_; }
  /// With each request: looks at the sensors when that is `probe_every` ago.
  void look_when_old(TimePoint now);
  bool online(TimePoint now) const;

  /// By how much passes that begin now are slower than the profile says.
  double slow_factor(TimePoint now);
  void pass_began(TimePoint now);
  void pass_ended(TimePoint now);
  void spend_joules(double joules) { stored_joules_ -= joules; }
  Duration record_time() { return model_.record.draw(records_); }

 private:
  DeviceState read(TimePoint now);
  void warm(TimePoint now);
  void drain(TimePoint now);

  const DeviceModel& model_;
  double slots_;
  double edge_watts_;
  RandomStream records_;
  RandomStream background_;
  double heat_ = 0;
  unsigned passes_ = 0;
  TimePoint warmed_at_{};
  bool background_busy_ = false;
  TimePoint background_until_{};
  double stored_joules_;
  TimePoint drained_at_{};
  DeviceState known_;
  TimePoint known_at_{};
};

}  // namespace hearth::sim
