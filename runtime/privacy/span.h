/// \file Span: where in a text something was found.
#pragma once

#include <cstddef>
#include <cstdint>

namespace hearth::privacy {

/// Bytes [begin, end) of a text; never within a code point. `slot` is a policies::Detected, or kDetectedCount + i for
/// the policy's i-th own detector.
struct Span {
  std::size_t begin = 0;
  std::size_t end = 0;
  std::uint8_t slot = 0;

  friend bool operator==(const Span&, const Span&) = default;
};

}  // namespace hearth::privacy
