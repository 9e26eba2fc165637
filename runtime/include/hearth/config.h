/// \file Configuration of a runtime: model pairs, endpoints, bounds. Defaults live here and nowhere else.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include <hearth/confidence.h>
#include <hearth/egress_permit.h>
#include <hearth/result.h>
#include <hearth/tensor.h>
#include <hearth/time.h>

namespace hearth {

/// The local half of a pair.
struct EdgeBinding {
  std::string file;                ///< TorchScript file; relative paths in a pair file are relative to that file.
  std::string sha256;              ///< Lower-case hex. Empty: not checked (the outcome still shows what was loaded).
  std::vector<TensorSpec> inputs;  ///< Empty only where the cloud half takes Request::text: a pair for text alone.
  std::vector<TensorSpec> outputs;
  /// In place of a file, for a pair for text alone: a server on this device that speaks the OpenAI API, such as
  /// `http://127.0.0.1:8080/v1`. Loopback addresses only. It counts as this device, so what it gets has not left: that
  /// it keeps it here is up to whoever runs it.
  std::string endpoint;
  std::string model;             ///< Its name on that server, for chat/completions.
  std::string system_prompt;     ///< What the model is told before the text.
  std::uint64_t tokens_max = 0;  ///< Longest answer. 0: the server's choice.
  std::string profile;  ///< What `hearth profile` measured of `file`: forecasts begin with it. Empty: with nothing.
  double share = 1;     ///< Of this device's time, against the shares of other models that wait for it too.
  /// Requests that one forward pass takes at most. 1: each runs alone. Above it every input and output begins with a
  /// dimension of 1, that of the batch, and the others are fixed.
  std::uint64_t batch_max = 1;
  Duration batch_wait{};  ///< How long a request waits for company at most while a slot is free.
};

/// What a pair's cloud half is asked with. All but kInfer are the OpenAI API's, for pairs of text alone.
enum class CloudApi : std::uint8_t {
  kInfer,        ///< Tensors to tensors, Open Inference Protocol.
  kChat,         ///< chat/completions: the text is what the user says; the answer is one BYTES [1] output.
  kCompletions,  ///< completions: the text is the prompt; the answer is one BYTES [1] output.
  kEmbeddings,   ///< embeddings: the text becomes one FP32 output.
};

/// What the API's endpoints speak.
constexpr Protocol protocol_of(CloudApi api) { return api == CloudApi::kInfer ? Protocol::kOip : Protocol::kOpenai; }

/// The cloud half of a pair, as the server knows it.
struct CloudBinding {
  std::string model;    ///< Empty: this pair has no cloud half and always stays on the edge.
  std::string version;  ///< Empty: the server's choice.
  std::string sha256;   ///< Of the file the server is said to serve; shown in outcomes, not verifiable from here.
  std::vector<TensorSpec>
      inputs;  ///< Same number, types and element counts as the edge inputs; names and shapes may differ.
  std::vector<TensorSpec> outputs;  ///< Same number, types and element counts as the edge outputs.
  double accuracy = 1;     ///< Share of its answers that are right, for policies whose objective weighs quality.
  std::string text_input;  ///< Name of a BYTES [1] input that takes Request::text. Empty: text never leaves.
  CloudApi api = CloudApi::kInfer;  ///< The pair goes to endpoints that speak it, and to no others.
  std::string system_prompt;        ///< For kChat: what the model is told before the text. Empty: nothing.
  std::uint64_t tokens_max = 0;     ///< For kChat and kCompletions: longest answer. 0: the server's choice.
};

/// An edge model and a cloud model under one name. Written by `hearth prepare` as `pair.json`.
struct ModelPair {
  std::string name;
  EdgeBinding edge;
  CloudBinding cloud;
  Scores scores = Scores::kLogits;
  /// The app's own confidence of the edge outputs, 0 to 1, instead of one made from the scores. Called on the thread of
  /// the forward pass. What is not a number counts as unsure.
  std::function<float(std::span<const Tensor>)> confidence;
  std::vector<std::string> labels;  ///< Answers compare by the label of the largest score in `outputs[0]`.
};

/// Every bound says what happens when it is reached.
struct Limits {
  std::size_t queue_length_max = 256;  ///< Requests waiting for a slot; one more is rejected (kQueueFull).
  std::size_t edge_slots = 2;          ///< Forward passes at the same time; others wait in the queue.
  std::uint64_t edge_memory_mib_max =
      4096;                              ///< Edge models in memory, by the size of their files. Beyond it the idle one
                                         ///< used longest ago goes; the request that next wants it waits for it.
  std::size_t cloud_in_flight_max = 64;  ///< Cloud attempts at the same time; beyond it the answer stays local.
  std::uint64_t payload_kib_max =
      16 * 1024;                            ///< Input bytes plus text; larger requests are rejected (kInvalidRequest).
  std::uint64_t reply_kib_max = 16 * 1024;  ///< Larger replies fail the attempt.
  std::size_t sessions_max = 10'000;  ///< Sessions with taint remembered; beyond it every session counts as tainted.
  std::size_t connections_per_endpoint_max = 8;  ///< Kept alive; further attempts open and close their own.
  std::uint64_t journal_segment_mib = 8;         ///< A journal file that would grow larger is followed by a new one.
  std::size_t journal_segments_max = 8;  ///< Files kept; beyond it the oldest goes, and with it what it records.
};

/// How the cloud path behaves in time.
struct CloudTiming {
  Duration connect_timeout = std::chrono::seconds(1);  ///< Look-up, connection and TLS handshake together.
  Duration look_up_every = std::chrono::seconds(30);   ///< An endpoint's addresses; also after a connection failed.
  Duration expected_latency = std::chrono::milliseconds(80);  ///< Prediction before the first measurement.
  Duration local_reserve =
      std::chrono::milliseconds(10);  ///< Time before the deadline at which the local answer is given instead.
  unsigned breaker_failures = 5;      ///< Consecutive failures that open an endpoint's breaker.
  Duration breaker_backoff = std::chrono::seconds(1);  ///< First pause; doubles with each failed trial.
  Duration breaker_backoff_max = std::chrono::seconds(30);

  unsigned attempts_max = 2;               ///< Cloud attempts per request, retries and hedges included.
  double extra_attempts_share_max = 0.08;  ///< Retries and hedges per first attempt, over any longer while.
  Duration retry_backoff = std::chrono::milliseconds(50);  ///< Before the same endpoint is asked again; doubles.
  Duration retry_after_max = std::chrono::seconds(60);     ///< The longest that a server's Retry-After is obeyed.
  double in_time_probability_min = 0.9;  ///< With a local answer to fall back on: what the forecast must reach.
};

/// What an answer costs in energy, for policies whose objective weighs it. Radio: LTE's 438 mW per Mbit/s of upload
/// (Huang et al., "A close examination of performance and power characteristics of 4G LTE networks", MobiSys 2012).
struct EnergyCosts {
  double edge_watts = 2;                ///< While a forward pass runs.
  double radio_joules_per_mib = 3.7;    ///< Of payload sent.
  double radio_joules_per_attempt = 0;  ///< Waking the radio and its tail: 12 J on LTE where attempts are rare.
};

struct RuntimeConfig {
  std::vector<ModelPair> models;
  std::vector<Endpoint> endpoints;  ///< At most 31. Each serves the cloud half of every pair whose API it speaks.
  std::string policy_file;          ///< Used when `policy_json` is empty.
  std::string policy_json;          ///< The policy itself.
  std::string journal_file;         ///< Consent, taint, budgets, audit records. Empty: in memory, gone at exit.
  std::string audit_key_file;       ///< Of the device key that seals the journal. Empty: `journal_file` + ".key".
  std::string profile_file;         ///< What Runtime::profile() once said, for forecasts to begin with. May be missing.
  std::string profile_json;         ///< The same itself; then `profile_file` is not read.
  bool audit_decisions = true;      ///< Whether the journal gets a record of each decision, local ones included.
  Duration default_deadline = std::chrono::seconds(1);
  std::size_t threads = 2;  ///< For everything hearth and LibTorch compute with, in this process.
  Limits limits;
  CloudTiming cloud;
  EnergyCosts energy;
  std::uint64_t seed = 0;  ///< Of every draw and of the ids on the wire. 0: secret, chosen by the operating system.
};

/// Reads a runtime configuration and the pair files it names, and validates both. Relative paths in it are relative to
/// the file's folder and come back relative to the working directory. All problems come in one error, a line each:
/// `file:line:column: path: what, expected what`.
Result<RuntimeConfig> load_config(const std::string& file);

/// Reads a pair file as `hearth prepare` writes it. `edge.file` must exist and comes back relative to the working
/// directory. Cloud inputs and outputs that the file leaves out are the edge's.
Result<ModelPair> load_pair(const std::string& file);

}  // namespace hearth
