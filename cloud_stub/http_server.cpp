#include "cloud_stub/http_server.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <charconv>
#include <filesystem>
#include <system_error>
#include <utility>

namespace hearth::stub {
namespace {

constexpr int kBacklog = 128;

/// httplib adds these to what was received.
bool is_added(const std::string& header) {
  return header == "REMOTE_ADDR" || header == "REMOTE_PORT" || header == "LOCAL_ADDR" || header == "LOCAL_PORT";
}

}  // namespace

void HttpServer::raise_backlog() { ::listen(svr_sock_, kBacklog); }

void CountingPool::enqueue(std::function<void()> task) {
  connections_.fetch_add(1, std::memory_order_relaxed);
  pool_.enqueue(std::move(task));
}

bool is_loopback(std::string_view address) {
  return address.substr(0, 4) == "127." || address == "::1" || address.substr(0, 11) == "::ffff:127.";
}

std::uint64_t head_bytes(const httplib::Request& request) {
  std::uint64_t bytes = request.method.size() + request.target.size() + request.version.size() + 6;
  for (const auto& [name, value] : request.headers) {
    if (!is_added(name)) bytes += name.size() + value.size() + 4;
  }
  return bytes;
}

std::string head_text(const httplib::Request& request) {
  std::string text = request.target;
  for (const auto& [name, value] : request.headers) {
    if (!is_added(name)) text += '\n' + name + ": " + value;
  }
  return text;
}

void shut_down_connections(int port) {
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd", ignored)) {
    const std::string name = entry.path().filename().string();
    int fd = -1;
    std::from_chars(name.data(), name.data() + name.size(), fd);
    sockaddr_storage local{};
    socklen_t size = sizeof local;
    if (fd < 0 || ::getsockname(fd, reinterpret_cast<sockaddr*>(&local), &size) != 0) continue;
    int bound = -1;
    if (local.ss_family == AF_INET) bound = ntohs(reinterpret_cast<const sockaddr_in&>(local).sin_port);
    if (local.ss_family == AF_INET6) bound = ntohs(reinterpret_cast<const sockaddr_in6&>(local).sin6_port);
    sockaddr_storage peer{};
    size = sizeof peer;
    if (bound == port && ::getpeername(fd, reinterpret_cast<sockaddr*>(&peer), &size) == 0) ::shutdown(fd, SHUT_RDWR);
  }
}

}  // namespace hearth::stub
