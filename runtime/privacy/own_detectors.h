/// \file OwnDetectors: a policy's own patterns and words, compiled.
#pragma once

#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include <hearth/result.h>

#include "policies/policy.h"
#include "runtime/privacy/finders.h"

namespace hearth::privacy {

/// Whether own detectors can be used: every pattern is RE2's syntax, does not match the empty text, and fits in
/// 8 MiB compiled, as the words of a type do together. kInvalidArgument with a line for each that is not.
Status check(std::span<const policies::OwnDetector> own);

/// Matches are at most kMatchMax bytes long, which keeps the time linear whatever the pattern. Words are found whole,
/// in any case, with any white space where they have some. Threads: const and shareable.
class OwnDetectors {
 public:
  static constexpr std::size_t kMatchMax = 4096;

  explicit OwnDetectors(std::span<const policies::OwnDetector> own);
  ~OwnDetectors();

  bool ok() const { return ok_; }  ///< False when check() would complain.
  /// Appends the spans of each type; those of one type are ascending and do not overlap.
  void find(std::string_view text, Spans& found) const;

  struct Compiled;

 private:
  std::vector<std::unique_ptr<const Compiled>> compiled_;
  bool ok_ = true;
};

}  // namespace hearth::privacy
