/// \file RecordWriter: one JSON line for each request, with its reason and the road not taken; and a reader of such
/// lines.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include <hearth/result.h>

#include "tools/simulate/record.h"

namespace hearth::simulate {

/// A record as one JSON object without a line's end. Durations are in milliseconds, exact to the nanosecond; numbers
/// are the shortest text that reads back as the same number. Threads: none of its own; reuses one buffer.
class RecordLine {
 public:
  explicit RecordLine(const Names& names);
  /// Valid until the next call.
  std::string_view of(const Record& record);

 private:
  std::vector<std::string> models_, streams_, classes_, sites_, rules_;  ///< As JSON strings, quotes and all.
  std::string line_;
};

/// Writes a file that is whole or not there: it has its name after publish(). Memory: one buffer.
class RecordWriter : public RecordSink {
 public:
  /// Writes the first `requests_max` records and counts the rest. Errors: kInvalidArgument when the file cannot be
  /// made.
  static Result<std::unique_ptr<RecordWriter>> open(const std::string& file, const Names& names,
                                                    std::uint64_t requests_max);
  ~RecordWriter() override;

  void take(const Record& record) override;
  std::uint64_t left_out() const { return left_out_; }
  Status publish();

 private:
  struct File;
  RecordWriter(std::unique_ptr<File> file, const Names& names, std::uint64_t requests_max);

  std::unique_ptr<File> file_;
  RecordLine line_;
  std::uint64_t room_, left_out_ = 0;
};

/// Gives every record of a file to `sink`, in the order of its lines. Names that `names` lacks are added to it.
/// Errors: kNotFound; kInvalidArgument as `file:line: what, what was expected`.
Status read_records(const std::string& file, Names& names, RecordSink& sink);

}  // namespace hearth::simulate
