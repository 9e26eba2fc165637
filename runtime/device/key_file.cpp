#include "runtime/device/key_file.h"

#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include <fcntl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/privacy/audit_chain.h"

namespace hearth::device {
namespace {

using privacy::kDeviceKeyBytes;

Error system_error(const std::string& file, const char* doing) {
  return {ErrorCode::kUnavailable, file + ": cannot " + doing + " the audit key: " + std::strerror(errno)};
}

Status make_key(const std::string& file) {
  std::array<char, kDeviceKeyBytes> key;
  if (::getrandom(key.data(), key.size(), 0) != static_cast<ssize_t>(key.size())) return system_error(file, "draw");
  std::string beside = file + ".XXXXXX";  // 0600
  const int descriptor = ::mkostemp(beside.data(), O_CLOEXEC);
  if (descriptor < 0) return system_error(file, "make");
  const bool written =
      ::write(descriptor, key.data(), key.size()) == static_cast<ssize_t>(key.size()) && ::fsync(descriptor) == 0;
  // Another runtime's key, made meanwhile, stays.
  const bool placed = written && (::link(beside.c_str(), file.c_str()) == 0 || errno == EEXIST);
  const Status status = placed ? Status(Done{}) : Status(system_error(file, "make"));
  ::close(descriptor);
  (void)::unlink(beside.c_str());
  const auto folder = std::filesystem::absolute(file).parent_path();
  if (const int at = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); at >= 0) {
    (void)::fsync(at);
    ::close(at);
  }
  return status;
}

}  // namespace

Result<std::string> read_key(const std::string& file) {
  const int descriptor = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0 && errno == ENOENT)
    return {ErrorCode::kNotFound, file + ": the audit key is missing; without it the log cannot be checked"};
  if (descriptor < 0) return system_error(file, "open");
  std::array<char, kDeviceKeyBytes + 1> bytes;
  const ssize_t got = ::read(descriptor, bytes.data(), bytes.size());
  const int reason = errno;
  ::close(descriptor);
  errno = reason;
  if (got < 0) return system_error(file, "read");
  if (got != static_cast<ssize_t>(kDeviceKeyBytes))
    return {ErrorCode::kCorrupt, file + ": expected an audit key of 32 bytes, got " +
                                     (got > static_cast<ssize_t>(kDeviceKeyBytes) ? "more" : std::to_string(got))};
  return std::string(bytes.data(), kDeviceKeyBytes);
}

Result<std::string> read_or_make_key(const std::string& file, bool may_make) {
  auto key = read_key(file);
  if (key.ok() || key.error().code != ErrorCode::kNotFound || !may_make) return key;
  if (auto made = make_key(file); !made.ok()) return made.error();
  return read_key(file);
}

}  // namespace hearth::device
