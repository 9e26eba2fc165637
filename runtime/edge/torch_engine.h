/// \file TorchEngine: runs TorchScript files on this device. No torch header is needed to use it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <string_view>

#include <hearth/config.h>
#include <hearth/edge_model.h>
#include <hearth/result.h>

namespace hearth::edge {

/// Called with one line, never with payload text, from any thread.
using LogLine = std::function<void(std::string_view)>;

/// Who runs a model: a FlatPlan where its graph allows, else LibTorch; or LibTorch in any case, whose calls can be
/// watched.
enum class Executor : std::uint8_t { kFastest, kTorch };

/// Loads models and owns the threads that EdgeModel::start() runs on.
///
/// The thread budget of the process: `threads` workers belong to the engine; one forward pass uses exactly one thread
/// (LibTorch's pools and OpenBLAS are both set to 1, for the whole process); EdgeModel::run() uses its caller's thread.
/// So at most `threads` plus the callers inside run() compute, and the scheduler's `edge_slots` bounds both together.
/// An app that uses LibTorch itself shares these settings: they are LibTorch's, per process, and a later
/// at::set_num_threads of the app's takes them back.
///
/// LibTorch's warnings go to `log` (each place in its source once) instead of stderr; glog's lines below ERROR, which
/// LibTorch also uses, are dropped unless the app has set glog up itself. A TorchScript `print` prints nothing.
///
/// Threads: every method from any thread. A TorchScript file is a program: load only files you trust, and give their
/// SHA-256. The engine must outlive what it is asked to start; run() works without it.
class TorchEngine {
 public:
  /// `memory_bytes_max`: of all models loaded here together, each counted at the size of its file. Beyond it the idle
  /// model that was used longest ago is unloaded; its next pass loads it again first, on run()'s caller or start()'s
  /// worker, and fails with kCorrupt when the file is no longer the one that was loaded. More only while more is in
  /// use.
  explicit TorchEngine(std::size_t threads, LogLine log = {},
                       std::uint64_t memory_bytes_max = std::numeric_limits<std::uint64_t>::max());
  /// Lets running passes end, completes waiting ones with kCancelled, joins.
  ~TorchEngine();
  TorchEngine(const TorchEngine&) = delete;
  TorchEngine& operator=(const TorchEngine&) = delete;

  /// Reads, checks, freezes and warms up a model; any number may be loaded at a time. Takes as long as a few forward
  /// passes. Errors, one line that names the file: kNotFound; kCorrupt for an empty, cut or non-TorchScript file and
  /// for a SHA-256 other than the binding's; kInvalidArgument when the model cannot run on the binding's inputs or
  /// gives other outputs than the binding's; kResourceExhausted above 2 GiB or the whole memory budget. With a
  /// `batch_max` above 1 it is also tried on rows together: where each does not come out as it does alone, within
  /// 0.0001 of the largest, the model makes no batches (EdgeModel::batched()) and the log says so.
  Result<std::shared_ptr<EdgeModel>> load(const EdgeBinding& binding, Executor executor = Executor::kFastest);

  /// What computes the quantized layers of a file of this size: "onednn", "qnnpack", "fbgemm" or "none". Small files
  /// get the engine with the lower cost per call.
  static std::string_view quantized_engine(std::uint64_t file_bytes);

 private:
  class Process;
  std::shared_ptr<Process> process_;
};

}  // namespace hearth::edge
