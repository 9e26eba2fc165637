#include "bench/bare_beast.h"

#include <ctime>

#include <memory>
#include <optional>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>

namespace hearth::bench {
namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using asio::ip::tcp;
using Clock = std::chrono::steady_clock;
namespace {

/// One connection, from the first request to the last.
class Client {
 public:
  Client(asio::io_context& context, const http::request<http::string_body>& request, Clock::time_point until, Ran& ran)
      : socket_(context), request_(request), until_(until), ran_(ran) {}

  void start(unsigned short port) {
    beast::error_code error;
    socket_.connect({asio::ip::address_v4::loopback(), port}, error);
    if (!error) socket_.set_option(tcp::no_delay(true), error);
    if (error) return fail(error);
    send();
  }

 private:
  void send() {
    began_ = Clock::now();
    reply_ = {};
    http::async_write(socket_, request_, [this](beast::error_code error, std::size_t) {
      if (error) return fail(error);
      http::async_read(socket_, buffer_, reply_, [this](beast::error_code failed, std::size_t) {
        if (failed) return fail(failed);
        on_reply();
      });
    });
  }

  void on_reply() {
    const auto now = Clock::now();
    ran_.latencies_us.push_back(std::chrono::duration<double, std::micro>(now - began_).count());
    if (reply_.result_int() != 200) ran_.error = "status " + std::to_string(reply_.result_int());
    if (now < until_ && ran_.error.empty()) send();
  }

  void fail(beast::error_code error) { ran_.error = error.message(); }

  tcp::socket socket_;
  const http::request<http::string_body>& request_;
  const Clock::time_point until_;
  Ran& ran_;
  Clock::time_point began_;
  beast::flat_buffer buffer_;
  http::response<http::string_body> reply_;
};

}  // namespace

Ran run_bare_beast(unsigned short port, const HttpMessage& message, unsigned connections, Clock::duration time) {
  http::request<http::string_body> request(http::verb::post, message.target, 11, message.body);
  request.set(http::field::host, "127.0.0.1:" + std::to_string(port));
  request.set(http::field::user_agent, "hearth");
  for (const auto& [name, value] : message.headers) request.set(name, value);
  request.prepare_payload();

  Ran ran;
  asio::io_context context(1);
  const double cpu_before = thread_cpu_s();
  const auto began = Clock::now();
  std::vector<std::unique_ptr<Client>> clients;
  for (unsigned i = 0; i < connections; ++i) {
    clients.push_back(std::make_unique<Client>(context, request, began + time, ran));
    clients.back()->start(port);
  }
  context.run();
  ran.took_s = std::chrono::duration<double>(Clock::now() - began).count();
  ran.cpu_s = thread_cpu_s() - cpu_before;
  return ran;
}

double thread_cpu_s() {
  timespec now{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

}  // namespace hearth::bench
