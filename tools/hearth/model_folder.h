/// \file The folder that `hearth prepare` fills: one writer at a time, files whole or not at all.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include <hearth/result.h>

namespace hearth::tool {

/// A locked folder with a place beside the finished files for those still being written. Threads: one.
class ModelFolder {
 public:
  /// Makes the folder when missing and clears what a broken run left. kInvalidArgument when it cannot be written;
  /// kUnavailable when another process holds it.
  static Result<ModelFolder> open(const std::string& folder);
  ModelFolder(ModelFolder&& other) noexcept;
  ModelFolder& operator=(ModelFolder&&) = delete;
  ~ModelFolder();  ///< Removes what was not published.

  std::string part(std::string_view name) const;      ///< Where to write a file.
  std::string finished(std::string_view name) const;  ///< Where publish() puts it.
  Status write_part(std::string_view name, std::string_view text) const;
  Status publish(std::string_view name) const;

 private:
  ModelFolder(std::string folder, int lock) : folder_(std::move(folder)), lock_(lock) {}
  std::string folder_;
  int lock_;
};

}  // namespace hearth::tool
