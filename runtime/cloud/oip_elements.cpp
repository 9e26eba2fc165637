#include "runtime/cloud/oip_elements.h"

#include <algorithm>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstring>
#include <limits>
#include <type_traits>

#include <nlohmann/json.hpp>

#include "runtime/base/json_text.h"

namespace hearth::cloud {
namespace {

using nlohmann::json;

static_assert(std::endian::native == std::endian::little, "tensors are little-endian in memory and on the wire");

/// IEEE 754 binary16.
struct Half {
  std::uint16_t bits;
};

float to_float(Half half) {
  const int exponent = half.bits >> 10 & 0x1f;
  const int fraction = half.bits & 0x3ff;
  float value = 0;
  if (exponent == 31) {
    value = fraction == 0 ? std::numeric_limits<float>::infinity() : std::numeric_limits<float>::quiet_NaN();
  } else if (exponent == 0) {
    value = std::ldexp(static_cast<float>(fraction), -24);
  } else {
    value = std::ldexp(static_cast<float>(fraction + 0x400), exponent - 25);
  }
  return (half.bits & 0x8000) != 0 ? -value : value;
}

/// The nearest half, ties to even; the caller has checked the range.
Half to_half(double value) {
  const double size = std::fabs(value);
  int exponent = 0;
  std::frexp(size, &exponent);                           // size = m * 2^exponent, m in [0.5, 1)
  exponent = std::max(exponent, -13);                    // below 2^-14 the steps stay 2^-24
  const double steps = std::ldexp(size, 11 - exponent);  // exact
  auto rounded = static_cast<unsigned>(std::nearbyint(steps));
  // Adding lets a fraction that rounds up carry into the exponent.
  const unsigned bits = size == 0 ? 0 : static_cast<unsigned>(exponent + 13) * 0x400 + rounded;
  return {static_cast<std::uint16_t>(bits | (std::signbit(value) ? 0x8000u : 0u))};
}

template <class T>
void append_number(std::string& out, T value) {
  char text[40];
  char* end = text;
  if constexpr (std::is_same_v<T, bool>) {
    out += value ? "true" : "false";
    return;
  } else if constexpr (std::is_same_v<T, Half>) {
    return append_number(out, to_float(value));
  } else if constexpr (std::is_floating_point_v<T>) {
    if (!std::isfinite(value)) {
      out += "null";
      return;
    }
    end = std::to_chars(text, std::end(text), value).ptr;
    if constexpr (std::is_same_v<T, float>) {
      // A reader that goes through double could round twice: then the double's own digits are the safe ones.
      double wide = 0;
      std::from_chars(text, end, wide);
      if (static_cast<float>(wide) != value) end = std::to_chars(text, std::end(text), double{value}).ptr;
    }
  } else {
    end = std::to_chars(text, std::end(text), value).ptr;
  }
  out.append(text, end);
  if (std::is_floating_point_v<T> && std::string_view(text, end) == "-0") out += ".0";  // "-0" reads as the integer 0
}

/// False when `value` is not a JSON value that a T can hold.
template <class T>
bool read_number(const json& value, T& out) {
  if constexpr (std::is_same_v<T, bool>) {
    if (!value.is_boolean()) return false;
    out = value.get<bool>();
  } else if constexpr (std::is_same_v<T, Half>) {
    if (!value.is_number()) return false;
    const double wide = value.get<double>();
    if (!(std::fabs(wide) < 65520)) return false;  // from there on it would round to infinity
    out = to_half(wide);
  } else if constexpr (std::is_floating_point_v<T>) {
    if (!value.is_number()) return false;
    const double wide = value.get<double>();
    if (!(std::fabs(wide) <= static_cast<double>(std::numeric_limits<T>::max()))) return false;
    out = static_cast<T>(wide);
  } else {
    if (value.is_number_unsigned()) {
      const auto number = value.get<std::uint64_t>();
      if (!std::in_range<T>(number)) return false;
      out = static_cast<T>(number);
    } else if (value.is_number_integer()) {
      const auto number = value.get<std::int64_t>();
      if (!std::in_range<T>(number)) return false;
      out = static_cast<T>(number);
    } else {
      return false;
    }
  }
  return true;
}

/// Calls `visit` with a null pointer to the C++ type of one element of a datatype of fixed size.
template <class Visit>
auto with_type(Datatype type, Visit&& visit) {
  switch (type) {
    case Datatype::kBool:
      return visit(static_cast<bool*>(nullptr));
    case Datatype::kUint8:
      return visit(static_cast<std::uint8_t*>(nullptr));
    case Datatype::kUint16:
      return visit(static_cast<std::uint16_t*>(nullptr));
    case Datatype::kUint32:
      return visit(static_cast<std::uint32_t*>(nullptr));
    case Datatype::kUint64:
      return visit(static_cast<std::uint64_t*>(nullptr));
    case Datatype::kInt8:
      return visit(static_cast<std::int8_t*>(nullptr));
    case Datatype::kInt16:
      return visit(static_cast<std::int16_t*>(nullptr));
    case Datatype::kInt32:
      return visit(static_cast<std::int32_t*>(nullptr));
    case Datatype::kInt64:
      return visit(static_cast<std::int64_t*>(nullptr));
    case Datatype::kFp16:
      return visit(static_cast<Half*>(nullptr));
    case Datatype::kFp64:
      return visit(static_cast<double*>(nullptr));
    default:
      return visit(static_cast<float*>(nullptr));
  }
}

/// Hands every leaf of `data` to `take` in row-major order; false when the nesting is not that of `shape`.
template <class Take>
bool each_leaf(const json& data, std::span<const std::int64_t> shape, const Take& take) {
  if (shape.empty()) return take(data);
  if (!data.is_array() || !std::cmp_equal(data.size(), shape[0])) return false;
  return std::all_of(data.begin(), data.end(),
                     [&](const json& inner) { return each_leaf(inner, shape.subspan(1), take); });
}

bool take_bytes(const json& value, std::vector<std::byte>& out) {
  if (!value.is_string()) return false;
  const auto& text = value.get_ref<const std::string&>();
  const auto length = static_cast<std::uint32_t>(text.size());
  const auto prefix = std::as_bytes(std::span(&length, 1));
  const auto bytes = std::as_bytes(std::span(text));
  out.insert(out.end(), prefix.begin(), prefix.end());
  out.insert(out.end(), bytes.begin(), bytes.end());
  return text.size() <= std::numeric_limits<std::uint32_t>::max();
}

}  // namespace

void append_json_elements(std::string& out, Datatype type, std::span<const std::byte> data) {
  out += '[';
  if (type == Datatype::kBytes) {
    while (data.size() >= sizeof(std::uint32_t)) {
      std::uint32_t length = 0;
      std::memcpy(&length, data.data(), sizeof length);
      data = data.subspan(sizeof length);
      const auto element = data.first(std::min<std::size_t>(length, data.size()));
      append_json_string(out, {reinterpret_cast<const char*>(element.data()), element.size()});
      data = data.subspan(element.size());
      if (!data.empty()) out += ',';
    }
  } else {
    with_type(type, [&]<class T>(T*) {
      for (std::size_t at = 0; at + sizeof(T) <= data.size(); at += sizeof(T)) {
        if (at > 0) out += ',';
        if constexpr (std::is_same_v<T, bool>) {
          append_number(out, data[at] != std::byte{0});
        } else {
          T value;
          std::memcpy(&value, data.data() + at, sizeof value);
          append_number(out, value);
        }
      }
    });
  }
  out += ']';
}

const char* read_json_elements(const json& data, Datatype type, std::span<const std::int64_t> shape,
                               std::vector<std::byte>& out) {
  const auto count = element_count(shape);
  if (!count || !data.is_array()) return "data is not an array that fits the shape";
  const bool flat = data.empty() || !data.front().is_array();
  if (flat && data.size() != *count) return "data has another number of elements than the shape";
  const auto flat_shape = static_cast<std::int64_t>(data.size());
  const auto nesting = flat ? std::span(&flat_shape, 1) : shape;

  bool held = true;
  bool shaped = false;
  if (type == Datatype::kBytes) {
    shaped = each_leaf(data, nesting, [&](const json& leaf) { return held = take_bytes(leaf, out); });
  } else {
    shaped = with_type(type, [&]<class T>(T*) {
      return each_leaf(data, nesting, [&](const json& leaf) {
        T value{};
        held = read_number(leaf, value);
        const auto bytes = std::as_bytes(std::span(&value, 1));
        out.insert(out.end(), bytes.begin(), bytes.end());
        return held;
      });
    });
  }
  if (!held) return "data holds a value that the datatype cannot";
  return shaped ? nullptr : "data is not nested as the shape says";
}

bool holds_byte_elements(std::span<const std::byte> data, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    std::uint32_t length = 0;
    if (data.size() < sizeof length) return false;
    std::memcpy(&length, data.data(), sizeof length);
    data = data.subspan(sizeof length);
    if (data.size() < length) return false;
    data = data.subspan(length);
  }
  return data.empty();
}

}  // namespace hearth::cloud
