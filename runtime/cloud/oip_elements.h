/// \file Tensor elements as JSON and back, as the Open Inference Protocol writes them. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include <hearth/tensor.h>

namespace hearth::cloud {

/// Appends the elements as one flat JSON array. Numbers read back as exactly the same value, by readers that parse into
/// double too. JSON has no NaN or infinity: such an element becomes null, which every server refuses. `data` must hold
/// whole elements.
void append_json_elements(std::string& out, Datatype type, std::span<const std::byte> data);

/// Reads `data`, flat or nested exactly as `shape`, into bytes. Null when all is well, else what is wrong, without the
/// data. Refuses a wrong count, wrong JSON types, and numbers that the datatype cannot hold.
const char* read_json_elements(const nlohmann::json& data, Datatype type, std::span<const std::int64_t> shape,
                               std::vector<std::byte>& out);

/// True when `data` is exactly `count` elements, each a 4-byte little-endian length and that many bytes.
bool holds_byte_elements(std::span<const std::byte> data, std::size_t count);

}  // namespace hearth::cloud
