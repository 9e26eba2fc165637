/// \file Search: whether some input lies in one box and in none of others.
#pragma once

#include <cstdint>
#include <vector>

#include "policies/space.h"

namespace hearth::policies {

/// Splits the box along the rules that cut it, as a SAT solver splits on literals: a rule that covers all of a box ends
/// it, one that misses it is dropped, one with a single uncovered dimension is a unit. Exact.
class Search {
 public:
  enum class Answer : std::uint8_t { kNone, kFound, kGaveUp };
  using Cells = std::vector<std::vector<std::uint64_t>>;  ///< By dimension.

  Search(const Space& space, std::uint64_t boxes_max) : space_(space), boxes_max_(boxes_max) {}

  /// Looks for an input in every one of `inside` and in none of `outside`.
  Answer find(const std::vector<const Box*>& inside, const std::vector<const Box*>& outside);
  const Cells& found() const { return found_; }
  std::uint64_t boxes() const { return boxes_; }

 private:
  enum class Cut : std::uint8_t { kMisses, kCovers, kCuts };
  struct Uncovered {
    std::size_t count = 0;
    const Box::Part* part = nullptr;  ///< One of them: the one that leaves most.
  };
  static Cut cut(const Cells& box, const Box& rule, Uncovered& uncovered);
  Answer search(Cells box, std::vector<const Box*> live);

  const Space& space_;
  const std::uint64_t boxes_max_;
  std::uint64_t boxes_ = 0;
  Cells found_;
};

}  // namespace hearth::policies
