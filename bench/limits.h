/// \file What this machine can do at most: reading memory, and the products of bytes that the kernels are made of.
#pragma once

#include <cstddef>

#include "runtime/edge/kernels/linear.h"

namespace hearth::bench {

/// Bytes per second that `threads` read together from one buffer of `bytes`, over and over: the 90th percentile of many
/// passes. The buffer is in huge pages, as the kernels' weights are.
double read_bytes_per_s(std::size_t bytes, const edge::kernels::Threads& threads, bool quick);

/// Products of an int8 and an 8-bit activation, each added to an int32, per second and all threads, with everything in
/// registers and the instructions that the chosen vector code uses. 0 where there is no such loop here.
double products_per_s(const edge::kernels::Threads& threads, bool quick);

}  // namespace hearth::bench
