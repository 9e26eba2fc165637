#include <cassert>
#include <cstring>

#include <hearth/tensor.h>

namespace hearth {
namespace {

struct DatatypeRow {
  Datatype type;
  std::string_view name;
  std::size_t size;
};

constexpr DatatypeRow kDatatypes[] = {
    {Datatype::kBool, "BOOL", 1},     {Datatype::kUint8, "UINT8", 1},   {Datatype::kUint16, "UINT16", 2},
    {Datatype::kUint32, "UINT32", 4}, {Datatype::kUint64, "UINT64", 8}, {Datatype::kInt8, "INT8", 1},
    {Datatype::kInt16, "INT16", 2},   {Datatype::kInt32, "INT32", 4},   {Datatype::kInt64, "INT64", 8},
    {Datatype::kFp16, "FP16", 2},     {Datatype::kFp32, "FP32", 4},     {Datatype::kFp64, "FP64", 8},
    {Datatype::kBytes, "BYTES", 0},
};

std::string shape_text(std::span<const std::int64_t> shape) {
  std::string text = "[";
  for (const auto dimension : shape) text += (text.size() > 1 ? "," : "") + std::to_string(dimension);
  return text + "]";
}

std::string describe(std::string_view datatype, std::span<const std::int64_t> shape) {
  return std::string(datatype) + " " + shape_text(shape);
}

bool fits(std::span<const std::int64_t> shape, std::span<const std::int64_t> spec) {
  if (shape.size() != spec.size()) return false;
  for (std::size_t i = 0; i < shape.size(); ++i)
    if (shape[i] < 0 || (spec[i] != -1 && shape[i] != spec[i])) return false;
  return true;
}

// Whether `data` holds exactly `count` length-prefixed elements.
bool holds_elements(std::span<const std::byte> data, std::size_t count) {
  std::size_t at = 0;
  for (std::size_t i = 0; i < count; ++i) {
    std::uint32_t length = 0;
    if (data.size() - at < sizeof length) return false;
    std::memcpy(&length, data.data() + at, sizeof length);
    at += sizeof length;
    if (data.size() - at < length) return false;
    at += length;
  }
  return at == data.size();
}

}  // namespace

std::string_view name_of(Datatype type) { return kDatatypes[static_cast<std::size_t>(type)].name; }

std::size_t size_of(Datatype type) { return kDatatypes[static_cast<std::size_t>(type)].size; }

std::optional<Datatype> datatype_from(std::string_view name) {
  for (const auto& row : kDatatypes)
    if (row.name == name) return row.type;
  return std::nullopt;
}

std::optional<std::size_t> element_count(std::span<const std::int64_t> shape) {
  std::size_t count = 1;
  for (const auto dimension : shape) {
    if (dimension < 0 || __builtin_mul_overflow(count, static_cast<std::size_t>(dimension), &count))
      return std::nullopt;
  }
  return count;
}

Tensor Tensor::of_floats(std::string name, std::vector<std::int64_t> shape, std::span<const float> values) {
  const auto bytes = std::as_bytes(values);
  return {std::move(name), Datatype::kFp32, std::move(shape), {bytes.begin(), bytes.end()}};
}

Tensor Tensor::of_text(std::string name, std::string_view text) {
  Tensor tensor{std::move(name), Datatype::kBytes, {1}, {}};
  const auto length = static_cast<std::uint32_t>(text.size());
  tensor.data.resize(sizeof length + text.size());
  std::memcpy(tensor.data.data(), &length, sizeof length);
  std::memcpy(tensor.data.data() + sizeof length, text.data(), text.size());
  return tensor;
}

std::span<const float> Tensor::floats() const {
  assert(datatype == Datatype::kFp32);
  return {reinterpret_cast<const float*>(data.data()), data.size() / sizeof(float)};
}

Status check_tensor(const Tensor& tensor, const TensorSpec& spec) {
  const auto refuse = [](std::string message) { return Status(ErrorCode::kInvalidArgument, std::move(message)); };
  if (tensor.name != spec.name) return refuse("input '" + tensor.name + "': expected '" + spec.name + "'");
  if (tensor.datatype != spec.datatype || !fits(tensor.shape, spec.shape))
    return refuse("input '" + spec.name + "' is " + describe(name_of(tensor.datatype), tensor.shape) + ", expected " +
                  describe(name_of(spec.datatype), spec.shape));
  const auto count = element_count(tensor.shape);
  const auto size = size_of(tensor.datatype);
  std::size_t bytes = 0;
  const bool whole =
      count && (size == 0 ? holds_elements(tensor.data, *count)
                          : !__builtin_mul_overflow(*count, size, &bytes) && bytes == tensor.data.size());
  if (!whole)
    return refuse("input '" + spec.name + "' holds " + std::to_string(tensor.data.size()) +
                  " bytes, which do not make " + describe(name_of(tensor.datatype), tensor.shape));
  return Done{};
}

Status check_tensors(std::span<const Tensor> tensors, std::span<const TensorSpec> specs) {
  if (tensors.size() != specs.size())
    return {ErrorCode::kInvalidArgument,
            "got " + std::to_string(tensors.size()) + " inputs, expected " + std::to_string(specs.size())};
  for (std::size_t i = 0; i < specs.size(); ++i)
    if (auto status = check_tensor(tensors[i], specs[i]); !status.ok()) return status;
  return Done{};
}

}  // namespace hearth
