// The only file of the stub that needs the edge engine, and so LibTorch.
#include <utility>

#include "cloud_stub/models.h"

#ifdef HEARTH_WITH_TORCH

#include <filesystem>
#include <semaphore>

#include <hearth/config.h>
#include <hearth/edge_model.h>

#include "runtime/edge/torch_engine.h"

namespace hearth::stub {
namespace {

constexpr std::ptrdiff_t kThreadsMax = 1024;

class TorchModel : public Model {
 public:
  TorchModel(ModelInfo info, std::shared_ptr<EdgeModel> model, std::size_t threads)
      : info_(std::move(info)), model_(std::move(model)), slots_(static_cast<std::ptrdiff_t>(threads)) {}

  const ModelInfo& info() const override { return info_; }

  Result<std::vector<Tensor>> run(std::span<const Tensor> inputs) override {
    slots_.acquire();
    auto outputs = model_->run(inputs);
    slots_.release();
    return outputs;
  }

 private:
  ModelInfo info_;
  std::shared_ptr<EdgeModel> model_;
  std::counting_semaphore<kThreadsMax> slots_;
};

}  // namespace

Result<std::shared_ptr<Model>> load_pair_model(const std::string& pair_file, const std::string& model_file,
                                               std::size_t threads) {
  auto pair = load_pair(pair_file);
  if (!pair) return pair.error();
  const CloudBinding& cloud = pair->cloud;
  if (cloud.model.empty()) return {ErrorCode::kInvalidArgument, pair_file + ": this pair has no cloud half"};

  EdgeBinding binding;
  binding.file =
      model_file.empty() ? (std::filesystem::path(pair_file).parent_path() / "cloud.pt").string() : model_file;
  binding.sha256 = cloud.sha256;
  binding.inputs = cloud.inputs;
  binding.outputs = cloud.outputs;
  edge::TorchEngine engine(1);  // Only loads: run() computes on its caller's thread.
  auto model = engine.load(binding);
  if (!model) return model.error();

  ModelInfo info;
  info.name = cloud.model;
  if (!cloud.version.empty()) info.version = cloud.version;
  info.platform = "pytorch_libtorch";
  info.inputs = cloud.inputs;
  info.outputs = cloud.outputs;
  if (!cloud.text_input.empty()) info.optional_inputs.push_back({cloud.text_input, Datatype::kBytes, {1}});
  return std::shared_ptr<Model>(std::make_shared<TorchModel>(std::move(info), std::move(model).value(), threads));
}

}  // namespace hearth::stub

#else

namespace hearth::stub {

Result<std::shared_ptr<Model>> load_pair_model(const std::string& pair_file, const std::string&, std::size_t) {
  return {ErrorCode::kUnavailable, pair_file + ": this build has no LibTorch and can serve only --null-model"};
}

}  // namespace hearth::stub

#endif
