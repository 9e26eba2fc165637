/// \file The exit codes of every command.
#pragma once

namespace hearth::tool {

inline constexpr int kExitOk = 0;
inline constexpr int kExitNo = 1;  ///< The answer is no.
inline constexpr int kExitBadInput = 2;
inline constexpr int kExitFailed = 3;

}  // namespace hearth::tool
