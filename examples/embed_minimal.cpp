/// \file The smallest app with hearth inside: one answer at once, one later. usage: embed_minimal RUNTIME.json
#include <cstdio>
#include <future>
#include <vector>

#include <hearth/runtime.h>

static void print(const char* how, const hearth::Outcome& outcome) {
  std::printf("%s: %s, %s, on %s in %.2f ms, class %s, %llu bytes sent\n", how, hearth::name_of(outcome.status),
              hearth::name_of(outcome.reason), outcome.served_on.c_str(), hearth::to_ms(outcome.latency),
              outcome.data_class.c_str(), static_cast<unsigned long long>(outcome.bytes_sent));
}

int main(int argc, char** argv) {
  const auto config = hearth::load_config(argc > 1 ? argv[1] : "runtime.json");
  if (!config) return std::fprintf(stderr, "%s\n", config.error().message.c_str()), 2;
  const auto runtime = hearth::Runtime::create(config.value());
  if (!runtime) return std::fprintf(stderr, "%s\n", runtime.error().message.c_str()), 2;

  const hearth::ModelPair& pair = config.value().models.front();
  const hearth::TensorSpec& input = pair.edge.inputs.front();
  const std::vector<float> photo(hearth::element_count(input.shape).value(), 0.5f);

  hearth::Request request;
  request.model = pair.name;
  request.inputs = {hearth::Tensor::of_floats(input.name, input.shape, photo)};
  request.label = "public";  // what the app knows of its data; the policy decides what may be done with it

  const hearth::Outcome now = runtime.value()->infer(request);  // on this thread
  print("infer", now);

  std::promise<hearth::Outcome> later;
  runtime.value()->submit(request, [&later](hearth::Outcome outcome) { later.set_value(std::move(outcome)); });
  const hearth::Outcome outcome = later.get_future().get();
  print("submit", outcome);
  return now.status == hearth::OutcomeStatus::kServed && outcome.status == now.status ? 0 : 1;
}
