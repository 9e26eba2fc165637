/// \file The linear layers of runtime/edge/kernels once more: plain loops, int64 sums, FP32 in the order that linear.h
/// fixes.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "runtime/edge/kernels/linear.h"

namespace hearth::test {

std::vector<float> reference_linear(const edge::kernels::Int8Weights& weights, std::span<const float> input,
                                    std::size_t rows, edge::kernels::Activation activation);
std::vector<float> reference_linear(const edge::kernels::Int4Weights& weights, std::span<const float> input,
                                    std::size_t rows, edge::kernels::Activation activation);

}  // namespace hearth::test
