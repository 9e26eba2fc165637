/// \file StepMemory: the finished steps of a `hearth optimize`, kept beside its output until that is written, so that
/// an interrupted run goes on where it was.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include <nlohmann/json.hpp>

#include <hearth/result.h>

namespace hearth::tool {

/// A locked folder with state.json and the files of finished steps. Threads: one.
class StepMemory {
 public:
  /// Makes the folder when missing. What an earlier run left there counts when its `settings` were the same and it can
  /// be read; else it is cleared. kInvalidArgument when it cannot be written, or is a folder that no run of ours made;
  /// kUnavailable when another process holds it.
  static Result<StepMemory> open(const std::string& folder, const nlohmann::ordered_json& settings);
  StepMemory(StepMemory&& other) noexcept;
  StepMemory& operator=(StepMemory&&) = delete;
  ~StepMemory();

  std::string file(std::string_view name) const { return folder_ + "/" + std::string(name); }
  /// Whether `name` was finished and still holds the same bytes.
  bool has(std::string_view name) const;
  /// Vouches for the file `name`, which is whole. kUnavailable.
  Status finished(std::string_view name);
  /// A figure under `key`; null when there is none.
  nlohmann::ordered_json note(std::string_view key) const;
  Status keep_note(std::string_view key, nlohmann::ordered_json value);
  /// Removes the folder and all it holds.
  void forget();

 private:
  StepMemory(std::string folder, int lock) : folder_(std::move(folder)), lock_(lock) {}
  Status write();

  std::string folder_;
  int lock_;
  nlohmann::ordered_json state_;
};

}  // namespace hearth::tool
