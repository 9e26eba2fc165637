/// \file TraceWriter: a stretch of a run as a Chrome trace, to be opened at https://ui.perfetto.dev or
/// chrome://tracing.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <hearth/result.h>

#include "tools/simulate/record.h"

namespace hearth::simulate {

/// Something that happened to the world for a while, to be marked in a trace or a picture.
struct Mark {
  Duration at{};
  Duration length{};  ///< Zero: a moment.
  std::string words;  ///< "blackhole".
};

/// Keeps the first `requests_max` records of requests that came at or after `from`, and writes them as the Trace Event
/// Format (JSON; times in microseconds of virtual time). A device is a process; in it each edge slot that was ever in
/// use, each queue place and each attempt under way is a track, so nothing on a track overlaps; what was not served is
/// a moment. An arrow leads from a local pass to the attempt that followed it. Faults stand in a process of their own.
/// Memory: the records kept. Threads: none of its own.
class TraceWriter : public RecordSink {
 public:
  TraceWriter(Names names, Duration from, std::uint64_t requests_max);
  void take(const Record& record) override;

  /// The whole trace. Equal records give equal bytes.
  std::string json(const std::string& title, const std::vector<Mark>& marks) const;
  Status write(const std::string& file, const std::string& title, const std::vector<Mark>& marks) const;

 private:
  Names names_;
  Duration from_;
  std::uint64_t requests_max_;
  std::vector<Record> records_;
};

}  // namespace hearth::simulate
