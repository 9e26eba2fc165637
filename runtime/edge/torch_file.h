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

/// Makes the best engine of this LibTorch the one that quantized weights are packed for, and names it; "none" when
/// there is none. Has to come before a quantized file is loaded.
const char* choose_quantized_engine();

/// LibTorch's message without its backtrace, in one line.
std::string one_line(const std::exception& error);

/// The file's bytes, at most 2 GiB and not empty.
Result<std::string> read_model_file(const std::string& file);

/// A module in evaluation mode from a TorchScript file's bytes. kCorrupt, naming the file.
Result<torch::jit::Module> parse_module(std::string_view bytes, const std::string& file);

/// The module with its parameters as constants. `module` must not have run. Throws when it cannot be frozen.
torch::jit::Module freeze_module(torch::jit::Module module);

}  // namespace hearth::edge
