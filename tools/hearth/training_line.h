/// \file TrainingLine: how far something is that takes minutes, on standard error.
#pragma once

#include <chrono>
#include <string>

namespace hearth::tool {

/// Nothing for what takes less than two seconds; then a bar on a terminal, elsewhere a line at each quarter.
/// Threads: one.
class TrainingLine {
 public:
  explicit TrainingLine(std::string title);
  ~TrainingLine();
  TrainingLine(const TrainingLine&) = delete;
  TrainingLine& operator=(const TrainingLine&) = delete;

  /// `done` from 0 to 1. Cheap: draws at most five times a second.
  void show(double done);

 private:
  double seconds() const;

  std::string title_;
  bool terminal_;
  std::chrono::steady_clock::time_point began_;
  double drawn_at_s_ = 0;
  int quarters_said_ = 0;
};

}  // namespace hearth::tool
