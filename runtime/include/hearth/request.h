/// \file Request: what an app hands to hearth.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <hearth/tensor.h>
#include <hearth/time.h>

namespace hearth {

/// Which of the requests that wait for this device's model goes first.
enum class Priority : std::uint8_t { kBackground, kNormal, kUrgent };

/// One inference to be made. Everything but `model` and `inputs` is optional, and what is missing is read the safe way.
struct Request {
  std::string model;           ///< Name of a model pair in the runtime configuration.
  std::vector<Tensor> inputs;  ///< Match the pair's edge inputs by name, datatype and shape.

  /// Text that belongs to the inputs (a caption, a note). Detectors always read it; it leaves the device only with a
  /// permit, and only when the pair's cloud side names a text input.
  std::string text;

  /// The data class, by name. Empty: the policy's default class. A name the policy does not know counts as the most
  /// restrictive class. Rules and detectors can raise it, nothing lowers it.
  std::string label;

  /// Groups requests whose sensitivity spreads: sensitive data in one taints the later ones. Empty: no session.
  std::string session;

  /// From submission to outcome, at most a day. None: the policy's deadline for the model, else the configuration's
  /// default.
  std::optional<Duration> deadline;

  /// A full queue of waiting requests lets the least urgent one go for a more urgent one.
  Priority priority = Priority::kNormal;

  /// False: at most one cloud attempt ever begins, and it is never sent twice.
  bool idempotent = true;
};

}  // namespace hearth
