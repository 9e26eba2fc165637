#include "policies/search.h"

#include <algorithm>
#include <bit>

namespace hearth::policies {
namespace {

using Words = std::vector<std::uint64_t>;

bool intersect(Words& cells, const Words& other) {
  std::uint64_t any = 0;
  for (std::size_t i = 0; i < cells.size(); ++i) any |= cells[i] &= other[i];
  return any != 0;
}

void subtract(Words& cells, const Words& other) {
  for (std::size_t i = 0; i < cells.size(); ++i) cells[i] &= ~other[i];
}

}  // namespace

Search::Answer Search::find(const std::vector<const Box*>& inside, const std::vector<const Box*>& outside) {
  Cells box(space_.dimensions());
  for (std::size_t d = 0; d < box.size(); ++d) {
    const unsigned cells = space_.cells(static_cast<std::uint16_t>(d));
    box[d].assign((cells + 63) / 64, ~std::uint64_t{0});
    if (cells % 64 != 0) box[d].back() = (std::uint64_t{1} << (cells % 64)) - 1;
  }
  for (const Box* part : inside) {
    for (const auto& [dimension, cells] : part->parts) {
      if (!intersect(box[dimension], cells)) return Answer::kNone;
    }
  }
  std::vector<const Box*> live = outside;
  for (const Box& impossible : space_.impossible()) live.push_back(&impossible);
  return search(std::move(box), std::move(live));
}

Search::Cut Search::cut(const Cells& box, const Box& rule, Uncovered& uncovered) {
  uncovered = {};
  int most = -1;
  for (const Box::Part& part : rule.parts) {
    const Words& cells = box[part.dimension];
    bool meets = false;
    int left = 0;
    for (std::size_t i = 0; i < cells.size(); ++i) {
      meets = meets || (cells[i] & part.cells[i]) != 0;
      left += std::popcount(cells[i] & ~part.cells[i]);
    }
    if (!meets) return Cut::kMisses;
    if (left == 0) continue;
    ++uncovered.count;
    if (left > most) most = left, uncovered.part = &part;
  }
  return uncovered.count == 0 ? Cut::kCovers : Cut::kCuts;
}

Search::Answer Search::search(Cells box, std::vector<const Box*> live) {
  if (++boxes_ > boxes_max_) return Answer::kGaveUp;
  const Box::Part* split = nullptr;
  for (bool narrowed = true; narrowed;) {
    narrowed = false;
    split = nullptr;
    std::size_t fewest = 0;
    std::size_t kept = 0;
    for (std::size_t i = 0; i < live.size(); ++i) {
      Uncovered uncovered;
      const Cut how = cut(box, *live[i], uncovered);
      if (how == Cut::kCovers) return Answer::kNone;
      if (how == Cut::kMisses) continue;
      if (uncovered.count == 1) {  // The one way past this rule.
        subtract(box[uncovered.part->dimension], uncovered.part->cells);
        narrowed = true;
        continue;
      }
      live[kept++] = live[i];
      if (split == nullptr || uncovered.count < fewest) split = uncovered.part, fewest = uncovered.count;
    }
    live.resize(kept);
  }
  if (!space_.text_exists(box)) return Answer::kNone;
  if (split == nullptr) {
    found_ = std::move(box);
    return Answer::kFound;
  }
  Cells past = box;
  subtract(past[split->dimension], split->cells);
  const Answer answer = search(std::move(past), live);
  if (answer != Answer::kNone) return answer;
  intersect(box[split->dimension], split->cells);
  return search(std::move(box), std::move(live));
}

}  // namespace hearth::policies
