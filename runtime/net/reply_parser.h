/// \file ReplyParser: one HTTP/1 reply, from bytes to HttpReply, within bounds.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <boost/beast/core/string.hpp>
#include <boost/beast/http/basic_parser.hpp>

#include <hearth/transport.h>

#include "runtime/net/inflater.h"

namespace hearth::net {

/// Beast's grammar, hearth's reply. Interim (1xx) replies parse as replies without a body: the owner begins again. A
/// body in gzip is unpacked, within the same bound as any other; the reply then has no content-encoding any more.
/// Threads: none of its own.
class ReplyParser final : public boost::beast::http::basic_parser<false> {
 public:
  ReplyParser(std::uint32_t head_bytes_max, std::uint64_t body_bytes_max, bool answers_head_request) {
    body_bytes_max_ = body_bytes_max;
    reply_.headers.reserve(8);  // most have no more
    header_limit(head_bytes_max);
    body_limit(body_bytes_max);
    eager(true);
    skip(answers_head_request);
  }

  /// Why put() failed, when it was the body's encoding; null otherwise.
  const char* wrong_encoding() const { return wrong_encoding_; }
  int status() const { return reply_.status; }
  const std::string& body() const { return reply_.body; }  ///< So far.
  HttpReply take() { return std::move(reply_); }

 private:
  using Code = boost::beast::error_code;
  using View = boost::beast::string_view;

  void on_request_impl(boost::beast::http::verb, View, View, int, Code&) override {}
  void on_response_impl(int status, View, int, Code& error) override {
    error = {};
    reply_.status = status;
  }
  void on_field_impl(boost::beast::http::field, View name, View value, Code& error) override {
    error = {};
    if (head_done_) return;  // trailers say nothing that hearth reads
    std::string lower(name);
    for (char& c : lower) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    if (lower == "content-encoding") return read_encoding(value);
    reply_.headers.emplace_back(std::move(lower), value);
  }
  void on_header_impl(Code& error) override {
    error = {};
    head_done_ = true;
  }
  void on_body_init_impl(const boost::optional<std::uint64_t>& length, Code& error) override {
    error = {};
    if (length) reply_.body.reserve(static_cast<std::size_t>(std::min<std::uint64_t>(*length, kReserveMax)));
  }
  std::size_t on_body_impl(View body, Code& error) override {
    error = {};
    if (wrong_encoding_ != nullptr) {
      error = boost::beast::http::error::bad_value;
    } else if (!inflater_) {
      reply_.body.append(body.data(), body.size());
    } else {
      inflate({body.data(), body.size()}, error);
    }
    return body.size();
  }
  void on_chunk_header_impl(std::uint64_t, View, Code& error) override { error = {}; }
  std::size_t on_chunk_body_impl(std::uint64_t, View body, Code& error) override { return on_body_impl(body, error); }
  void on_finish_impl(Code& error) override {
    error = {};
    if (!inflater_ || inflater_->whole()) return;
    wrong_encoding_ = "the gzip body is cut short";
    error = boost::beast::http::error::bad_value;
  }

  void read_encoding(View value) {
    using boost::beast::iequals;
    if (iequals(value, "identity") || value.empty()) return;
    const bool gzip = iequals(value, "gzip") || iequals(value, "x-gzip");
    if (!gzip || inflater_) wrong_encoding_ = "the body is in an encoding that was not asked for";
    if (gzip) inflater_.emplace(body_bytes_max_);
  }
  void inflate(std::string_view body, Code& error) {
    const auto now = inflater_->put(body, reply_.body);
    if (now == Inflater::State::kTooLarge) error = boost::beast::http::error::body_limit;
    if (now != Inflater::State::kCorrupt) return;
    wrong_encoding_ = "the body is not the gzip it says it is";
    error = boost::beast::http::error::bad_value;
  }

  static constexpr std::uint64_t kReserveMax = 1 << 20;  // a length that is only claimed buys no more memory than this
  HttpReply reply_;
  std::uint64_t body_bytes_max_ = 0;
  std::optional<Inflater> inflater_;
  const char* wrong_encoding_ = nullptr;
  bool head_done_ = false;
};

}  // namespace hearth::net
