/// \file Journal: durable storage for what must outlive a crash: consent, taint, budgets and every egress.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include <hearth/result.h>

namespace hearth {

/// An append-only list of one-line records.
/// Threads: loop thread only.
class Journal {
 public:
  using Callback = std::function<void(Status)>;

  virtual ~Journal() = default;

  /// All records, oldest first. An error means the past is unknown: then nothing may leave.
  virtual Result<std::vector<std::string>> replay() = 0;

  /// Appends one line (no newline inside). `recorded` runs once, on the loop thread, never inside this call, when the
  /// record is as durable as this journal makes it. After an error nothing may leave any more.
  virtual void append(std::string record, Callback recorded) = 0;
};

}  // namespace hearth
