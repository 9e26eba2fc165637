/// \file Runtime: the whole of hearth behind one object. Hand it requests, get outcomes.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include <hearth/config.h>
#include <hearth/device.h>
#include <hearth/edge_model.h>
#include <hearth/event_loop.h>
#include <hearth/journal.h>
#include <hearth/outcome.h>
#include <hearth/request.h>
#include <hearth/transport.h>

namespace hearth {

enum class LogLevel : std::uint8_t { kInfo, kWarning, kError };
/// Called with one line, never with payload text. From any thread; must not call back into the runtime.
using LogCallback = std::function<void(LogLevel, std::string_view)>;

/// The six seams through which everything nondeterministic enters (the sixth is RuntimeConfig::seed).
struct World {
  std::shared_ptr<EventLoop> loop;
  std::shared_ptr<Transport> transport;
  std::shared_ptr<DeviceProbe> probe;  ///< May be null: then only the app tells of the device.
  std::shared_ptr<Journal> journal;    ///< May be null: then nothing outlives this runtime.
  std::function<Result<std::shared_ptr<EdgeModel>>(const ModelPair&)> load_edge_model;
  /// Calls back, from any thread, whenever the file may have changed, until what it returned is destroyed. May be
  /// empty: then only reload_policy() looks at the policy file again.
  std::function<Result<std::shared_ptr<void>>(const std::string& file, std::function<void()> changed)> watch_file;
  /// 32 random bytes that nobody else knows: the key of redaction's placeholders. Empty: made from RuntimeConfig::seed,
  /// for simulations.
  std::string redaction_secret;
};

/// Threads: every method from any thread. Callbacks run on the loop thread and must not block.
/// Ownership: the runtime owns its world and stops it. Destroying it delivers kShutDown to everything in flight first.
class Runtime {
 public:
  using Callback = std::function<void(Outcome)>;
  using PieceCallback = std::function<void(std::string_view)>;

  /// The real world: this device's clock, network, sensors, and LibTorch.
  /// Errors: everything wrong with the configuration, the policy and the model files, in one message.
  static Result<std::unique_ptr<Runtime>> create(const RuntimeConfig& config, LogCallback log = {});
  /// The same code in a world of the caller's.
  static Result<std::unique_ptr<Runtime>> create(const RuntimeConfig& config, World world, LogCallback log = {});
  ~Runtime();
  Runtime(const Runtime&) = delete;
  Runtime& operator=(const Runtime&) = delete;

  /// Answers one request. The local forward pass runs on the calling thread; when the plan goes on to the cloud, the
  /// caller waits. Calling it from the loop thread is an error (kFailed, kInvalidRequest). A pass that outlasts the
  /// deadline cannot be interrupted: the outcome comes late and says so.
  Outcome infer(const Request& request);

  /// Answers one request later: `done` runs exactly once, with the outcome, never inside this call.
  RequestId submit(Request request, Callback done);

  /// The same for text that a cloud model writes: each piece goes to `on_piece` as it arrives, restored, on the loop
  /// thread, before `done`. Only pairs whose cloud API is chat or completions have pieces; what the device answers, or
  /// a server that does not stream, comes whole in the outcome alone. With the first piece the answer is this
  /// attempt's: nothing else answers any more, and when it breaks off the outcome is kFailed.
  RequestId submit(Request request, PieceCallback on_piece, Callback done);

  /// Withdraws a submitted request: its outcome is kCancelled, at once. False when it already has an outcome.
  bool cancel(RequestId request);

  /// What the app knows of the device. Fields left unknown fall back to the device probe.
  void set_device_state(const DeviceState& state);
  /// Takes effect for every attempt that has not been permitted yet. kAbsent is not a valid answer of a user: use
  /// kRevoked.
  void set_consent(Consent consent);
  /// Ends a session: withdraws what is in flight in it. Its taint stays until it expires.
  void end_session(std::string_view session);
  /// Ends a session and everything remembered about it, taint included. For when its data is deleted on the device.
  void forget_session(std::string_view session);

  /// Stops accepting requests and delivers kCancelled/kShutDown to everything in flight before it returns, on this
  /// thread. Idempotent. Not to be called from a callback.
  void shutdown();

  /// Puts another policy in force, at once and whole: `json`, or, when it is empty, the configuration's policy file
  /// read anew. What is in flight is judged by it before its next attempt: narrowed, never widened. On an error the old
  /// policy stays, and the log says so too. Compiling happens on the calling thread; no request waits for it.
  Status reload_policy(std::string_view json = {});

  /// SHA-256 of the policy in force, lower-case hex.
  std::string policy_sha256() const;

  /// What was learned of how long answers take, as a profile file's text: for each edge model, and for each endpoint,
  /// model and size of payload. No time, no payload, no request. The app keeps it, and hands it to the next runtime as
  /// RuntimeConfig::profile_file or profile_json; a runtime starts without it, and says so in the log, when it is
  /// broken.
  std::string profile() const;

 private:
  class Core;
  Runtime(std::shared_ptr<EventLoop> loop, std::shared_ptr<Core> core);
  std::shared_ptr<EventLoop> loop_;  ///< Outlives what waits in it.
  std::shared_ptr<Core> core_;
};

}  // namespace hearth
