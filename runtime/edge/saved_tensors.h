/// \file Tensors as the operators' saved state holds them. Internal to runtime/edge: includes torch.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include <ATen/ATen.h>

namespace hearth::edge {

/// The values of a dense tensor of that type; a view.
template <class T>
std::span<const T> values_of(const at::Tensor& tensor) {
  return {static_cast<const T*>(tensor.data_ptr()), static_cast<std::size_t>(tensor.numel())};
}

/// A tensor that owns a copy.
template <class T>
at::Tensor tensor_of(const std::vector<T>& values, at::IntArrayRef shape, at::ScalarType type) {
  return at::from_blob(const_cast<T*>(values.data()), shape, type).clone();
}

}  // namespace hearth::edge
