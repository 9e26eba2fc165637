/// \file The files of a journal: the newest segment under its own name, the older ones as `name.1`, `name.2`, ...
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace hearth::device {

/// The first line of every segment. Of one length, so that one can take the other's place on a disk that is full.
inline constexpr std::string_view kWholeJournal = "hearth journal 2 whole\n";
inline constexpr std::string_view kTornJournal = "hearth journal 2 torn!\n";

struct OlderSegment {
  std::uint64_t number = 0;
  std::string file;
};

/// Oldest first. Empty also when the folder cannot be read.
std::vector<OlderSegment> older_segments(const std::string& file);

}  // namespace hearth::device
