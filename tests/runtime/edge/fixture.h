/// \file What the edge tests share.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/edge/torch_engine.h"
#include "tests/support/temp_folder.h"

namespace hearth::test {

inline EdgeBinding bind(const std::string& file, std::vector<std::int64_t> in, std::vector<std::int64_t> out) {
  EdgeBinding binding;
  binding.file = file;
  binding.inputs = {{"x", Datatype::kFp32, std::move(in)}};
  binding.outputs = {{"scores", Datatype::kFp32, std::move(out)}};
  return binding;
}

inline std::string bytes_of(const std::string& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

inline void write_bytes(const std::string& file, std::string_view bytes) {
  std::ofstream(file, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

inline bool is_one_line(const std::string& message) {
  return !message.empty() && message.find('\n') == std::string::npos && message.find("frame #") == std::string::npos;
}

/// While it lives, what this process writes to standard output and error lands in a file.
class Terminal {
 public:
  explicit Terminal(const std::filesystem::path& file) : file_(file), before_{dup(1), dup(2)} {
    const int to = ::open(file_.c_str(), O_CREAT | O_WRONLY | O_TRUNC | O_APPEND, 0600);
    dup2(to, 1);
    dup2(to, 2);
    close(to);
  }
  ~Terminal() { restore(); }
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;
  /// Ends the capture.
  std::string text() {
    restore();
    return bytes_of(file_.string());
  }

 private:
  void restore() {
    for (int stream : {0, 1}) {
      if (before_[stream] < 0) continue;
      fflush(nullptr);
      dup2(before_[stream], stream + 1);
      close(before_[stream]);
      before_[stream] = -1;
    }
  }
  std::filesystem::path file_;
  int before_[2];
};

}  // namespace hearth::test
