#include "tools/hearth/places.h"

#include <filesystem>
#include <fstream>
#include <thread>

namespace hearth::tool {
namespace {

namespace fs = std::filesystem;

/// What follows `key` and its separator on the first line that begins with it.
std::string value_in(const char* file, const std::string& key, char separator) {
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);) {
    if (line.rfind(key, 0) != 0) continue;
    std::string value = line.substr(line.find(separator) + 1);
    const auto first = value.find_first_not_of(" \t\"");
    const auto last = value.find_last_not_of(" \t\"");
    return first == std::string::npos ? "" : value.substr(first, last - first + 1);
  }
  return "";
}

}  // namespace

std::string program_folder() {
  std::error_code error;
  const fs::path self = fs::read_symlink("/proc/self/exe", error);
  return error ? "." : self.parent_path().string();
}

std::string shipped_file(const std::string& relative) {
  const fs::path folder = program_folder();
  for (const fs::path& root : {fs::path(), folder / "../share/hearth", fs::path(HEARTH_SOURCE_FOLDER)}) {
    std::error_code error;
    const fs::path file = (root / relative).lexically_normal();
    if (fs::exists(file, error)) return file.string();
  }
  return relative;
}

std::string processor_name() {
  const std::string processor = value_in("/proc/cpuinfo", "model name", ':');
  return processor.empty() ? "unknown processor" : processor;
}

std::string machine_line() {
  const unsigned cores = std::thread::hardware_concurrency();
  std::string line = processor_name() + ", " + std::to_string(cores) + (cores == 1 ? " core" : " cores");
  const std::string system = value_in("/etc/os-release", "PRETTY_NAME", '=');
  return system.empty() ? line : line + ", " + system;
}

}  // namespace hearth::tool
