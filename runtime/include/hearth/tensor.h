/// \file Tensor: typed, shaped, row-major bytes, as they go into a model and over the wire.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <hearth/result.h>

namespace hearth {

/// Element types of the Open Inference Protocol's REST table.
enum class Datatype : std::uint8_t {
  kBool,
  kUint8,
  kUint16,
  kUint32,
  kUint64,
  kInt8,
  kInt16,
  kInt32,
  kInt64,
  kFp16,
  kFp32,
  kFp64,
  kBytes
};

/// The protocol's name ("FP32").
std::string_view name_of(Datatype type);
std::optional<Datatype> datatype_from(std::string_view name);
/// Bytes per element; 0 for kBytes, whose elements carry their own length.
std::size_t size_of(Datatype type);

/// What a model expects or gives. A dimension of -1 takes any size.
struct TensorSpec {
  std::string name;
  Datatype datatype = Datatype::kFp32;
  std::vector<std::int64_t> shape;

  bool operator==(const TensorSpec&) const = default;
};

/// A named tensor that owns its bytes: little-endian, row-major, unpadded.
/// kBytes: each element is a 4-byte little-endian length followed by that many bytes.
struct Tensor {
  std::string name;
  Datatype datatype = Datatype::kFp32;
  std::vector<std::int64_t> shape;
  std::vector<std::byte> data;

  static Tensor of_floats(std::string name, std::vector<std::int64_t> shape, std::span<const float> values);
  static Tensor of_text(std::string name, std::string_view text);  ///< kBytes, shape [1].

  /// The values of a kFp32 tensor. Any other datatype is a bug (asserted).
  std::span<const float> floats() const;
};

/// Number of elements of a shape; 1 for the empty shape. Nothing when a dimension is negative or the product overflows.
std::optional<std::size_t> element_count(std::span<const std::int64_t> shape);

/// Checks name, datatype, shape and byte count against `spec`. kInvalidArgument names the tensor, what is there and
/// what was expected.
Status check_tensor(const Tensor& tensor, const TensorSpec& spec);

/// Checks a whole set in the order of `specs`; also refuses missing and extra tensors.
Status check_tensors(std::span<const Tensor> tensors, std::span<const TensorSpec> specs);

}  // namespace hearth
