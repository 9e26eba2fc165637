/// \file What every command of hearth shares: exit codes, and how flags become options or one line on standard error.
#pragma once

#include <optional>
#include <string>

#include <CLI/CLI.hpp>

#include "tools/hearth/exit_codes.h"

namespace hearth::tool {

inline constexpr const char* kExitCodes = "Exit codes: 0 ok, 1 the answer is no, 2 bad input, 3 failed while running.";

/// CLI11's own check takes "-1" for a large number, or answers with the largest double in full.
CLI::Validator whole_number();

/// Parses; nothing when the command may go on, else the exit code after help or a complaint was printed.
std::optional<int> parse_flags(CLI::App& app, int argc, char** argv);

}  // namespace hearth::tool
