#include "runtime/edge/torch_file.h"

#include <caffe2/serialize/read_adapter_interface.h>
#include <dlfcn.h>
#include <torch/csrc/jit/runtime/print_handler.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <vector>

#include "runtime/base/json_reader.h"
#include "runtime/edge/linear_ops.h"

namespace hearth::edge {
namespace {

constexpr std::size_t kWarningPlacesMax = 64;
constexpr std::size_t kMessageMax = 300;

constexpr std::uint64_t kSmallFileBytes = 256 * 1024;

using NamedEngine = std::pair<at::QEngine, const char*>;

std::optional<NamedEngine> best_engine(std::uint64_t file_bytes) {
  constexpr std::array<NamedEngine, 3> kLargeBestFirst = {
      {{at::QEngine::ONEDNN, "onednn"}, {at::QEngine::FBGEMM, "fbgemm"}, {at::QEngine::QNNPACK, "qnnpack"}}};
  constexpr std::array<NamedEngine, 3> kSmallBestFirst = {
      {{at::QEngine::QNNPACK, "qnnpack"}, {at::QEngine::FBGEMM, "fbgemm"}, {at::QEngine::ONEDNN, "onednn"}}};
  const auto& supported = at::globalContext().supportedQEngines();
  for (const NamedEngine& engine : file_bytes < kSmallFileBytes ? kSmallBestFirst : kLargeBestFirst) {
    if (std::ranges::find(supported, engine.first) != supported.end()) return engine;
  }
  return std::nullopt;
}

/// Guards LibTorch's one quantized engine, which is global; so is this.
std::mutex& packing_mutex() {
  static std::mutex mutex;
  return mutex;
}

Error corrupt(const std::string& file, const std::string& what) { return {ErrorCode::kCorrupt, file + ": " + what}; }

/// LibTorch's own reader of memory does not check its bounds.
class BytesReader final : public caffe2::serialize::ReadAdapterInterface {
 public:
  explicit BytesReader(std::string_view bytes) : bytes_(bytes) {}
  size_t size() const override { return bytes_.size(); }
  size_t read(std::uint64_t position, void* buffer, size_t count, const char* /*what*/) const override {
    if (position >= bytes_.size()) return 0;
    count = std::min(count, bytes_.size() - static_cast<size_t>(position));
    std::memcpy(buffer, bytes_.data() + position, count);
    return count;
  }

 private:
  const std::string_view bytes_;
};

/// Of a file that is read as it is asked for.
class FileReader final : public caffe2::serialize::ReadAdapterInterface {
 public:
  explicit FileReader(HashedFile& file) : file_(file) {}
  size_t size() const override { return file_.size(); }
  size_t read(std::uint64_t position, void* buffer, size_t count, const char* /*what*/) const override {
    return file_.read(position, buffer, count);
  }

 private:
  HashedFile& file_;
};

Result<torch::jit::Module> parse(std::shared_ptr<caffe2::serialize::ReadAdapterInterface> reader,
                                 const std::string& file) {
  constexpr std::string_view kZipMagic = "PK\x03\x04";
  std::array<char, kZipMagic.size()> magic{};
  const std::size_t got = reader->read(0, magic.data(), magic.size(), "magic");
  if (std::string_view(magic.data(), got) != kZipMagic.substr(0, got)) {
    return corrupt(file, "not a TorchScript file (it does not begin as a zip archive)");
  }
  try {
    register_linear_ops();
    auto module = torch::jit::load(reader);
    if (!module.find_method("forward")) return corrupt(file, "a TorchScript file without a method 'forward'");
    module.eval();
    return module;
  } catch (const std::exception& error) {
    return corrupt(file, "cut, damaged, or not a TorchScript file (" + std::to_string(reader->size()) +
                             " bytes): " + one_line(error));
  }
}

}  // namespace

void WarningSink::take(const c10::SourceLocation& place, const std::string& text, bool from_model) {
  if (!log_) return;
  {
    const std::lock_guard lock(mutex_);
    if (seen_.size() >= kWarningPlacesMax || !seen_.emplace(place.file, place.line).second) return;
  }
  if (from_model) {
    log_("LibTorch: a model gave a warning of its own (text withheld: it may hold input data)");
  } else {
    log_("LibTorch: " + text.substr(0, std::min(text.find('\n'), kMessageMax)));
  }
}

void silence_torch() {
  torch::jit::setPrintHandler([](const std::string&) {});
#ifdef C10_USE_GLOG
  // Looked up by name, so that only LibTorch decides whether glog is linked.
  const auto initialized =
      reinterpret_cast<bool (*)()>(dlsym(RTLD_DEFAULT, "_ZN6google26IsGoogleLoggingInitializedEv"));
  auto* const level = static_cast<int*>(dlsym(RTLD_DEFAULT, "_ZN3fLI17FLAGS_minloglevelE"));
  constexpr int kGlogError = 2;
  if (level != nullptr && !(initialized != nullptr && initialized())) *level = std::max(*level, kGlogError);
#endif
}

const char* quantized_engine_for(std::uint64_t file_bytes) {
  const auto best = best_engine(file_bytes);
  return best ? best->second : "none";
}

PackingEngine::PackingEngine(std::uint64_t file_bytes)
    : lock_(packing_mutex()), before_(at::globalContext().qEngine()) {
  if (const auto best = best_engine(file_bytes)) at::globalContext().setQEngine(best->first);
}

PackingEngine::~PackingEngine() { at::globalContext().setQEngine(before_); }

std::string one_line(const std::exception& error) {
  const auto* torch_error = dynamic_cast<const c10::Error*>(&error);
  const std::string_view text = torch_error != nullptr ? torch_error->what_without_backtrace() : error.what();
  // The interpreter puts a traceback of the script first and what was wrong last.
  constexpr std::string_view kWrong = "RuntimeError: ";
  std::size_t begin = text.rfind(kWrong);
  begin = begin == std::string_view::npos ? 0 : begin + kWrong.size();
  begin = std::min(text.find_first_not_of(" \n", begin), text.size());
  const std::string_view line = text.substr(begin, std::min(text.find('\n', begin) - begin, kMessageMax));
  return line.empty() ? "no reason given" : std::string(line);
}

Result<std::string> read_model_file(const std::string& file) {
  auto bytes = read_whole_file(file, kModelBytesMax);
  if (bytes.ok() && bytes->empty()) return corrupt(file, "is empty, expected a TorchScript file");
  return bytes;
}

Result<torch::jit::Module> parse_module(std::string_view bytes, const std::string& file) {
  return parse(std::make_shared<BytesReader>(bytes), file);
}

Result<torch::jit::Module> parse_module(HashedFile& file, const std::string& name) {
  auto module = parse(std::make_shared<FileReader>(file), name);
  if (file.changed()) return corrupt(name, "changed while it was read");
  return module;
}

torch::jit::Module freeze_module(torch::jit::Module module) {
  // A module made without torch.nn has no such attribute, and freezing takes that for training mode.
  if (!module.hasattr("training")) module.register_attribute("training", c10::BoolType::get(), false);
  return torch::jit::freeze(module);
}

void calm_qnnpack(torch::jit::Module& module) {
  static const auto kinds = {c10::Symbol::fromQualString("quantized::linear_dynamic"),
                             c10::Symbol::fromQualString("quantized::linear_relu_dynamic")};
  const auto graph = module.get_method("forward").graph();
  std::vector<torch::jit::Block*> blocks = {graph->block()};
  while (!blocks.empty()) {
    torch::jit::Block* const block = blocks.back();
    blocks.pop_back();
    for (torch::jit::Node* const node : block->nodes()) {
      blocks.insert(blocks.end(), node->blocks().begin(), node->blocks().end());
      if (std::ranges::find(kinds, node->kind()) == kinds.end() || node->inputs().size() < 3) continue;
      const torch::jit::WithInsertPoint here(node);
      node->replaceInput(2, graph->insertConstant(false));
    }
  }
}

}  // namespace hearth::edge
