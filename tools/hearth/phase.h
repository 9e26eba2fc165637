/// \file One mode of the job: the workload streamed through a Runtime in real time.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include <hearth/runtime.h>

#include "tools/hearth/scoreboard.h"
#include "tools/hearth/workload.h"

namespace hearth::tool {

/// What is streamed. Everything is borrowed.
struct Stream {
  std::span<const Arrival> arrivals;
  std::span<const Tensor> photos;       ///< By photo index.
  std::span<const std::uint8_t> truth;  ///< By photo index: the right index into the pair's labels.
  std::string model;
  Duration deadline{};
};

/// Called from the thread that submits, before the request of that index is handed over; must not block.
using BeforeSubmit = std::function<void(std::size_t)>;

/// Hands over each request at its time (open loop: it waits for no answer) and gathers one Served per arrival.
/// `title` heads the progress line on standard error. kInternal when the runtime kept an outcome for itself.
Result<std::vector<Served>> run_phase(Runtime& runtime, const Stream& stream, const std::string& title,
                                      const BeforeSubmit& before = {});

}  // namespace hearth::tool
