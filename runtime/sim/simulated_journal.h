/// \file SimulatedJournal: durable storage that can be slow, full or unreadable when told.
#pragma once

#include <string>
#include <vector>

#include <hearth/event_loop.h>
#include <hearth/journal.h>

namespace hearth::sim {

/// Threads: the loop's.
class SimulatedJournal final : public Journal {
 public:
  explicit SimulatedJournal(EventLoop& loop) : loop_(loop) {}

  Result<std::vector<std::string>> replay() override {
    if (unreadable) return Error{ErrorCode::kCorrupt, "simulated"};
    return records;
  }
  void append(std::string record, Callback recorded) override {
    loop_.schedule_at(loop_.now() + write_time, [this, record = std::move(record), recorded = std::move(recorded)] {
      if (full) return recorded(Error{ErrorCode::kResourceExhausted, "simulated"});
      records.push_back(record);
      recorded(Done{});
    });
  }

  std::vector<std::string> records;
  Duration write_time{};
  bool full = false;
  bool unreadable = false;

 private:
  EventLoop& loop_;
};

}  // namespace hearth::sim
