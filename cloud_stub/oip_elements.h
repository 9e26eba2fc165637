/// \file Elements of one tensor: JSON values to raw little-endian bytes and back, for the server's side of the
/// protocol.
#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include <nlohmann/json_fwd.hpp>

#include <hearth/tensor.h>

namespace hearth::stub {

/// Decodes `data` (flat, or nested as `tensor.shape` says) into `tensor.data`. What could be decoded stays there after
/// a problem. Problems never quote a value.
std::optional<std::string> elements_from_json(const nlohmann::json& data, Tensor& tensor);

/// Encodes flat. A problem when JSON cannot hold the values (NaN, infinity, FP16, text that is not UTF-8).
std::optional<std::string> elements_to_json(const Tensor& tensor, nlohmann::json& data);

/// Do `tensor.data`'s bytes hold exactly `count` elements?
std::optional<std::string> check_bytes(const Tensor& tensor, std::size_t count);

}  // namespace hearth::stub
