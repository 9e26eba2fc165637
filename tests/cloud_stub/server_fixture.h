/// \file A stub server on a free port and a client that speaks to it.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <httplib.h>
#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "cloud_stub/server.h"

namespace hearth::stub {

/// Gives back twice its FP32 input "a" [1,2] and its BYTES input "t" [1]; refuses a negative first value.
class DoublingModel : public Model {
 public:
  DoublingModel() {
    info_.name = "double";
    info_.version = "7";
    info_.platform = "test";
    info_.inputs = {{"a", Datatype::kFp32, {1, 2}}, {"t", Datatype::kBytes, {1}}};
    info_.optional_inputs = {{"caption", Datatype::kBytes, {1}}};
    info_.outputs = {{"twice", Datatype::kFp32, {1, 2}}, {"t", Datatype::kBytes, {1}}};
  }
  const ModelInfo& info() const override { return info_; }
  Result<std::vector<Tensor>> run(std::span<const Tensor> inputs) override {
    const auto values = inputs[0].floats();
    if (values[0] < 0) return {ErrorCode::kInvalidArgument, "negative: Maria Huber"};
    const std::vector<float> twice{values[0] * 2, values[1] * 2};
    std::vector<Tensor> outputs{Tensor::of_floats("", {1, 2}, twice), inputs[1]};
    return outputs;
  }

 private:
  ModelInfo info_;
};

/// The null model "null" and DoublingModel.
class Served {
 public:
  explicit Served(StubConfig config = {}, std::function<void()> on_quit = {})
      : server_(std::move(config), {null_model("null"), std::make_shared<DoublingModel>()}, std::move(on_quit)) {
    auto port = server_.start();
    REQUIRE(port.ok());
    port_ = port.value();
    client_ = std::make_unique<httplib::Client>("127.0.0.1", port_);
    client_->set_keep_alive(true);
    client_->set_tcp_nodelay(true);
    client_->set_read_timeout(120);  // Sanitizers on a busy machine are slow with large bodies.
    client_->set_write_timeout(120);
  }

  httplib::Response get(const std::string& path) { return kept(client_->Get(path)); }
  httplib::Response post(const std::string& path, const std::string& body, const httplib::Headers& headers = {}) {
    return kept(client_->Post(path, headers, body, "application/octet-stream"));
  }
  /// Sends a JSON header and binary tensors behind it.
  httplib::Response post_binary(const std::string& path, const std::string& header, const std::string& binary) {
    return post(path, header + binary, {{"Inference-Header-Content-Length", std::to_string(header.size())}});
  }
  nlohmann::json stats() { return nlohmann::json::parse(get("/admin/stats").body); }

  StubServer& server() { return server_; }
  httplib::Client& client() { return *client_; }
  int port() const { return port_; }

 private:
  static httplib::Response kept(const httplib::Result& result) {
    REQUIRE(result);
    return *result;
  }

  StubServer server_;
  int port_ = 0;
  std::unique_ptr<httplib::Client> client_;
};

inline std::string error_of(const httplib::Response& response) {
  const auto body = nlohmann::json::parse(response.body, nullptr, false);
  return body.is_object() && body.contains("error") ? body["error"].get<std::string>() : "no error";
}

inline std::string bytes_of(const std::vector<float>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float)};
}

/// As the binary extension puts one BYTES element.
inline std::string text_element(const std::string& text) {
  const auto length = static_cast<std::uint32_t>(text.size());
  return std::string(reinterpret_cast<const char*>(&length), 4) + text;
}

inline const std::string kDoubleJson =
    R"({"id":"q","inputs":[{"name":"a","datatype":"FP32","shape":[1,2],"data":[1.5,-2]},)"
    R"({"name":"t","datatype":"BYTES","shape":[1],"data":["boot"]}]})";

}  // namespace hearth::stub
