#include "tools/hearth/audit_reading.h"

#include <cstdio>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <vector>

#include <nlohmann/json.hpp>

#include "runtime/device/journal_files.h"
#include "runtime/device/key_file.h"

namespace hearth::tool {
namespace {

struct Segment {
  std::string file;
  std::ifstream in;
};

std::vector<std::string> names_of(const std::string& log) {
  std::vector<std::string> names;
  for (const auto& older : device::older_segments(log)) {
    std::error_code failure;  // the same file twice: a crash came between the two steps of beginning a segment
    if (!std::filesystem::equivalent(older.file, log, failure)) names.push_back(older.file);
  }
  names.push_back(log);
  return names;
}

/// All files are opened before one is read; when the runtime began a segment meanwhile, once more.
Result<std::vector<Segment>> open_segments(const std::string& log) {
  constexpr int kTries = 8;
  for (int tries = 0; tries < kTries; ++tries) {
    const auto names = names_of(log);
    std::vector<Segment> segments;
    bool all = true;
    for (const auto& name : names) {
      segments.push_back({name, std::ifstream(name, std::ios::binary)});
      all = all && segments.back().in;
    }
    if (all && names == names_of(log)) return segments;
  }
  return Error{ErrorCode::kInvalidArgument, log + ": no such file, or it cannot be opened"};
}

/// One reading under way.
class Reader {
 public:
  Reader(AuditReading& reading, const std::optional<privacy::ChainHead>& head, const RecordVisitor& visit)
      : reading_(reading), head_(head), visit_(visit) {}

  /// False: go no further.
  bool read(Segment& segment, bool newest) {
    ++reading_.segments;
    std::string line;
    if (!std::getline(segment.in, line)) return newest || fail(segment, 1, "the segment is empty");
    line += '\n';
    if (line == device::kTornJournal) {
      reading_.could_not_keep = true;
    } else if (line != device::kWholeJournal) {
      return fail(segment, 1, "the first line is not that of a log of this version");
    }
    for (std::uint64_t number = 2; std::getline(segment.in, line); ++number) {
      if (segment.in.eof()) {  // without its newline
        if (!newest) return fail(segment, number, "the last line has no end, and this is not the newest segment");
        reading_.torn_bytes = line.size();
        return true;
      }
      if (!take(segment, number, line)) return false;
    }
    return true;
  }

  void finish() {
    if (!reading_.holds()) return;
    if (auto whole = reading_.chain.whole(); !whole.ok()) reading_.problem = whole.error().message;
    if (head_ && head_->count > reading_.chain.head().count)
      reading_.problem = "records " + std::to_string(reading_.chain.next_seq()) + " to " +
                         std::to_string(head_->count) + " are missing: the head shows that the tail was cut off";
  }

 private:
  bool take(const Segment& segment, std::uint64_t number, const std::string& line) {
    const bool first = reading_.records == 0;
    auto record = reading_.chain.open(line);
    if (!record.ok()) return fail(segment, number, record.error().message);
    ++reading_.records;
    const auto& end = reading_.chain.head();
    if (head_ && head_->count == end.count && head_->mac != end.mac)
      return fail(segment, number, "record " + std::to_string(end.count) + " is not the one that the head vouches for");
    if (first) reading_.begins_at_s = nlohmann::json::parse(record.value()).at("at_s");
    visit_(record.value(), end.count);
    return true;
  }

  bool fail(const Segment& segment, std::uint64_t line, const std::string& what) {
    reading_.problem = segment.file + ":" + std::to_string(line) + ": " + what;
    return false;
  }

  AuditReading& reading_;
  const std::optional<privacy::ChainHead>& head_;
  const RecordVisitor& visit_;
};

/// Whether this looks like a log at all, so that a wrong path is told from a damaged log.
Status check_log(const std::string& log) {
  std::error_code failure;
  if (std::filesystem::is_directory(log, failure))
    return {ErrorCode::kInvalidArgument, log + ": is a folder, expected an audit log"};
  if (!std::filesystem::exists(log, failure)) return {ErrorCode::kInvalidArgument, log + ": no such file"};
  std::ifstream in(log, std::ios::binary);
  std::string begin(14, '\0');
  in.read(begin.data(), static_cast<std::streamsize>(begin.size()));
  if (in.gcount() > 0 && begin.substr(0, static_cast<std::size_t>(in.gcount())) !=
                             device::kWholeJournal.substr(0, static_cast<std::size_t>(in.gcount())))
    return {ErrorCode::kInvalidArgument, log + ": not an audit log: it does not begin as one"};
  return Done{};
}

}  // namespace

Result<AuditReading> read_audit_log(const std::string& log, const std::string& key_file,
                                    const std::optional<std::string>& head, const RecordVisitor& visit) {
  if (auto status = check_log(log); !status.ok()) return status.error();
  const auto key = device::read_key(key_file);
  if (!key.ok()) return Error{ErrorCode::kInvalidArgument, key.error().message};
  AuditReading reading{privacy::AuditChain(key.value())};
  std::optional<privacy::ChainHead> expected;
  if (head) {
    const auto read = reading.chain.read_head(*head);
    if (!read.ok()) return read.error();
    expected = read.value();
  }
  auto segments = open_segments(log);
  if (!segments.ok()) return segments.error();
  Reader reader(reading, expected, visit);
  for (std::size_t i = 0; i < segments->size(); ++i)
    if (!reader.read(segments.value()[i], i + 1 == segments->size())) break;
  reader.finish();
  return reading;
}

std::string utc_text(std::int64_t at_s) {
  const std::time_t time = at_s;
  std::tm parts{};
  char text[32] = "";
  if (gmtime_r(&time, &parts) != nullptr) (void)std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text;
}

}  // namespace hearth::tool
