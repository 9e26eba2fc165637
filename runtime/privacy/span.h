/// \file Span: where in a text something personal stands.
#pragma once

#include <cstddef>
#include <cstdint>

namespace hearth::privacy {

/// Bytes of the text as sent. `slot` is a policies::Detected, or kDetectedCount + i for the policy's i-th own detector.
struct Span {
  std::size_t begin = 0;
  std::size_t end = 0;
  std::uint8_t slot = 0;

  bool operator==(const Span&) const = default;
};

}  // namespace hearth::privacy
