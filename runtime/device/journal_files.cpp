#include "runtime/device/journal_files.h"

#include <algorithm>
#include <charconv>
#include <filesystem>

namespace hearth::device {

std::vector<OlderSegment> older_segments(const std::string& file) {
  const std::filesystem::path path(file);
  const std::string stem = path.filename().string() + ".";
  std::vector<OlderSegment> found;
  std::error_code failure;
  const auto folder = path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
  for (std::filesystem::directory_iterator at(folder, failure), end; !failure && at != end; at.increment(failure)) {
    const std::string name = at->path().filename().string();
    if (!name.starts_with(stem)) continue;
    OlderSegment segment{0, at->path().string()};
    const char* begin = name.data() + stem.size();
    const char* last = name.data() + name.size();
    const auto [stop, error] = std::from_chars(begin, last, segment.number);
    if (error == std::errc() && stop == last && *begin != '0') found.push_back(std::move(segment));
  }
  std::sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return a.number < b.number; });
  return found;
}

}  // namespace hearth::device
