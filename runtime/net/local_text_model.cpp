// An edge model that is an OpenAI-compatible server on this device. It speaks to nothing but loopback, and shares
// nothing with the transport: no permit can come this way, and no bytes of this way can leave.
#include <atomic>
#include <cassert>
#include <memory>
#include <string>
#include <utility>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>

#include "runtime/base/url.h"
#include "runtime/cloud/openai_codec.h"
#include "runtime/net/net.h"

namespace hearth::net {
namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
namespace {

using Code = boost::system::error_code;

constexpr auto kPassMax = std::chrono::seconds(60);
constexpr auto kSlice = std::chrono::milliseconds(50);  // How long a model that is being destroyed waits at most.

Error error_of(Code code) {
  if (code == http::error::body_limit) return {ErrorCode::kResourceExhausted, "the local text server: reply too large"};
  if (code == beast::error::timeout) return {ErrorCode::kDeadlineExceeded, "the local text server: no answer in 60 s"};
  return {ErrorCode::kUnavailable, "the local text server: " + code.message()};
}

/// One request on a connection and a loop of its own, on the calling thread.
class Pass {
 public:
  Pass(const Url& url, const HttpMessage& message, std::uint64_t reply_bytes_max) {
    request_.method(http::verb::post);
    request_.target(url.base + message.target);
    request_.version(11);
    request_.set(http::field::host, url.authority());
    request_.set(http::field::content_type, "application/json");
    request_.set(http::field::connection, "close");
    request_.body() = message.body;
    request_.prepare_payload();
    parser_.body_limit(reply_bytes_max);
  }

  Result<HttpReply> run(const asio::ip::tcp::endpoint& there, const std::atomic<bool>& stopping) {
    stream_.expires_after(kPassMax);
    stream_.async_connect(there, [this](Code code) { connected(code); });
    while (!context_.stopped()) {
      context_.run_for(kSlice);
      if (stopping) stream_.close();
    }
    if (code_) return error_of(code_);
    HttpReply reply;
    reply.status = static_cast<int>(parser_.get().result_int());
    reply.body = std::move(parser_.get().body());
    return reply;
  }

 private:
  void connected(Code code) {
    if ((code_ = code)) return;
    http::async_write(stream_, request_, [this](Code written, std::size_t) {
      if ((code_ = written)) return;
      http::async_read(stream_, buffer_, parser_, [this](Code read, std::size_t) { code_ = read; });
    });
  }

  asio::io_context context_{1};
  beast::tcp_stream stream_{context_};
  http::request<http::string_body> request_;
  beast::flat_buffer buffer_;
  http::response_parser<http::string_body> parser_;
  Code code_ = asio::error::operation_aborted;  ///< Until the reply is whole.
};

class LocalTextModel final : public EdgeModel {
 public:
  LocalTextModel(const EdgeBinding& binding, Url url, std::size_t threads, std::uint64_t reply_bytes_max)
      : sha256_(binding.sha256), url_(std::move(url)), reply_bytes_max_(reply_bytes_max), pool_(threads) {
    asked_.api = CloudApi::kChat;
    asked_.model = binding.model;
    asked_.outputs = binding.outputs;
    asked_.system_prompt = binding.system_prompt;
    asked_.tokens_max = binding.tokens_max;
    const bool named = url_.host == "localhost";
    there_ = {named ? asio::ip::make_address("127.0.0.1") : asio::ip::make_address(url_.host), url_.port};
  }
  ~LocalTextModel() override {
    stopping_ = true;
    pool_.join();
  }

  const std::string& sha256() const override { return sha256_; }

  Outputs run(std::span<const Tensor> inputs) override try {
    assert(inputs.size() == 1 && inputs[0].data.size() >= 4);
    const auto& data = inputs[0].data;
    const std::string_view text(reinterpret_cast<const char*>(data.data()) + 4, data.size() - 4);
    const auto reply = Pass(url_, cloud::encode_openai(asked_, text), reply_bytes_max_).run(there_, stopping_);
    if (!reply.ok()) return reply.error();
    return cloud::decode_openai(asked_, reply.value());
  } catch (const std::exception&) { return Error{ErrorCode::kInternal, "the local text server: no memory or socket"}; }

  void start(std::span<const Tensor> inputs, Callback done) override {
    asio::post(pool_, [this, inputs, done = std::move(done)] { done(run(inputs)); });
  }

 private:
  const std::string sha256_;
  const Url url_;
  const std::uint64_t reply_bytes_max_;
  CloudBinding asked_;
  asio::ip::tcp::endpoint there_;
  std::atomic<bool> stopping_{false};
  asio::thread_pool pool_;
};

}  // namespace

Result<std::shared_ptr<EdgeModel>> make_local_text_model(const EdgeBinding& binding, std::size_t threads,
                                                         std::uint64_t reply_bytes_max) {
  auto url = parse_url(binding.endpoint);
  if (!url.ok()) return url.error();
  if (url.value().secure() || !is_loopback(url.value().host)) {
    return {ErrorCode::kPermissionDenied,
            "an edge endpoint is on this machine: expected http:// to a loopback address"};
  }
  return std::shared_ptr<EdgeModel>(
      std::make_shared<LocalTextModel>(binding, std::move(url).value(), threads, reply_bytes_max));
}

}  // namespace hearth::net
