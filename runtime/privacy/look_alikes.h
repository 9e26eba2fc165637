/// \file Look-alikes: which characters a reader takes for which ASCII character (Unicode 15 and its confusables).
#pragma once

#include <cstdint>

namespace hearth::privacy {

/// What a reader does not see: Default_Ignorable_Code_Point, control characters but white space, and the combining
/// marks that are put on Latin letters and digits.
bool is_unseen(std::uint32_t point);

/// The ASCII character that `point` looks like anywhere; 0 for none.
char ascii_of(std::uint32_t point);

enum class Script : std::uint8_t { kOther, kCyrillic, kGreek };
Script script_of(std::uint32_t point);

/// The Latin letter that a Cyrillic or Greek one looks like; 0 for none.
char latin_of(std::uint32_t point);

}  // namespace hearth::privacy
