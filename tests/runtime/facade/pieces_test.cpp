// Goal: answers in pieces, from a server's bytes to the app. Method: the whole runtime over real sockets, against a
// server that says exactly what a test tells it, when it tells it.
#include <condition_variable>
#include <future>
#include <mutex>
#include <thread>

#include <catch2/catch.hpp>

#include "runtime/net/net.h"
#include "tests/runtime/net/scripted_server.h"
#include "tests/support/notes_world.h"

using namespace hearth;
using namespace hearth::test;
using namespace std::chrono_literals;

namespace {

std::string chunk(const std::string& bytes) {
  char size[16];
  std::snprintf(size, sizeof size, "%zx\r\n", bytes.size());
  return size + bytes + "\r\n";
}

std::string event(const std::string& data) { return "data: " + data + "\n\n"; }
std::string said(const std::string& content) {
  return chunk(event(R"({"choices":[{"delta":{"content":")" + content + R"("},"finish_reason":null}]})"));
}
const std::string kHead = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
const std::string kEnd =
    chunk(event(R"({"choices":[{"delta":{},"finish_reason":"stop"}]})") + event("[DONE]")) + "0\r\n\r\n";

/// What the app has had, to be waited for.
class Heard {
 public:
  void piece(std::string_view text) {
    const std::lock_guard lock(mutex_);
    pieces_.emplace_back(text);
    after_outcome_ = after_outcome_ || outcome_.has_value();
    changed_.notify_all();
  }
  void ended(Outcome outcome) {
    const std::lock_guard lock(mutex_);
    outcome_ = std::move(outcome);
    changed_.notify_all();
  }
  void wait_for_pieces(std::size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return pieces_.size() >= count; });
  }
  Outcome outcome() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return outcome_.has_value(); });
    return *outcome_;
  }
  std::vector<std::string> pieces() {
    const std::lock_guard lock(mutex_);
    CHECK_FALSE(after_outcome_);
    return pieces_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::string> pieces_;
  std::optional<Outcome> outcome_;
  bool after_outcome_ = false;
};

struct PiecesWorld {
  explicit PiecesWorld(ScriptedServer::Script script) : server(std::move(script)) {
    RuntimeConfig config = sim_config();
    ModelPair pair = notes_pair();
    pair.cloud.model = "small";
    pair.cloud.api = CloudApi::kChat;
    config.models = {pair};
    Endpoint endpoint{"eu-1", "http://127.0.0.1:" + std::to_string(server.port()) + "/v1", "eu"};
    endpoint.protocol = Protocol::kOpenai;
    config.endpoints = {endpoint};
    config.cloud.attempts_max = 1;
    World world;
    world.loop = net::make_asio_loop();
    world.transport = net::make_http_transport(*world.loop, {});
    world.load_edge_model = [loop = world.loop.get()](const ModelPair&) -> Result<std::shared_ptr<EdgeModel>> {
      const auto answer = [](std::span<const Tensor>) -> EdgeModel::Outputs {
        return std::vector<Tensor>{Tensor::of_text("answer", "at home")};
      };
      return std::shared_ptr<EdgeModel>(std::make_shared<AtOnce>(answer));
    };
    auto made = Runtime::create(config, std::move(world));
    if (!made.ok()) throw std::runtime_error(made.error().message);
    runtime = std::move(made).value();
    runtime->set_consent(Consent::kGiven);
  }

  /// Answers on a thread of its own.
  class AtOnce final : public EdgeModel {
   public:
    explicit AtOnce(std::function<Outputs(std::span<const Tensor>)> answer) : answer_(std::move(answer)) {}
    ~AtOnce() override {
      for (auto& thread : threads_) thread.join();
    }
    const std::string& sha256() const override { return sha256_; }
    Outputs run(std::span<const Tensor> inputs) override { return answer_(inputs); }
    void start(std::span<const Tensor> inputs, Callback done) override {
      const std::lock_guard lock(mutex_);
      threads_.emplace_back([this, inputs, done = std::move(done)] { done(answer_(inputs)); });
    }

   private:
    std::function<Outputs(std::span<const Tensor>)> answer_;
    std::string sha256_ = "function";
    std::mutex mutex_;
    std::vector<std::thread> threads_;
  };

  RequestId submit(Heard& heard, const std::string& text, Duration deadline = 60s) {
    Request request = note(text);
    request.deadline = deadline;
    return runtime->submit(
        std::move(request), [&heard](std::string_view piece) { heard.piece(piece); },
        [&heard](Outcome outcome) { heard.ended(std::move(outcome)); });
  }

  ScriptedServer server;
  std::unique_ptr<Runtime> runtime;
};

std::string answer_of(const Outcome& outcome) {
  const auto& data = outcome.outputs.at(0).data;
  return {reinterpret_cast<const char*>(data.data()) + 4, data.size() - 4};
}

}  // namespace

TEST_CASE("pieces reach the app as they arrive, and the outcome has the whole", "[facade][loopback]") {
  Heard heard;
  std::string request;
  PiecesWorld world([&](Peer& peer) {
    request = peer.read_request();
    peer.send(kHead + said("The"));
    heard.wait_for_pieces(1);  // the second piece is not said before the first was heard
    peer.send(said(" knee"));
    heard.wait_for_pieces(2);
    peer.send(kEnd);
  });
  world.submit(heard, "red boots");
  const Outcome outcome = heard.outcome();
  CHECK(outcome.status == OutcomeStatus::kServed);
  CHECK(outcome.served_on == "eu-1");
  CHECK(answer_of(outcome) == "The knee");
  CHECK(outcome.outputs.at(0).name == "answer");
  CHECK(heard.pieces() == std::vector<std::string>{"The", " knee"});
  CHECK(request.find(R"("stream":true)") != std::string::npos);
  CHECK(request.find("Accept-Encoding") == std::string::npos);
}

TEST_CASE("a placeholder that is cut anywhere between pieces comes back restored", "[facade][door][loopback]") {
  Heard heard;
  std::string sent;
  PiecesWorld world([&](Peer& peer) {
    sent = peer.read_request();
    const auto begin = sent.find("[EMAIL_");
    if (begin == std::string::npos) return;
    const std::string placeholder = sent.substr(begin, sent.find(']', begin) + 1 - begin);
    std::string all = kHead + said("Write to ");
    for (const char c : placeholder) all += said(std::string(1, c));
    peer.send(all + said(" and ") + said(placeholder) + said(", [EMAIL") + kEnd);
  });
  world.submit(heard, "ask ann@example.com");
  const Outcome outcome = heard.outcome();
  CHECK(outcome.data_class == "personal");
  CHECK(sent.find("example") == std::string::npos);
  CHECK(answer_of(outcome) == "Write to ann@example.com and ann@example.com, [EMAIL");
  std::string joined;
  for (const auto& piece : heard.pieces()) joined += piece;
  CHECK(joined == answer_of(outcome));
}

TEST_CASE("before the first piece a failure falls back to the device", "[facade][loopback]") {
  const std::string beginning = GENERATE(as<std::string>{}, "", kHead, kHead + chunk(": working on it\n\n"),
                                         "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n");
  PiecesWorld world([&](Peer& peer) {
    peer.read_request();
    peer.send(beginning);
  });
  Heard heard;
  world.submit(heard, "red boots");
  const Outcome outcome = heard.outcome();
  CHECK(outcome.status == OutcomeStatus::kServed);
  CHECK(outcome.served_on == "edge");
  CHECK(answer_of(outcome) == "at home");
  CHECK(heard.pieces().empty());
}

TEST_CASE("after the first piece nothing else answers: a stream that is cut is a typed failure", "[facade][loopback]") {
  struct Case {
    std::string rest, error;
  };
  const auto [rest, error] =
      GENERATE(Case{"", "unavailable"}, Case{chunk("data: {\"cho"), "unavailable"}, Case{"0\r\n\r\n", "corrupt"},
               Case{chunk(event("Jane")) + "0\r\n\r\n", "corrupt"}, Case{"zz\r\n", "corrupt"},
               Case{chunk(event(R"({"error":{"message":"Jane"}})")) + "0\r\n\r\n", "unavailable"});
  CAPTURE(rest);
  Heard heard;
  PiecesWorld world([&, more = rest](Peer& peer) {
    peer.read_request();
    peer.send(kHead + said("The"));
    heard.wait_for_pieces(1);
    peer.send(more);
  });
  world.submit(heard, "red boots");
  const Outcome outcome = heard.outcome();
  CHECK(outcome.status == OutcomeStatus::kFailed);
  CHECK(outcome.reason == Reason::kCloudFailed);
  CHECK(outcome.outputs.empty());
  CHECK(outcome.attempts.back().error == error);
  CHECK(outcome.message.find("Jane") == std::string::npos);
  CHECK(heard.pieces() == std::vector<std::string>{"The"});
}

TEST_CASE("a stall between pieces ends at the deadline", "[facade][loopback]") {
  Heard heard;
  PiecesWorld world([&](Peer& peer) {
    peer.read_request();
    peer.send(kHead + said("The"));
    peer.wait_for_close();
  });
  world.submit(heard, "red boots", 1500ms);
  const Outcome outcome = heard.outcome();
  CHECK(outcome.status == OutcomeStatus::kFailed);
  CHECK(outcome.reason == Reason::kDeadlinePassed);
  CHECK(heard.pieces() == std::vector<std::string>{"The"});
}

TEST_CASE("a request cancelled in the middle hears no more, and the connection is given up", "[facade][loopback]") {
  Heard heard;
  std::promise<void> closed;
  PiecesWorld world([&](Peer& peer) {
    peer.read_request();
    peer.send(kHead + said("The"));
    peer.wait_for_close();
    closed.set_value();
  });
  const RequestId id = world.submit(heard, "red boots");
  heard.wait_for_pieces(1);
  CHECK(world.runtime->cancel(id));
  CHECK(heard.outcome().status == OutcomeStatus::kCancelled);
  closed.get_future().wait();
  CHECK(heard.pieces() == std::vector<std::string>{"The"});
}

TEST_CASE("a server that answers in one is an answer without pieces", "[facade][loopback]") {
  PiecesWorld world([](Peer& peer) {
    peer.read_request();
    const std::string body = R"({"choices":[{"message":{"content":"whole"},"finish_reason":"stop"}]})";
    peer.send("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body);
  });
  Heard heard;
  world.submit(heard, "red boots");
  CHECK(answer_of(heard.outcome()) == "whole");
  CHECK(heard.pieces().empty());
}

TEST_CASE("what a piece callback holds is let go without the runtime's lock", "[facade][loopback]") {
  PiecesWorld world([](Peer& peer) {
    peer.read_request();
    peer.send(kHead + said("The") + kEnd);
  });
  std::promise<std::string> asked;
  struct CallsBack {
    Runtime* runtime;
    std::promise<std::string>& asked;
    ~CallsBack() { asked.set_value(runtime->policy_sha256()); }
  };
  std::shared_ptr<CallsBack> held(new CallsBack{world.runtime.get(), asked});
  Request request = note("red boots");
  request.deadline = 60s;
  world.runtime->submit(
      std::move(request), [held](std::string_view) {}, [](const Outcome&) {});
  held.reset();
  CHECK(asked.get_future().get() == world.runtime->policy_sha256());
}

TEST_CASE("shutting down in the middle of a piece waits for it and then gives the outcome", "[facade][loopback]") {
  std::promise<void> in_piece, go_on;
  PiecesWorld world([](Peer& peer) {
    peer.read_request();
    peer.send(kHead + said("The"));
    peer.wait_for_close();
  });
  Request request = note("red boots");
  request.deadline = 60s;
  std::atomic<bool> piece_over{false}, ended{false}, in_order{false};
  world.runtime->submit(
      std::move(request),
      [&](std::string_view) {
        in_piece.set_value();
        go_on.get_future().wait();
        piece_over = true;
      },
      [&](const Outcome& outcome) {
        in_order = piece_over.load() && outcome.reason == Reason::kShutDown;
        ended = true;
      });
  in_piece.get_future().wait();
  std::thread shutting([&] { world.runtime->shutdown(); });
  go_on.set_value();
  shutting.join();
  CHECK(ended);
  CHECK(in_order);
}
