#include "runtime/sim/simulated_transport.h"

#include <algorithm>
#include <charconv>

#include <nlohmann/json.hpp>

namespace hearth::sim {
namespace {

Duration transfer_time(std::uint64_t bytes, double mbit_per_s) {
  return Duration(static_cast<Duration::rep>(static_cast<double>(bytes) * 8e3 / mbit_per_s));
}

HttpReply error_reply(int status) {
  return {status, {{"content-type", "application/json"}}, R"({"error":"simulated"})"};
}

std::size_t json_length(const HttpMessage& message) {
  for (const auto& [name, value] : message.headers) {
    std::size_t length = 0;
    if (name == "Inference-Header-Content-Length" &&
        std::from_chars(value.data(), value.data() + value.size(), length).ec == std::errc())
      return length;
  }
  return message.body.size();
}

}  // namespace

Responder oip_server(const CloudBinding& binding,
                     std::function<std::vector<Tensor>(const std::vector<std::string>&)> answer) {
  return [binding, answer](const HttpMessage& message) -> HttpReply {
    const auto header = nlohmann::json::parse(message.body.substr(0, json_length(message)), nullptr, false);
    if (header.is_discarded() || !header.contains("inputs")) return error_reply(400);
    std::vector<std::string> inputs;
    std::size_t at = json_length(message);
    for (const auto& input : header["inputs"]) {
      const std::size_t size = input["parameters"].value("binary_data_size", std::size_t{0});
      if (input["datatype"] == "FP32") inputs.push_back(message.body.substr(at, size));
      at += size;
    }
    nlohmann::json outputs = nlohmann::json::array();
    std::string raw;
    const auto tensors = answer(inputs);
    for (std::size_t i = 0; i < tensors.size(); ++i) {
      const auto& tensor = tensors[i];
      outputs.push_back({{"name", binding.outputs[i].name},
                         {"datatype", name_of(tensor.datatype)},
                         {"shape", binding.outputs[i].shape},
                         {"parameters", {{"binary_data_size", tensor.data.size()}}}});
      raw.append(reinterpret_cast<const char*>(tensor.data.data()), tensor.data.size());
    }
    const std::string head =
        nlohmann::json{{"model_name", binding.model}, {"id", header.value("id", "")}, {"outputs", outputs}}.dump();
    return {200, {{"inference-header-content-length", std::to_string(head.size())}}, head + raw};
  };
}

SimulatedTransport::SimulatedTransport(EventLoop& loop, Link link, Responder responder, std::uint64_t seed)
    : loop_(loop),
      link_(link),
      responder_(std::move(responder)),
      delays_(seed, "link delays"),
      faults_(seed, "link faults") {}

void SimulatedTransport::send(AttemptId attempt, EgressPermit permit, TimePoint deadline, SendCallback done) {
  const TimePoint now = loop_.now();
  const HttpMessage& message = permit.message();
  seen_.push_back(message);
  const auto round_trip = Duration(static_cast<Duration::rep>(
      delays_.lognormal(static_cast<double>(link_.round_trip_median.count()), link_.round_trip_sigma)));
  const double fault = faults_.uniform();

  Flight flight{std::move(done), 0, message.body.size()};
  TimePoint due = deadline;
  Result<HttpReply> reply(ErrorCode::kDeadlineExceeded, "no reply before the deadline");
  if (now >= link_.dead_from) {
    due = now + round_trip / 2;
    flight.bytes = 0;
    reply = Error{ErrorCode::kUnavailable, "connection refused"};
  } else if (fault >= link_.loss_share) {
    reply = fault < link_.loss_share + link_.error_share ? error_reply(503) : responder_(message);
    up_free_ = std::max(up_free_, now) + transfer_time(message.body.size(), link_.up_mbit_per_s);
    down_free_ = std::max(down_free_, up_free_ + round_trip) + transfer_time(reply->body.size(), link_.down_mbit_per_s);
    due = down_free_;
    if (due > deadline) due = deadline, reply = Error{ErrorCode::kDeadlineExceeded, "no reply before the deadline"};
  }
  flight.timer = loop_.schedule_at(due, [this, attempt, reply = std::move(reply)] { end(attempt, reply); });
  flights_.emplace(attempt, std::move(flight));
}

void SimulatedTransport::cancel(AttemptId attempt) {
  const auto found = flights_.find(attempt);
  if (found == flights_.end()) return;
  loop_.cancel(found->second.timer);
  loop_.post([this, attempt] { end(attempt, Error{ErrorCode::kCancelled, "cancelled"}); });
}

void SimulatedTransport::end(AttemptId attempt, Result<HttpReply> reply) {
  auto flight = flights_.extract(attempt);
  flight.mapped().done({std::move(reply), flight.mapped().bytes});
}

}  // namespace hearth::sim
