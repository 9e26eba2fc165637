#include "runtime/device/file_watch.h"

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <string_view>
#include <thread>

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>

namespace hearth::device {
namespace {

class FileWatch {
 public:
  FileWatch(std::string name, std::function<void()> changed, int events, int end)
      : name_(std::move(name)), changed_(std::move(changed)), events_(events), end_(end) {
    thread_ = std::thread([this] { watch(); });
  }

  ~FileWatch() {
    const std::uint64_t one = 1;
    (void)!::write(end_, &one, sizeof one);
    thread_.join();
    ::close(events_);
    ::close(end_);
  }

  FileWatch(const FileWatch&) = delete;
  FileWatch& operator=(const FileWatch&) = delete;

 private:
  void watch() {
    pollfd both[] = {{events_, POLLIN, 0}, {end_, POLLIN, 0}};
    for (;;) {
      if (::poll(both, 2, -1) < 0 && errno != EINTR) return;
      if ((both[1].revents & POLLIN) != 0) return;
      if ((both[0].revents & POLLIN) != 0 && drain()) changed_();
    }
  }

  /// Whether one of the events was about the file, or some were lost.
  bool drain() {
    alignas(inotify_event) char bytes[4096];
    bool ours = false;
    for (ssize_t got; (got = ::read(events_, bytes, sizeof bytes)) > 0;) {
      for (ssize_t at = 0; at < got;) {
        const auto* event = reinterpret_cast<const inotify_event*>(bytes + at);
        const std::string_view about = event->len > 0 ? std::string_view(event->name) : std::string_view();
        ours = ours || about == name_ || (event->mask & IN_Q_OVERFLOW) != 0;
        at += static_cast<ssize_t>(sizeof(inotify_event) + event->len);
      }
    }
    return ours;
  }

  const std::string name_;
  const std::function<void()> changed_;
  const int events_;
  const int end_;
  std::thread thread_;
};

}  // namespace

Result<std::shared_ptr<void>> watch_file(const std::string& file, std::function<void()> changed) {
  const auto path = std::filesystem::absolute(file);
  const int events = ::inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
  const int end = ::eventfd(0, EFD_CLOEXEC);
  constexpr std::uint32_t kChanges = IN_CLOSE_WRITE | IN_MOVED_TO;
  if (events < 0 || end < 0 || ::inotify_add_watch(events, path.parent_path().c_str(), kChanges) < 0) {
    const Error error{ErrorCode::kUnavailable, file + ": cannot be watched: " + std::strerror(errno)};
    if (events >= 0) ::close(events);
    if (end >= 0) ::close(end);
    return error;
  }
  return std::shared_ptr<void>(std::make_shared<FileWatch>(path.filename().string(), std::move(changed), events, end));
}

}  // namespace hearth::device
