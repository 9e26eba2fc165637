#include "runtime/edge/torch_engine.h"

#include <ATen/Parallel.h>
#include <dlfcn.h>
#include <torch/csrc/jit/runtime/jit_exception.h>

#include <algorithm>
#include <cctype>
#include <cstring>
#include <filesystem>
#include <iterator>
#include <optional>
#include <utility>
#include <vector>

#include <hearth/random.h>

#include "runtime/edge/flat_graph.h"
#include "runtime/edge/flat_model.h"
#include "runtime/edge/hashed_file.h"
#include "runtime/edge/model_shelf.h"
#include "runtime/edge/torch_file.h"
#include "runtime/edge/worker_pool.h"

namespace hearth::edge {
namespace {

constexpr std::size_t kTrialRows = 4;
constexpr int kWarmUpPasses = 4;  // The executor profiles the first, optimizes, and is then as it stays.

std::optional<at::ScalarType> scalar_type(Datatype type) {
  switch (type) {
    case Datatype::kBool:
      return at::kBool;
    case Datatype::kUint8:
      return at::kByte;
    case Datatype::kInt8:
      return at::kChar;
    case Datatype::kInt16:
      return at::kShort;
    case Datatype::kInt32:
      return at::kInt;
    case Datatype::kInt64:
      return at::kLong;
    case Datatype::kFp16:
      return at::kHalf;
    case Datatype::kFp32:
      return at::kFloat;
    case Datatype::kFp64:
      return at::kDouble;
    default:
      return std::nullopt;  // LibTorch 1.13 has no such tensors.
  }
}

std::optional<Datatype> datatype_of(at::ScalarType type) {
  for (const auto candidate : {Datatype::kFp32, Datatype::kInt64, Datatype::kBool, Datatype::kUint8, Datatype::kInt8,
                               Datatype::kInt16, Datatype::kInt32, Datatype::kFp16, Datatype::kFp64}) {
    if (scalar_type(candidate) == type) return candidate;
  }
  return std::nullopt;
}

std::string describe(std::string_view datatype, std::span<const std::int64_t> shape) {
  std::string text(datatype);
  text += " [";
  for (std::size_t i = 0; i < shape.size(); ++i) text += (i > 0 ? "," : "") + std::to_string(shape[i]);
  return text + "]";
}

std::string describe(const TensorSpec& spec) { return describe(name_of(spec.datatype), spec.shape); }

std::string describe(const at::Tensor& tensor) {
  const auto type = datatype_of(tensor.scalar_type());
  return describe(type ? name_of(*type) : std::string_view(c10::toString(tensor.scalar_type())), tensor.sizes());
}

bool fits(const at::Tensor& tensor, const TensorSpec& spec) {
  if (scalar_type(spec.datatype) != tensor.scalar_type()) return false;
  return std::ranges::equal(tensor.sizes(), spec.shape,
                            [](std::int64_t size, std::int64_t asked) { return asked == -1 || asked == size; });
}

/// What a model gave, as a list of tensors: one tensor, a tuple or a list of tensors.
Result<std::vector<at::Tensor>> tensors_of(const c10::IValue& value) {
  if (value.isTensor()) return std::vector<at::Tensor>{value.toTensor()};
  if (value.isTensorList()) return value.toTensorVector();
  if (!value.isTuple()) return {ErrorCode::kInvalidArgument, "gives " + value.tagKind() + ", expected tensors"};
  std::vector<at::Tensor> tensors;
  for (const auto& element : value.toTupleRef().elements()) {
    if (!element.isTensor()) {
      return {ErrorCode::kInvalidArgument, "gives a tuple that holds " + element.tagKind() + ", expected tensors"};
    }
    tensors.push_back(element.toTensor());
  }
  return tensors;
}

/// LibTorch's reason with every number blotted out: some (an index out of range) quote the input.
std::string without_numbers(std::string text) {
  for (char& c : text) {
    if (std::isdigit(static_cast<unsigned char>(c)) != 0) c = '#';
  }
  return text;
}

/// Each thread keeps its own copy of OpenMP's count and must be told once.
void bound_this_thread() {
  thread_local bool told = false;
  if (told) return;
  at::init_num_threads();
  told = true;
}

/// A loaded file. Threads: run() from any; LibTorch's executor is shared and locks inside.
class TorchModel final : public EdgeModel, public BatchedModel, public std::enable_shared_from_this<TorchModel> {
 public:
  TorchModel(torch::jit::Module module, const EdgeBinding& binding, std::string sha256,
             std::shared_ptr<WarningSink> sink, std::shared_ptr<WorkerPool> workers)
      : module_(std::move(module)),
        self_(module_._ivalue()),
        forward_(&module_.get_method("forward").function()),
        file_(binding.file),
        inputs_(binding.inputs),
        outputs_(binding.outputs),
        sha256_(std::move(sha256)),
        sink_(std::move(sink)),
        workers_(std::move(workers)) {
    for (const TensorSpec& spec : inputs_) types_.push_back(scalar_type(spec.datatype).value_or(at::kFloat));
  }

  const std::string& sha256() const override { return sha256_; }
  Outputs run(std::span<const Tensor> inputs) override;
  void start(std::span<const Tensor> inputs, EdgeModel::Callback done) override;
  BatchedModel* batched() override { return makes_batches_ ? this : nullptr; }
  void start_batch(std::span<const Inputs> batch, BatchedModel::Callback done) override;

  /// Runs on zeros until the executor is settled, and compares what comes with the binding.
  Status warm_up();
  /// From here on batched(), if each row of a pass over `rows` of them comes out as it does alone. After warm_up().
  Status try_batches(std::size_t rows);

 private:
  Status check_rows(const std::vector<std::vector<Tensor>>& rows);
  std::vector<Outputs> run_batch(std::span<const Inputs> batch);
  Result<std::vector<Outputs>> run_rows(std::span<const Inputs> batch);
  Status check_outputs(const c10::IValue& given) const;
  Outputs copy_out(const c10::IValue& given) const;

  const torch::jit::Module module_;
  const c10::IValue self_;
  torch::jit::Function* const forward_;
  const std::string file_;
  const std::vector<TensorSpec> inputs_;
  const std::vector<TensorSpec> outputs_;
  std::vector<at::ScalarType> types_;  // Of inputs_.
  const std::string sha256_;
  const std::shared_ptr<WarningSink> sink_;
  const std::shared_ptr<WorkerPool> workers_;
  bool writes_inputs_ = false;  // The script works in place on its inputs, so it gets copies.
  bool makes_batches_ = false;
};

EdgeModel::Outputs TorchModel::run(std::span<const Tensor> inputs) {
  if (inputs.size() != inputs_.size()) {
    return {ErrorCode::kInvalidArgument,
            file_ + ": takes " + std::to_string(inputs_.size()) + " inputs, got " + std::to_string(inputs.size())};
  }
  bound_this_thread();
  const WarningRoute route(sink_.get());
  try {
    const c10::InferenceMode inference;
    torch::jit::Stack stack;
    stack.reserve(1 + inputs.size());
    stack.push_back(self_);
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      auto* const bytes = const_cast<std::byte*>(inputs[i].data.data());
      auto tensor = at::from_blob(bytes, inputs[i].shape, types_[i]);
      stack.emplace_back(writes_inputs_ ? tensor.clone() : std::move(tensor));
    }
    forward_->run(stack);
    return copy_out(stack.front());
  } catch (const torch::jit::JITException&) {
    return {ErrorCode::kInternal, file_ + ": the model raised an exception of its own (text withheld)"};
  } catch (const std::exception& error) {
    return {ErrorCode::kInternal, file_ + ": forward pass failed: " + without_numbers(one_line(error))};
  }
}

void TorchModel::start(std::span<const Tensor> inputs, EdgeModel::Callback done) {
  start_on(*workers_, shared_from_this(), inputs, std::move(done));
}

void TorchModel::start_batch(std::span<const Inputs> batch, BatchedModel::Callback done) {
  start_batch_on(
      *workers_, [self = shared_from_this(), batch] { return self->run_batch(batch); }, batch.size(), std::move(done));
}

/// A pass that fails as a whole is taken apart: what is wrong with one request is that one's.
std::vector<EdgeModel::Outputs> TorchModel::run_batch(std::span<const Inputs> batch) {
  if (batch.size() > 1) {
    if (auto answers = run_rows(batch); answers.ok()) return std::move(answers).value();
  }
  std::vector<Outputs> answers;
  for (const Inputs& inputs : batch) answers.push_back(run(inputs));
  return answers;
}

/// One pass: the requests' inputs one below the other, and of what comes each its row.
Result<std::vector<EdgeModel::Outputs>> TorchModel::run_rows(std::span<const Inputs> batch) {
  bound_this_thread();
  const WarningRoute route(sink_.get());
  const Error failed{ErrorCode::kInternal, file_ + ": the pass over a batch failed"};
  const auto rows = static_cast<std::int64_t>(batch.size());
  try {
    const c10::InferenceMode inference;
    torch::jit::Stack stack = {self_};
    for (std::size_t i = 0; i < inputs_.size(); ++i) {
      std::vector<std::int64_t> shape = inputs_[i].shape;
      shape[0] = rows;
      const auto all = at::empty(shape, types_[i]);
      const std::size_t bytes = all.nbytes() / batch.size();
      auto* to = static_cast<std::byte*>(all.data_ptr());
      for (const Inputs& inputs : batch) {
        if (inputs.size() != inputs_.size() || inputs[i].data.size() != bytes) return failed;
        std::memcpy(to, inputs[i].data.data(), bytes);
        to += bytes;
      }
      stack.emplace_back(all);
    }
    forward_->run(stack);
    const auto tensors = tensors_of(stack.front());
    if (!tensors.ok() || tensors.value().size() != outputs_.size()) return failed;
    std::vector<std::vector<Tensor>> answers(batch.size());
    for (std::size_t i = 0; i < outputs_.size(); ++i) {
      TensorSpec spec = outputs_[i];
      spec.shape[0] = rows;
      if (!fits(tensors.value()[i], spec)) return failed;
      const at::Tensor dense = tensors.value()[i].contiguous();
      const std::size_t bytes = dense.nbytes() / batch.size();
      const auto* from = static_cast<const std::byte*>(dense.data_ptr());
      for (auto& answer : answers) {
        Tensor& out = answer.emplace_back();
        out.datatype = spec.datatype;
        out.shape = outputs_[i].shape;
        out.data.assign(from, from + bytes);
        from += bytes;
      }
    }
    return std::vector<Outputs>(std::make_move_iterator(answers.begin()), std::make_move_iterator(answers.end()));
  } catch (const std::exception&) { return failed; }
}

EdgeModel::Outputs TorchModel::copy_out(const c10::IValue& given) const {
  const auto copy = [](const at::Tensor& from, Datatype type, std::vector<Tensor>& to) {
    const at::Tensor dense = from.contiguous();
    Tensor& out = to.emplace_back();
    out.datatype = type;
    out.shape.assign(dense.sizes().begin(), dense.sizes().end());
    const auto* const bytes = static_cast<const std::byte*>(dense.data_ptr());
    out.data.assign(bytes, bytes + dense.nbytes());
  };
  std::vector<Tensor> outputs;
  if (given.isTensor() && outputs_.size() == 1 && fits(given.toTensor(), outputs_[0])) {  // The common case, lean.
    copy(given.toTensor(), outputs_[0].datatype, outputs);
    return outputs;
  }
  if (auto good = check_outputs(given); !good.ok()) return Error{ErrorCode::kInternal, good.error().message};
  const auto tensors = tensors_of(given);
  outputs.reserve(outputs_.size());
  for (std::size_t i = 0; i < outputs_.size(); ++i) copy(tensors.value()[i], outputs_[i].datatype, outputs);
  return outputs;
}

Status TorchModel::check_outputs(const c10::IValue& given) const {
  const auto tensors = tensors_of(given);
  if (!tensors.ok()) return Error{ErrorCode::kInvalidArgument, file_ + ": " + tensors.error().message};
  if (tensors.value().size() != outputs_.size()) {
    return Error{ErrorCode::kInvalidArgument, file_ + ": gives " + std::to_string(tensors.value().size()) +
                                                  " outputs, expected " + std::to_string(outputs_.size())};
  }
  for (std::size_t i = 0; i < outputs_.size(); ++i) {
    if (fits(tensors.value()[i], outputs_[i])) continue;
    return Error{ErrorCode::kInvalidArgument, file_ + ": output \"" + outputs_[i].name + "\" is " +
                                                  describe(tensors.value()[i]) + ", expected " + describe(outputs_[i])};
  }
  return Done{};
}

Status TorchModel::warm_up() {
  const WarningRoute route(sink_.get());
  std::string shapes;
  try {
    torch::jit::Stack zeros = {self_};
    for (std::size_t i = 0; i < inputs_.size(); ++i) {
      std::vector<std::int64_t> shape = inputs_[i].shape;
      std::ranges::replace(shape, -1, 1);
      zeros.emplace_back(at::zeros(shape, types_[i]));
      shapes += (i > 0 ? ", " : "") + describe(inputs_[i]);
    }
    for (int pass = 0; pass < kWarmUpPasses; ++pass) {
      torch::jit::Stack stack = zeros;
      if (pass == 0) {  // Outside inference mode, where LibTorch counts what is written to a tensor.
        const torch::NoGradGuard no_gradients;
        forward_->run(stack);
        for (std::size_t i = 1; i < zeros.size(); ++i) writes_inputs_ |= zeros[i].toTensor()._version() != 0;
      } else {
        const c10::InferenceMode inference;
        for (std::size_t i = 1; i < stack.size(); ++i) stack[i] = at::zeros_like(zeros[i].toTensor());
        forward_->run(stack);
      }
      if (auto good = check_outputs(stack.front()); !good.ok()) return good;
    }
  } catch (const std::exception& error) {
    return Error{ErrorCode::kInvalidArgument, file_ + ": does not run on " + shapes + ": " + one_line(error)};
  }
  return Done{};
}

/// Rows whose sizes differ a lot, so that it shows when one has a part in another's answer: a common scale, a mean.
Status TorchModel::try_batches(std::size_t rows) {
  RandomStream random(1, "rows of a batch");
  std::vector<std::vector<Tensor>> requests(rows);
  for (std::size_t row = 0; row < rows; ++row) {
    for (std::size_t i = 0; i < inputs_.size(); ++i) {
      const auto options = at::TensorOptions(types_[i]);
      auto made = at::empty(inputs_[i].shape, at::kDouble);
      auto* const values = made.data_ptr<double>();
      // Whole numbers may be indices: none is above 1.
      const bool real = at::isFloatingType(types_[i]);
      for (std::int64_t k = 0; k < made.numel(); ++k)
        values[k] =
            real ? (2 * random.uniform() - 1) * static_cast<double>(1 + 4 * row) : static_cast<double>(random.below(2));
      made = made.to(options);
      Tensor& input = requests[row].emplace_back();
      input.datatype = inputs_[i].datatype;
      input.shape = inputs_[i].shape;
      const auto* const bytes = static_cast<const std::byte*>(made.data_ptr());
      input.data.assign(bytes, bytes + made.nbytes());
    }
  }
  for (int pass = 0; pass < kWarmUpPasses; ++pass) {
    if (auto same = check_rows(requests); !same.ok()) return same;
  }
  makes_batches_ = true;
  return Done{};
}

Status TorchModel::check_rows(const std::vector<std::vector<Tensor>>& rows) {
  const std::vector<Inputs> batch(rows.begin(), rows.end());
  const auto together = run_rows(batch);
  if (!together.ok()) return together.error();
  for (std::size_t row = 0; row < rows.size(); ++row) {
    const auto alone = run(rows[row]);
    if (!alone.ok()) return alone.error();
    const auto& shared = together.value()[row].value();
    for (std::size_t i = 0; i < outputs_.size(); ++i) {
      const auto tensor = [&](const Tensor& from) {
        return at::from_blob(const_cast<std::byte*>(from.data.data()), from.shape, *scalar_type(from.datatype))
            .to(at::kDouble);
      };
      const at::Tensor expected = tensor(alone.value()[i]), got = tensor(shared[i]);
      const double largest = expected.numel() > 0 ? expected.abs().max().item<double>() : 0;
      if (at::allclose(got, expected, 1e-4, 1e-4 * largest, true)) continue;
      return {ErrorCode::kInvalidArgument, file_ + ": an answer depends on what else is in the batch"};
    }
  }
  return Done{};
}

/// Whether each tensor begins with a dimension of 1, and has no dimension of any size.
bool is_one_row(std::span<const TensorSpec> specs) {
  return std::ranges::all_of(specs, [](const TensorSpec& spec) {
    return !spec.shape.empty() && spec.shape[0] == 1 && std::ranges::count(spec.shape, -1) == 0;
  });
}

Status check_specs(const EdgeBinding& binding) {
  for (const auto* specs : {&binding.inputs, &binding.outputs}) {
    if (specs->empty()) return Error{ErrorCode::kInvalidArgument, binding.file + ": no inputs or no outputs are bound"};
    for (const TensorSpec& spec : *specs) {
      if (scalar_type(spec.datatype)) continue;
      return Error{ErrorCode::kInvalidArgument, binding.file + ": \"" + spec.name + "\" is bound as " +
                                                    std::string(name_of(spec.datatype)) +
                                                    ", which LibTorch does not compute with"};
    }
  }
  return Done{};
}

void bound_threads() {
  at::set_num_threads(1);
  try {
    at::set_num_interop_threads(1);
  } catch (const std::exception&) {
    // Allowed once per process and before the first use; then the count is what somebody else chose.
  }
  // OpenBLAS keeps a count of its own. By name, for LibTorch may be linked with another BLAS.
  if (const auto set = reinterpret_cast<void (*)(int)>(dlsym(RTLD_DEFAULT, "openblas_set_num_threads"))) set(1);
}

}  // namespace

/// What models share with the engine, and may keep after it.
class TorchEngine::Process : public std::enable_shared_from_this<TorchEngine::Process> {
 public:
  Process(std::size_t threads, const LogLine& to, std::uint64_t memory_bytes_max)
      : log(to),
        sink(std::make_shared<WarningSink>(to)),
        workers(std::make_shared<WorkerPool>(threads)),
        shelf(std::make_shared<ModelShelf>(memory_bytes_max)) {}

  Result<std::shared_ptr<EdgeModel>> load(const EdgeBinding& binding, Executor executor) const;

  const LogLine log;
  const std::shared_ptr<WarningSink> sink;
  const std::shared_ptr<WorkerPool> workers;
  const std::shared_ptr<ModelShelf> shelf;
};

TorchEngine::TorchEngine(std::size_t threads, LogLine log, std::uint64_t memory_bytes_max)
    : process_(std::make_shared<Process>(threads, log, memory_bytes_max)) {
  silence_torch();
  const WarningRoute route(process_->sink.get());
  bound_threads();
}

TorchEngine::~TorchEngine() { process_->workers->stop(); }

std::string_view TorchEngine::quantized_engine(std::uint64_t file_bytes) { return quantized_engine_for(file_bytes); }

Result<std::shared_ptr<EdgeModel>> TorchEngine::Process::load(const EdgeBinding& binding, Executor executor) const {
  auto file = HashedFile::open(binding.file, kModelBytesMax);
  if (!file.ok()) return file.error();
  const std::string& sha256 = file->sha256();
  if (!binding.sha256.empty() && sha256 != binding.sha256) {
    return {ErrorCode::kCorrupt, binding.file + ": its SHA-256 is " + sha256 + ", expected " + binding.sha256};
  }
  const WarningRoute route(sink.get());
  const PackingEngine engine(file->size());
  bound_this_thread();
  auto module = parse_module(*file, binding.file);
  if (!module.ok()) return module.error();
  // Frozen is faster; not every module can be, and a frozen one may fail where the plain one runs.
  std::shared_ptr<TorchModel> model;
  const auto make = [&](torch::jit::Module ready) {
    if (at::globalContext().qEngine() == at::QEngine::QNNPACK) calm_qnnpack(ready);
    model = std::make_shared<TorchModel>(std::move(ready), binding, sha256, sink, workers);
    Status warm = model->warm_up();
    const bool rows = binding.batch_max > 1 && is_one_row(binding.inputs) && is_one_row(binding.outputs);
    if (!warm.ok() || !rows) return warm;
    const Status batches = model->try_batches(std::min<std::size_t>(binding.batch_max, kTrialRows));
    if (!batches.ok() && log) log(batches.error().message);
    return warm;
  };
  try {
    const torch::NoGradGuard no_gradients;
    const auto frozen = freeze_module(std::move(module).value());
    if (make(frozen).ok()) {
      auto flat = executor == Executor::kFastest ? flat_model_of(frozen, *model, binding, workers) : nullptr;
      if (flat) return flat;
      return std::shared_ptr<EdgeModel>(model);
    }
  } catch (const std::exception&) {
    // Said by the plain module below, when it is wrong too.
  }
  auto plain = parse_module(*file, binding.file);
  if (!plain.ok()) return plain.error();
  if (auto warm = make(std::move(plain).value()); !warm.ok()) return warm.error();
  return std::shared_ptr<EdgeModel>(model);
}

Result<std::shared_ptr<EdgeModel>> TorchEngine::load(const EdgeBinding& binding, Executor executor) {
  if (auto good = check_specs(binding); !good.ok()) return good.error();
  std::error_code unknown;  // What is wrong with the file is said by who reads it.
  const auto size = std::filesystem::file_size(binding.file, unknown);
  auto loader = [process = process_, wanted = EdgeBinding(binding), executor]() mutable {
    auto model = process->load(wanted, executor);
    if (model.ok()) wanted.sha256 = (*model)->sha256();  // From now on it must be this file.
    return model;
  };
  auto place = process_->shelf->add(unknown ? 0 : size, std::move(loader));
  if (!place.ok()) return Error{place.error().code, binding.file + ": " + place.error().message};
  return ShelvedModel::put(std::move(place).value(), process_->workers);
}

}  // namespace hearth::edge
