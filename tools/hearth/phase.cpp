#include "tools/hearth/phase.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "tools/hearth/training_line.h"

namespace hearth::tool {
namespace {

using Clock = std::chrono::steady_clock;

constexpr auto kLeadIn = std::chrono::milliseconds(50);
constexpr auto kPatience = std::chrono::seconds(10);  // beyond the deadline, for an outcome that must come

/// Shared with the callbacks, which may outlive an impatient run_phase.
struct Gathered {
  std::mutex mutex;
  std::condition_variable all_in;
  std::vector<Served> served;
  std::size_t done = 0;
};

std::optional<int> best_label(const Outcome& outcome) {
  if (outcome.status != OutcomeStatus::kServed || outcome.outputs.empty()) return std::nullopt;
  if (outcome.outputs[0].datatype != Datatype::kFp32) return std::nullopt;
  const auto scores = outcome.outputs[0].floats();
  if (scores.empty()) return std::nullopt;
  return static_cast<int>(std::max_element(scores.begin(), scores.end()) - scores.begin());
}

void gather(Gathered& gathered, std::size_t index, const Stream& stream, Duration latency, Outcome outcome) {
  Served one;
  one.arrival = static_cast<std::uint32_t>(index);
  one.latency = latency;
  one.answer = best_label(outcome);
  one.correct = one.answer && *one.answer == stream.truth[stream.arrivals[index].photo];
  one.in_time = outcome.status == OutcomeStatus::kServed && latency <= stream.deadline;
  outcome.outputs.clear();
  one.outcome = std::move(outcome);
  const std::lock_guard lock(gathered.mutex);
  one.submitted = gathered.served[index].submitted;
  gathered.served[index] = std::move(one);
  if (++gathered.done == gathered.served.size()) gathered.all_in.notify_all();
}

Request make_request(const Arrival& arrival, const Stream& stream) {
  Request request;
  request.model = stream.model;
  request.inputs = {stream.photos[arrival.photo]};
  request.text = arrival.caption;
  request.label = arrival.label;
  request.deadline = stream.deadline;
  return request;
}

}  // namespace

Result<std::vector<Served>> run_phase(Runtime& runtime, const Stream& stream, const std::string& title,
                                      const BeforeSubmit& before) {
  const auto gathered = std::make_shared<Gathered>();
  gathered->served.resize(stream.arrivals.size());
  std::optional<TrainingLine> progress(title);
  const auto start = Clock::now() + kLeadIn;
  for (std::size_t i = 0; i < stream.arrivals.size(); ++i) {
    Request request = make_request(stream.arrivals[i], stream);
    progress->show(static_cast<double>(i) / static_cast<double>(stream.arrivals.size()));
    const auto scheduled = start + stream.arrivals[i].at;
    std::this_thread::sleep_until(scheduled);
    if (before) before(i);
    {
      const std::lock_guard lock(gathered->mutex);
      gathered->served[i].submitted = Clock::now() - start;
    }
    // `stream` lives in the caller's frame until every outcome is in, or until this function has given up on them.
    runtime.submit(std::move(request), [gathered, i, scheduled, stream](Outcome outcome) {
      gather(*gathered, i, stream, Clock::now() - scheduled, std::move(outcome));
    });
  }
  std::unique_lock lock(gathered->mutex);
  const bool all = gathered->all_in.wait_for(lock, stream.deadline + kPatience,
                                             [&] { return gathered->done == gathered->served.size(); });
  progress.reset();
  if (!all) {
    return Error{ErrorCode::kInternal, title + ": " + std::to_string(gathered->served.size() - gathered->done) +
                                           " requests never got an outcome"};
  }
  return std::move(gathered->served);
}

}  // namespace hearth::tool
