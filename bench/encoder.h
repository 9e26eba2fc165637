/// \file A transformer encoder through `hearth optimize`'s search, for bench_edge.
#pragma once

#include <cstdint>
#include <string>

namespace hearth::bench {

struct EncoderFigures {
  bool written = false;
  std::string why_not;
  double float_us = 0, float_p10_us = 0, float_p90_us = 0;
  double fast_us = 0, fast_p10_us = 0, fast_p90_us = 0;
  std::uint64_t float_bytes = 0, fast_bytes = 0;
  double output_error = 0;  ///< Root mean square, as a share of the float outputs'.
  std::string layers;       ///< How many of which kind.
};

/// Six layers, 384 wide, six heads, 1,536 in between, GELU, 128 tokens, seeded weights; one thread. Throws when
/// LibTorch does.
EncoderFigures run_encoder(const std::string& folder, bool quick);

}  // namespace hearth::bench
