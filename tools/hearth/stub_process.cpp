#include "tools/hearth/stub_process.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>

#include <httplib.h>
#include <nlohmann/json.hpp>
#include "tools/hearth/exit_codes.h"

extern char** environ;

namespace hearth::tool {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr std::size_t kLineBytesMax = 4096;
constexpr std::size_t kLogBytesShown = 4096;

constexpr const char* kListening = "listening ";

Error unavailable(std::string message) { return {ErrorCode::kUnavailable, std::move(message)}; }

httplib::Client admin(const std::string& url) {
  httplib::Client client(url);
  client.set_connection_timeout(5);
  client.set_read_timeout(20);
  client.set_tcp_nodelay(true);
  return client;
}

void close_one(int& descriptor) {
  if (descriptor >= 0) ::close(descriptor);
  descriptor = -1;
}

}  // namespace

Result<std::unique_ptr<StubProcess>> StubProcess::start(const std::string& program,
                                                        const std::vector<std::string>& arguments,
                                                        std::chrono::seconds patience) {
  if (::access(program.c_str(), X_OK) != 0) return Error{ErrorCode::kNotFound, program + ": no such program"};
  int in[2], out[2];
  if (::pipe2(in, O_CLOEXEC) != 0) return unavailable("no pipe for the cloud stub");
  if (::pipe2(out, O_CLOEXEC) != 0) {
    ::close(in[0]);
    ::close(in[1]);
    return unavailable("no pipe for the cloud stub");
  }
  std::unique_ptr<StubProcess> stub(new StubProcess);
  stub->stdin_ = in[1];
  stub->stdout_ = out[0];
  stub->log_ = ::memfd_create("hearth-cloud-stub.log", MFD_CLOEXEC);

  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, in[0], STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
  if (stub->log_ >= 0) posix_spawn_file_actions_adddup2(&actions, stub->log_, STDERR_FILENO);
  std::vector<char*> argv{const_cast<char*>(program.c_str())};
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  pid_t pid = -1;
  const int failed = ::posix_spawn(&pid, program.c_str(), &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  ::close(in[0]);
  ::close(out[1]);
  if (failed != 0) return unavailable(program + ": cannot be started: " + std::strerror(failed));
  stub->pid_ = pid;

  auto line = stub->read_line(patience);
  if (!line) return line.error();
  if (line.value().rfind(kListening, 0) != 0) return unavailable(program + ": did not say where it listens");
  stub->url_ = line.value().substr(std::strlen(kListening));
  return stub;
}

StubProcess::~StubProcess() { kill(); }

Result<std::string> StubProcess::read_line(std::chrono::seconds patience) {
  const auto until = steady_clock::now() + patience;
  std::string line;
  for (;;) {
    const auto left = std::chrono::duration_cast<milliseconds>(until - steady_clock::now()).count();
    pollfd waiting{stdout_, POLLIN, 0};
    const int ready = left > 0 ? ::poll(&waiting, 1, static_cast<int>(left)) : 0;
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0) {
      return unavailable("the cloud stub did not listen within " + std::to_string(patience.count()) + " s\n" +
                         logged());
    }
    char c = 0;
    if (::read(stdout_, &c, 1) != 1) return why_it_ended();
    if (c == '\n') return line;
    line += c;
    if (line.size() > kLineBytesMax) return unavailable("the cloud stub did not say where it listens");
  }
}

Error StubProcess::why_it_ended() {
  int status = 0;
  while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {}
  pid_ = -1;
  if (WIFEXITED(status) && WEXITSTATUS(status) == kExitBadInput) return {ErrorCode::kInvalidArgument, logged()};
  return unavailable("the cloud stub ended before it listened\n" + logged());
}

std::string StubProcess::logged() const {
  std::string text(kLogBytesShown, '\0');
  const auto size = ::pread(log_, text.data(), text.size(), 0);
  text.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

Status StubProcess::arm(const std::vector<std::string>& input_sha256, const std::vector<std::string>& canaries) {
  const nlohmann::json body = {{"input_sha256", input_sha256}, {"canaries", canaries}};
  auto reply = admin(url_).Post("/admin/tripwire", body.dump(), "application/json");
  if (!reply) return unavailable("the cloud stub does not answer: " + httplib::to_string(reply.error()));
  if (reply->status != 200) return unavailable("the cloud stub refused the tripwire: " + std::to_string(reply->status));
  return Done{};
}

Result<TripwireCount> StubProcess::tripwire() const {
  auto reply = admin(url_).Get("/admin/stats");
  if (!reply || reply->status != 200) return unavailable("the cloud stub does not tell its counts");
  const auto stats = nlohmann::json::parse(reply->body, nullptr, false);
  for (const char* key : {"sensitive_requests", "sensitive_inputs_seen", "canaries_seen"}) {
    if (!stats.is_object() || !stats.contains(key) || !stats[key].is_number_unsigned()) {
      return unavailable(std::string("the cloud stub's counts lack ") + key);
    }
  }
  return TripwireCount{stats["sensitive_requests"].get<std::uint64_t>(),
                       stats["sensitive_inputs_seen"].get<std::uint64_t>(),
                       stats["canaries_seen"].get<std::uint64_t>()};
}

void StubProcess::kill() {
  if (pid_ >= 0) {
    ::kill(pid_, SIGKILL);
    while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {}
    pid_ = -1;
  }
  close_one(stdin_);
  close_one(stdout_);
  close_one(log_);
}

}  // namespace hearth::tool
