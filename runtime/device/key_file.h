/// \file The device key: 32 secret bytes in a file, made on first use.
#pragma once

#include <string>

#include <hearth/result.h>

namespace hearth::device {

/// Reads the key. Where there is none and `may_make` allows it, one is drawn from the operating system, written with
/// the rights 0600, synced, and put in place whole. Errors name the file: kNotFound when it is missing and may not be
/// made, kCorrupt when it is not 32 bytes long, kUnavailable when the system refuses. Threads: any; two that make one
/// at the same time get the same one.
Result<std::string> read_or_make_key(const std::string& file, bool may_make);

/// The same, never making one.
Result<std::string> read_key(const std::string& file);

}  // namespace hearth::device
