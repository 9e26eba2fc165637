#include "tools/hearth/model_argument.h"

#include <filesystem>
#include <utility>

namespace hearth::tool {

namespace fs = std::filesystem;

bool ModelArgument::is_read(const std::string& file) const {
  std::error_code ignored;
  return fs::equivalent(file, pair.edge.file, ignored) || fs::equivalent(file, pair_file, ignored);
}

Result<ModelArgument> read_model_argument(const std::string& model, const std::string& pair_file) {
  const auto refuse = [](const std::string& what) { return Error{ErrorCode::kInvalidArgument, what}; };
  const bool is_pair = fs::path(model).extension() == ".json";
  if (is_pair && !pair_file.empty()) return refuse("--pair goes with a TorchScript file, and MODEL is a pair");
  ModelArgument argument;
  argument.pair_file = is_pair ? model : pair_file;
  if (argument.pair_file.empty()) argument.pair_file = (fs::path(model).parent_path() / "pair.json").string();
  std::error_code ignored;
  if (!fs::exists(model, ignored)) return Error{ErrorCode::kNotFound, model + ": there is no such file"};
  if (!fs::exists(argument.pair_file, ignored)) {
    return Error{ErrorCode::kNotFound,
                 argument.pair_file + ": there is no such file; a pair.json tells a model's inputs (--pair)"};
  }
  auto pair = load_pair(argument.pair_file);
  if (!pair.ok()) return pair.error();
  argument.pair = std::move(pair).value();
  if (!is_pair) {
    argument.pair.edge.file = model;
    argument.pair.edge.sha256.clear();
  }
  if (argument.pair.edge.inputs.empty()) return refuse(argument.pair_file + ": edge.inputs: expected one or more");
  return argument;
}

}  // namespace hearth::tool
