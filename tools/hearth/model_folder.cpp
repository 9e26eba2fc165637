#include "tools/hearth/model_folder.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <utility>

namespace hearth::tool {
namespace {

constexpr const char* kPartFolder = "/.part";
constexpr const char* kLockFile = "/.lock";

}  // namespace

Result<ModelFolder> ModelFolder::open(const std::string& folder) {
  std::error_code failure;
  std::filesystem::create_directories(folder, failure);
  if (failure) return {ErrorCode::kInvalidArgument, folder + ": cannot be made: " + failure.message()};
  const int lock = ::open((folder + kLockFile).c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0644);
  if (lock < 0) return {ErrorCode::kInvalidArgument, folder + ": cannot be written to: " + std::strerror(errno)};
  if (::flock(lock, LOCK_EX | LOCK_NB) != 0) {
    ::close(lock);
    return {ErrorCode::kUnavailable, folder + ": another hearth prepare is at work in it"};
  }
  ModelFolder opened(folder, lock);
  std::filesystem::remove_all(folder + kPartFolder, failure);
  std::filesystem::create_directories(folder + kPartFolder, failure);
  if (failure) return {ErrorCode::kInvalidArgument, folder + ": cannot be written to: " + failure.message()};
  return opened;
}

ModelFolder::ModelFolder(ModelFolder&& other) noexcept
    : folder_(std::move(other.folder_)), lock_(std::exchange(other.lock_, -1)) {}

ModelFolder::~ModelFolder() {
  if (lock_ < 0) return;
  std::error_code ignored;
  std::filesystem::remove_all(folder_ + kPartFolder, ignored);
  ::close(lock_);
}

std::string ModelFolder::part(std::string_view name) const { return folder_ + kPartFolder + "/" + std::string(name); }

std::string ModelFolder::finished(std::string_view name) const { return folder_ + "/" + std::string(name); }

Status ModelFolder::write_part(std::string_view name, std::string_view text) const {
  std::ofstream out(part(name), std::ios::binary);
  out.write(text.data(), static_cast<std::streamsize>(text.size()));
  out.close();
  if (!out) return Error{ErrorCode::kUnavailable, finished(name) + ": cannot be written"};
  return Done{};
}

Status ModelFolder::publish(std::string_view name) const {
  std::error_code failure;
  std::filesystem::rename(part(name), finished(name), failure);
  if (failure) return Error{ErrorCode::kUnavailable, finished(name) + ": cannot be written: " + failure.message()};
  return Done{};
}

}  // namespace hearth::tool
