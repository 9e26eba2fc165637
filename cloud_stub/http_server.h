/// \file HttpServer: httplib's server with what it keeps to itself, and its requests as the stub looks at them.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include <httplib.h>

namespace hearth::stub {

/// With a backlog of its own choosing (httplib's 5 drops bursts of connections).
class HttpServer : public httplib::Server {
 public:
  void raise_backlog();
};

/// httplib hands each accepted connection to its pool as one task.
class CountingPool : public httplib::TaskQueue {
 public:
  CountingPool(std::size_t threads, std::atomic<std::uint64_t>& connections)
      : pool_(threads), connections_(connections) {}
  void enqueue(std::function<void()> task) override;
  void shutdown() override { pool_.shutdown(); }

 private:
  httplib::ThreadPool pool_;
  std::atomic<std::uint64_t>& connections_;
};

bool is_loopback(std::string_view address);
std::uint64_t head_bytes(const httplib::Request& request);
/// Everything in the head that can hold text, for the tripwire.
std::string head_text(const httplib::Request& request);
/// Idle keep-alive connections outlive httplib's stop() until their timeout: shuts every connection to `port` down.
void shut_down_connections(int port);

}  // namespace hearth::stub
