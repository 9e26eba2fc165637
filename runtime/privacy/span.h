/// \file Span: where in a text a detector found something, and what.
#pragma once

#include <cstddef>
#include <cstdint>

namespace hearth::privacy {

struct Span {
  std::size_t begin, end;
  std::uint8_t slot;
};

}  // namespace hearth::privacy
