/// \file What loading and quantizing share. Internal to runtime/edge: it includes torch.
#pragma once

#include <torch/script.h>
#include <torch/version.h>

#include <exception>
#include <functional>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include <hearth/result.h>

#include "runtime/edge/hashed_file.h"

namespace hearth::edge {

/// Takes LibTorch's warnings of the threads it is set on, and hands on each place in LibTorch's source once. What a
/// model itself warns of may hold payload and is withheld.
class WarningSink final : public c10::WarningHandler {
 public:
  explicit WarningSink(std::function<void(std::string_view)> log) : log_(std::move(log)) {}
#if TORCH_VERSION_MAJOR < 2
  void process(const c10::SourceLocation& place, const std::string& text, bool verbatim) override {
    take(place, text, verbatim);
  }
#else
  void process(const c10::Warning& warning) override {
    take(warning.source_location(), warning.msg(), warning.verbatim());
  }
#endif

 private:
  void take(const c10::SourceLocation& place, const std::string& text, bool from_model);

  std::function<void(std::string_view)> log_;
  std::mutex mutex_;
  std::set<std::pair<std::string, std::uint32_t>> seen_;
};

/// While it lives, warnings of this thread go to the sink.
#if TORCH_VERSION_MAJOR < 2
using WarningRoute = c10::Warning::WarningHandlerGuard;
#else
using WarningRoute = c10::WarningUtils::WarningHandlerGuard;
#endif

/// Drops glog's lines below ERROR, unless the app has set glog up, and what TorchScript prints. Per process.
void silence_torch();

/// The engine that quantized layers of a file of this size are packed for: "onednn", "fbgemm", "qnnpack", or "none"
/// when LibTorch has none. oneDNN costs 30 us a call and layer and then is quick, QNNPACK costs little and then is
/// slower; two layers cross at about 400 wide (LibTorch 1.13.1, one thread, batch 1). By size and not by trying, so
/// that the same file always computes the same numbers on one machine.
const char* quantized_engine_for(std::uint64_t file_bytes);

/// While it lives, quantized layers of this process are packed for quantized_engine_for(file_bytes), which is when they
/// are loaded or made; what is packed keeps its engine. One at a time: others wait.
class PackingEngine {
 public:
  explicit PackingEngine(std::uint64_t file_bytes);
  ~PackingEngine();
  PackingEngine(const PackingEngine&) = delete;
  PackingEngine& operator=(const PackingEngine&) = delete;

 private:
  std::unique_lock<std::mutex> lock_;
  at::QEngine before_;
};

/// LibTorch's message without its backtrace, in one line.
std::string one_line(const std::exception& error);

inline constexpr std::uint64_t kModelBytesMax = std::uint64_t{2} << 30;

/// The file's bytes, at most 2 GiB and not empty.
Result<std::string> read_model_file(const std::string& file);

/// A module in evaluation mode from a TorchScript file's bytes. kCorrupt, naming the file.
Result<torch::jit::Module> parse_module(std::string_view bytes, const std::string& file);
/// The same, without a copy of the whole file. `name` is for errors. Also kCorrupt when the file is no longer as
/// hashed.
Result<torch::jit::Module> parse_module(HashedFile& file, const std::string& name);

/// The module with its parameters as constants. `module` must not have run. Throws when it cannot be frozen.
torch::jit::Module freeze_module(torch::jit::Module module);

/// QNNPACK ignores `reduce_range` and warns of it at each call of each layer: asks for what it does anyway. `module`
/// must not have run.
void calm_qnnpack(torch::jit::Module& module);

}  // namespace hearth::edge
