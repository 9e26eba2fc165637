/// \file Plain text: UTF-8 checked strictly, look-alikes folded to ASCII, so that patterns see what a reader sees.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace hearth::privacy {

bool is_ascii(std::string_view text);

/// Nothing when `text` is not UTF-8 (RFC 3629: no overlong forms, no surrogates, nothing past U+10FFFF).
std::optional<std::string> to_plain_text(std::string_view text);

}  // namespace hearth::privacy
