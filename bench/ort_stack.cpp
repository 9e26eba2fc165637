// ONNX Runtime through node: bench/peers/ort.js holds the other end.
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "bench/stack_engine.h"

extern char** environ;

namespace hearth::bench {
namespace {

using Json = nlohmann::json;

class OrtStack final : public StackEngine {
 public:
  OrtStack(std::string kind, const std::string& packages) : kind_(std::move(kind)), process_(packages) {}

  std::string name() const override { return "ort_" + kind_; }

  bool prepare(const Case& c) override {
    const auto reply = Json::parse(process_.ask(Json{
        {"op", "load"},
        {"kind", kind_},
        {"width", c.width},
        {"layers", kLayers},
        {"batch", c.batch},
        {"threads", c.threads}}.dump()));
    if (reply.contains("loaded")) return true;
    std::printf("%s: not measured: %s\n", name().c_str(), reply.value("error", "no reason given").c_str());
    return false;
  }

  std::vector<double> run(double seconds, std::size_t runs_max) override {
    return Json::parse(process_.ask(Json{{"op", "run"}, {"seconds", seconds}, {"runs_max", runs_max}}.dump())).at("us");
  }

 private:
  std::string kind_;
  OrtProcess process_;
};

}  // namespace

OrtProcess::OrtProcess(const std::string& packages) {
  int there[2];
  int back[2];
  if (pipe2(there, O_CLOEXEC) != 0 || pipe2(back, O_CLOEXEC) != 0) throw std::runtime_error("no pipe");
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, there[0], 0);
  posix_spawn_file_actions_adddup2(&actions, back[1], 1);
  std::string arguments[] = {"node", "bench/peers/ort.js", packages};
  char* argv[] = {arguments[0].data(), arguments[1].data(), arguments[2].data(), nullptr};
  const int failed = posix_spawnp(&process_, "node", &actions, nullptr, argv, environ);
  posix_spawn_file_actions_destroy(&actions);
  close(there[0]);
  close(back[1]);
  to_ = there[1];
  from_ = back[0];
  if (failed != 0) throw std::runtime_error("node does not start");
}

OrtProcess::~OrtProcess() {
  close(to_);
  close(from_);
  if (process_ > 0) waitpid(process_, nullptr, 0);
}

std::string OrtProcess::ask(const std::string& line) {
  const std::string sent = line + "\n";
  if (write(to_, sent.data(), sent.size()) != static_cast<ssize_t>(sent.size()))
    throw std::runtime_error("node is gone");
  std::size_t end;
  while ((end = read_.find('\n')) == std::string::npos) {
    char buffer[4096];
    const ssize_t count = read(from_, buffer, sizeof buffer);
    if (count <= 0) throw std::runtime_error("node is gone");
    read_.append(buffer, static_cast<std::size_t>(count));
  }
  const std::string reply = read_.substr(0, end);
  read_.erase(0, end + 1);
  return reply;
}

void add_ort_engines(const std::string& packages, Engines& engines) {
  for (const char* kind : {"fp32", "int8", "empty"}) engines.push_back(std::make_unique<OrtStack>(kind, packages));
}

}  // namespace hearth::bench
