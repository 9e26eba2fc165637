/// \file ReplyParser: one HTTP/1 reply, from bytes to HttpReply, within bounds.
#pragma once

#include <cstdint>
#include <string_view>

#include <boost/beast/http/basic_parser.hpp>

#include <hearth/transport.h>

namespace hearth::net {

/// Beast's grammar, hearth's reply. Interim (1xx) replies parse as replies without a body: the owner begins again.
/// Threads: none of its own.
class ReplyParser final : public boost::beast::http::basic_parser<false> {
 public:
  ReplyParser(std::uint32_t head_bytes_max, std::uint64_t body_bytes_max, bool answers_head_request) {
    header_limit(head_bytes_max);
    body_limit(body_bytes_max);
    eager(true);
    skip(answers_head_request);
  }

  int status() const { return reply_.status; }
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
    auto& [own_name, own_value] = reply_.headers.emplace_back(name, value);
    for (char& c : own_name) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
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
    reply_.body.append(body.data(), body.size());
    return body.size();
  }
  void on_chunk_header_impl(std::uint64_t, View, Code& error) override { error = {}; }
  std::size_t on_chunk_body_impl(std::uint64_t, View body, Code& error) override { return on_body_impl(body, error); }
  void on_finish_impl(Code& error) override { error = {}; }

  static constexpr std::uint64_t kReserveMax = 1 << 20;  // a length that is only claimed buys no more memory than this
  HttpReply reply_;
  bool head_done_ = false;
};

}  // namespace hearth::net
