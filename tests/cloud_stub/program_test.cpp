// The program itself: flags, exit codes, its ready line, its end.
#include <signal.h>
#include <sys/wait.h>

#include <array>
#include <cstdio>
#include <string>

#include "tests/cloud_stub/server_fixture.h"

using namespace hearth::stub;

namespace {

struct Ended {
  int code = -1;
  std::string output;  ///< Both streams.
};

/// Runs the stub with these flags and an empty standard input until it ends.
Ended run(const std::string& flags) {
  Ended ended;
  FILE* pipe = ::popen((HEARTH_CLOUD_STUB " --exit-with-stdin " + flags + " </dev/null 2>&1").c_str(), "r");
  REQUIRE(pipe != nullptr);
  std::array<char, 512> buffer{};
  while (std::fgets(buffer.data(), buffer.size(), pipe) != nullptr) ended.output += buffer.data();
  ended.code = WEXITSTATUS(::pclose(pipe));
  return ended;
}

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("help shows an example and exits with 0") {
  const auto ended = run("--help");
  CHECK(ended.code == 0);
  CHECK(has(ended.output, "Example: hearth-cloud-stub --pair"));
}

TEST_CASE("bad flags exit with 2 and a line for each problem") {
  const auto none = run("");
  CHECK(none.code == 2);
  CHECK(has(none.output, "nothing to serve: give --pair, --null-model or --text-model"));
  CHECK(run("--null-model n --no-such-flag").code == 2);
  CHECK(run("--null-model n --port 70000").code == 2);
  CHECK(run("--null-model n --seed -1").code == 2);
  CHECK(run("--null-model n --imitate nobody").code == 2);
  CHECK(run("--null-model n --piece-ms -1").code == 2);
  const auto many = run("--null-model n --null-model n --error-rate 2 --latency-ms nan --config no/such.json");
  CHECK(many.code == 2);
  CHECK(has(many.output, "--null-model n: a model of this name is there already"));
  CHECK(has(many.output, "error rate must be between 0 and 1"));
  CHECK(has(many.output, "latency (ms) must be between 0 and 60000"));
  CHECK(has(many.output, "no/such.json"));
  const auto pair = run("--pair no/such/pair.json");
  CHECK(pair.code == 2);
  CHECK(has(pair.output, "no/such/pair.json"));
}

TEST_CASE("a taken port exits with 3") {
  Served served;
  const auto ended = run("--null-model n --port " + std::to_string(served.port()));
  CHECK(ended.code == 3);
  CHECK(has(ended.output, "cannot listen on 127.0.0.1:" + std::to_string(served.port())));
}

TEST_CASE("it says where it listens and ends with its standard input") {
  const auto plain = run("--null-model n --stats");
  CHECK(plain.code == 0);
  CHECK(plain.output.find("listening http://127.0.0.1:") == 0);
  CHECK(has(plain.output, R"("requests":0)"));
  const auto as_json = run("--null-model n --json");
  CHECK(as_json.output.find(R"({"listening":"http://127.0.0.1:)") == 0);
}

TEST_CASE("a text model or the manners of another server are enough to serve") {
  CHECK(run("--text-model small --piece-ms 5").code == 0);
  CHECK(run("--null-model n --imitate mlserver").code == 0);
}

TEST_CASE("with faults it says where its server is, and a verdict ends it") {
  const auto faulty = run("--null-model n --faults configs/faults/flaky.json --verdict");
  CHECK(faulty.code == 0);  // nobody came
  CHECK(has(faulty.output, "\nserver http://127.0.0.1:"));
  CHECK(has(faulty.output, R"("clean":true)"));
  CHECK(run("--null-model n --tls").output.find("listening https://127.0.0.1:") == 0);
}

TEST_CASE("wrong faults, a token that is not there and a certificate for nobody are bad input") {
  const auto missing = run("--null-model n --faults no/such.json --bearer-env HEARTH_NO_SUCH_TOKEN");
  CHECK(missing.code == 2);
  CHECK(has(missing.output, "no/such.json"));
  CHECK(has(missing.output, "--bearer-env HEARTH_NO_SUCH_TOKEN: no such variable"));
  CHECK(run("--null-model n --tls-authority ca.pem").code == 2);
  const auto unwritable = run("--null-model n --tls --tls-authority no/such/folder/ca.pem");
  CHECK(unwritable.code == 2);
  CHECK(has(unwritable.output, "--tls-authority no/such/folder/ca.pem: cannot be written"));
}

TEST_CASE("quit, and a signal, end it with 0") {
  for (const bool by_signal : {false, true}) {
    FILE* pipe = ::popen("echo $$; exec " HEARTH_CLOUD_STUB " --null-model n", "r");
    REQUIRE(pipe != nullptr);
    std::array<char, 128> line{};
    REQUIRE(std::fgets(line.data(), line.size(), pipe) != nullptr);
    const pid_t pid = std::stoi(line.data());
    REQUIRE(std::fgets(line.data(), line.size(), pipe) != nullptr);
    const std::string ready = line.data();
    httplib::Client client("127.0.0.1", std::stoi(ready.substr(ready.rfind(':') + 1)));
    CHECK(client.Get("/v2/models/n/ready")->status == 200);
    if (by_signal) {
      CHECK(::kill(pid, SIGTERM) == 0);
    } else {
      CHECK(client.Post("/admin/quit", "", "application/json")->status == 200);
    }
    CHECK(WEXITSTATUS(::pclose(pipe)) == 0);
  }
}
