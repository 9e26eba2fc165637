#include "cloud_stub/models.h"

#include <array>
#include <utility>

namespace hearth::stub {
namespace {

class NullModel : public Model {
 public:
  explicit NullModel(std::string name) {
    info_.name = std::move(name);
    info_.platform = "hearth_null";
    info_.inputs = {{"x", Datatype::kFp32, {-1}}};
    info_.outputs = {{"y", Datatype::kFp32, {10}}};
  }

  const ModelInfo& info() const override { return info_; }

  Result<std::vector<Tensor>> run(std::span<const Tensor>) override {
    static constexpr std::array<float, 10> kZeros{};
    std::vector<Tensor> outputs;
    outputs.push_back(Tensor::of_floats("y", {10}, kZeros));
    return outputs;
  }

 private:
  ModelInfo info_;
};

}  // namespace

std::shared_ptr<Model> null_model(std::string name) { return std::make_shared<NullModel>(std::move(name)); }

}  // namespace hearth::stub
