#include "cloud_stub/oip_elements.h"

#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string_view>
#include <type_traits>

#include <nlohmann/json.hpp>

namespace hearth::stub {
namespace {

using nlohmann::json;

static_assert(std::endian::native == std::endian::little, "tensors are little-endian, as on the wire");

void append(std::vector<std::byte>& out, const void* bytes, std::size_t size) {
  const auto* first = static_cast<const std::byte*>(bytes);
  out.insert(out.end(), first, first + size);
}

template <class T>
bool put_integer(const json& value, std::vector<std::byte>& out) {
  if (!value.is_number_integer()) return false;
  T element{};
  if (value.is_number_unsigned()) {
    const auto wide = value.get<std::uint64_t>();
    if (wide > static_cast<std::uint64_t>(std::numeric_limits<T>::max())) return false;
    element = static_cast<T>(wide);
  } else {
    const auto wide = value.get<std::int64_t>();
    if constexpr (std::is_unsigned_v<T>) return false;  // Negative: a non-negative one is stored as unsigned.
    if (wide < static_cast<std::int64_t>(std::numeric_limits<T>::min())) return false;
    element = static_cast<T>(wide);
  }
  append(out, &element, sizeof element);
  return true;
}

template <class T>
bool put_float(const json& value, std::vector<std::byte>& out) {
  if (!value.is_number()) return false;
  const auto wide = value.get<double>();
  if (!(std::abs(wide) <= static_cast<double>(std::numeric_limits<T>::max()))) return false;
  const auto element = static_cast<T>(wide);
  append(out, &element, sizeof element);
  return true;
}

bool put(const json& value, Datatype type, std::vector<std::byte>& out) {
  switch (type) {
    case Datatype::kBool:
      if (!value.is_boolean()) return false;
      out.push_back(static_cast<std::byte>(value.get<bool>()));
      return true;
    case Datatype::kUint8:
      return put_integer<std::uint8_t>(value, out);
    case Datatype::kUint16:
      return put_integer<std::uint16_t>(value, out);
    case Datatype::kUint32:
      return put_integer<std::uint32_t>(value, out);
    case Datatype::kUint64:
      return put_integer<std::uint64_t>(value, out);
    case Datatype::kInt8:
      return put_integer<std::int8_t>(value, out);
    case Datatype::kInt16:
      return put_integer<std::int16_t>(value, out);
    case Datatype::kInt32:
      return put_integer<std::int32_t>(value, out);
    case Datatype::kInt64:
      return put_integer<std::int64_t>(value, out);
    case Datatype::kFp32:
      return put_float<float>(value, out);
    case Datatype::kFp64:
      return put_float<double>(value, out);
    case Datatype::kBytes: {
      if (!value.is_string()) return false;
      const auto& text = value.get_ref<const std::string&>();
      if (text.size() > std::numeric_limits<std::uint32_t>::max()) return false;
      const auto length = static_cast<std::uint32_t>(text.size());
      append(out, &length, sizeof length);
      append(out, text.data(), text.size());
      return true;
    }
    case Datatype::kFp16:
      return false;
  }
  return false;
}

/// Depth is bounded: the whole document was checked against kJsonDepthMax.
bool flatten(const json& data, Datatype type, std::vector<std::byte>& out) {
  bool good = true;
  for (const auto& value : data) {
    good = (value.is_array() ? flatten(value, type, out) : put(value, type, out)) && good;
  }
  return good;
}

bool nested_as(const json& data, const std::vector<std::int64_t>& shape, std::size_t level) {
  if (level == shape.size()) return !data.is_array();
  if (!data.is_array() || data.size() != static_cast<std::uint64_t>(shape[level])) return false;
  for (const auto& value : data) {
    if (!nested_as(value, shape, level + 1)) return false;
  }
  return true;
}

bool holds_arrays(const json& data) {
  for (const auto& value : data) {
    if (value.is_array()) return true;
  }
  return false;
}

template <class T>
bool list(const Tensor& tensor, json& data) {
  for (std::size_t at = 0; at + sizeof(T) <= tensor.data.size(); at += sizeof(T)) {
    T element{};
    std::memcpy(&element, tensor.data.data() + at, sizeof element);
    if constexpr (std::is_floating_point_v<T>) {
      if (!std::isfinite(element)) return false;
    }
    data.push_back(element);
  }
  return true;
}

/// False when some element does not fit into what is left.
template <class Visit>
bool each_text(const Tensor& tensor, Visit visit) {
  std::size_t at = 0;
  while (at < tensor.data.size()) {
    std::uint32_t length = 0;
    if (tensor.data.size() - at < sizeof length) return false;
    std::memcpy(&length, tensor.data.data() + at, sizeof length);
    at += sizeof length;
    if (tensor.data.size() - at < length) return false;
    visit(std::string_view(reinterpret_cast<const char*>(tensor.data.data()) + at, length));
    at += length;
  }
  return true;
}

}  // namespace

std::optional<std::string> elements_from_json(const json& data, Tensor& tensor) {
  if (!data.is_array()) return "data is not an array";
  const bool good = flatten(data, tensor.datatype, tensor.data);
  if (tensor.datatype == Datatype::kFp16) return "FP16 has no exact JSON form: send it as binary";
  if (!good) return "data holds a value that is not of the datatype or outside its range";
  if (holds_arrays(data) && !nested_as(data, tensor.shape, 0)) return "data is nested in another way than shape says";
  return std::nullopt;
}

std::optional<std::string> elements_to_json(const Tensor& tensor, json& data) {
  data = json::array();
  bool good = true;
  switch (tensor.datatype) {
    case Datatype::kBool:
      for (const std::byte element : tensor.data) data.push_back(element != std::byte{0});
      break;
    case Datatype::kUint8:
      good = list<std::uint8_t>(tensor, data);
      break;
    case Datatype::kUint16:
      good = list<std::uint16_t>(tensor, data);
      break;
    case Datatype::kUint32:
      good = list<std::uint32_t>(tensor, data);
      break;
    case Datatype::kUint64:
      good = list<std::uint64_t>(tensor, data);
      break;
    case Datatype::kInt8:
      good = list<std::int8_t>(tensor, data);
      break;
    case Datatype::kInt16:
      good = list<std::int16_t>(tensor, data);
      break;
    case Datatype::kInt32:
      good = list<std::int32_t>(tensor, data);
      break;
    case Datatype::kInt64:
      good = list<std::int64_t>(tensor, data);
      break;
    case Datatype::kFp32:
      good = list<float>(tensor, data);
      break;
    case Datatype::kFp64:
      good = list<double>(tensor, data);
      break;
    case Datatype::kFp16:
      return "is FP16, which has no exact JSON form: ask for binary";
    case Datatype::kBytes:
      good = each_text(tensor, [&](std::string_view text) { data.push_back(text); });
      break;
  }
  if (!good) return "holds values that JSON cannot hold: ask for binary";
  return std::nullopt;
}

std::optional<std::string> check_bytes(const Tensor& tensor, std::size_t count) {
  if (tensor.datatype == Datatype::kBytes) {
    std::size_t elements = 0;
    if (!each_text(tensor, [&](std::string_view) { ++elements; })) return "a BYTES element is longer than its data";
    if (elements != count) return "the number of BYTES elements is not what shape says";
    return std::nullopt;
  }
  const std::size_t size = size_of(tensor.datatype);
  if (tensor.data.size() % size != 0 || tensor.data.size() / size != count) {
    return "holds " + std::to_string(tensor.data.size()) + " bytes of data, shape says " + std::to_string(count) +
           " elements of " + std::to_string(size);
  }
  return std::nullopt;
}

}  // namespace hearth::stub
