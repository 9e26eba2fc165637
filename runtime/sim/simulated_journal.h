/// \file SimulatedJournal: durable storage that can be slow, full or unreadable when told.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include <hearth/event_loop.h>
#include <hearth/journal.h>

namespace hearth::sim {

/// Threads: the loop's.
class SimulatedJournal final : public SegmentedJournal {
 public:
  explicit SimulatedJournal(EventLoop& loop) : loop_(loop) {}

  Result<std::vector<std::string>> replay() override {
    if (unreadable) return Error{ErrorCode::kCorrupt, "simulated"};
    const auto begin = static_cast<std::ptrdiff_t>(segment_starts.empty() ? 0 : segment_starts.back());
    return std::vector<std::string>(records.begin() + begin, records.end());
  }
  void append(std::string record, Durability durability, Callback recorded) override {
    const Duration takes = durability == Durability::kSynced ? write_time : Duration{};
    // Records stand in the order in which they were appended, however long each takes.
    last_due_ = std::max(last_due_, loop_.now() + takes);
    loop_.schedule_at(last_due_, [this, record = std::move(record), recorded = std::move(recorded)] {
      if (full) return recorded(Error{ErrorCode::kResourceExhausted, "simulated"});
      records.push_back(record);
      recorded(Done{});
    });
  }
  void begin_segment(std::string record, std::size_t, Callback recorded) override {
    append(std::move(record), Durability::kSynced, [this, recorded = std::move(recorded)](Status status) {
      if (status.ok()) segment_starts.push_back(records.size() - 1);
      recorded(std::move(status));
    });
  }

  std::vector<std::string> records;         ///< Of all segments.
  std::vector<std::size_t> segment_starts;  ///< Into records; the first segment's is not there.
  Duration write_time{};                    ///< Of a synced record.
  bool full = false;
  bool unreadable = false;

 private:
  EventLoop& loop_;
  TimePoint last_due_{};
};

}  // namespace hearth::sim
