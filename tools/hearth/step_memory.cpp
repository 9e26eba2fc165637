#include "tools/hearth/step_memory.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "runtime/base/digest.h"
#include "runtime/base/json_reader.h"
#include "tools/hearth/json_lines.h"

namespace hearth::tool {
namespace {

namespace fs = std::filesystem;
using nlohmann::ordered_json;

constexpr const char* kState = "state.json";
constexpr const char* kLock = ".lock";
constexpr std::uint64_t kFileBytesMax = std::uint64_t{2} << 30;

std::string sha256_of(const std::string& file) {
  const auto bytes = read_whole_file(file, kFileBytesMax);
  return bytes.ok() ? sha256_hex(*bytes) : "";
}

/// Only what looks like ours may be cleared.
bool is_foreign(const std::string& folder) {
  std::error_code failure;
  if (!fs::exists(folder, failure)) return false;
  if (!fs::is_directory(folder, failure)) return true;
  return !fs::is_empty(folder, failure) && !fs::exists(folder + "/" + kLock, failure);
}

}  // namespace

Result<StepMemory> StepMemory::open(const std::string& folder, const ordered_json& settings) {
  if (is_foreign(folder)) {
    return Error{ErrorCode::kInvalidArgument,
                 folder + ": is in the way: the state of an unfinished run is kept under this name"};
  }
  std::error_code failure;
  fs::create_directory(folder, failure);
  if (failure) return {ErrorCode::kInvalidArgument, folder + ": cannot be made: " + failure.message()};
  const int lock = ::open((folder + "/" + kLock).c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0644);
  if (lock < 0) return {ErrorCode::kInvalidArgument, folder + ": cannot be written to: " + std::strerror(errno)};
  StepMemory memory(folder, lock);
  if (::flock(lock, LOCK_EX | LOCK_NB) != 0) {
    return Error{ErrorCode::kUnavailable, folder + ": another hearth optimize is at work on this output"};
  }
  const auto text = read_whole_file(memory.file(kState), kFileBytesMax);
  if (text.ok()) memory.state_ = ordered_json::parse(*text, nullptr, false);
  const bool known = memory.state_.is_object() && memory.state_.contains("settings") &&
                     memory.state_["settings"] == settings && memory.state_.contains("finished") &&
                     memory.state_["finished"].is_object() && memory.state_.contains("notes") &&
                     memory.state_["notes"].is_object();
  if (known) return memory;
  for (const auto& entry : fs::directory_iterator(folder, failure)) {
    if (entry.path().filename() != kLock) fs::remove_all(entry.path(), failure);
  }
  memory.state_ = {{"settings", settings}, {"finished", ordered_json::object()}, {"notes", ordered_json::object()}};
  if (auto written = memory.write(); !written.ok()) return written.error();
  return memory;
}

StepMemory::StepMemory(StepMemory&& other) noexcept
    : folder_(std::move(other.folder_)), lock_(std::exchange(other.lock_, -1)), state_(std::move(other.state_)) {}

StepMemory::~StepMemory() {
  if (lock_ >= 0) ::close(lock_);
}

bool StepMemory::has(std::string_view name) const {
  const auto& finished = state_.at("finished");
  const auto found = finished.find(std::string(name));
  return found != finished.end() && found->is_string() && *found == sha256_of(file(name));
}

Status StepMemory::finished(std::string_view name) {
  state_["finished"][std::string(name)] = sha256_of(file(name));
  return write();
}

ordered_json StepMemory::note(std::string_view key) const {
  const auto& notes = state_.at("notes");
  const auto found = notes.find(std::string(key));
  return found == notes.end() ? ordered_json() : *found;
}

Status StepMemory::keep_note(std::string_view key, ordered_json value) {
  state_["notes"][std::string(key)] = std::move(value);
  return write();
}

Status StepMemory::write() {
  auto writer = LineWriter::open(file(kState));
  if (!writer.ok()) return writer.error();
  writer->write(state_.dump(1));
  return writer->publish();
}

void StepMemory::forget() {
  std::error_code ignored;
  fs::remove_all(folder_, ignored);
}

}  // namespace hearth::tool
