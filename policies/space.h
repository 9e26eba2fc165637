/// \file Space: every input that policies can tell apart, as finitely many cells in each of a few dimensions.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "policies/compiled.h"
#include "policies/prove.h"

namespace hearth::policies {

/// A conjunction: in each dimension it names, one of these cells. Dimensions it does not name are free.
struct Box {
  struct Part {
    std::uint16_t dimension = 0;
    std::vector<std::uint64_t> cells;  ///< A bit a cell.
  };
  std::vector<Part> parts;  ///< At most one a dimension.
};

/// The cells of a dimension are exact: whatever the policies and the query ask of the attribute, they ask the same of
/// all values in a cell. Whether a cell satisfies a condition is found by asking the evaluator about one value of it,
/// so that proofs and decisions cannot drift apart. Text is a dimension of yes and no for each set of words.
class Space {
 public:
  enum Dimension : std::uint16_t {
    kLabel,
    kModel,
    kPayload,
    kPayloadKib,
    kNetwork,
    kBattery,
    kCharging,
    kTainted,
    kConsent,
    kMib,
    kUsd,
    kHour,
    kEndpoint,
    kRegion,
    kClass,  ///< Of the first policy; the second's follows. Derived: see rules_of().
  };
  static constexpr std::uint16_t kUnknownRegion = 0;

  /// What is named besides the policies.
  struct Mentions {
    const Conditions* conditions = nullptr;  ///< Of a question to the first policy.
    std::vector<std::string> endpoints;
    std::vector<std::string> regions;
  };

  Space(std::span<const Compiled* const> policies, const Mentions& mentions);

  std::size_t dimensions() const { return names_.size(); }
  unsigned cells(std::uint16_t dimension) const { return cells_[dimension]; }
  std::uint16_t class_of(std::size_t policy) const { return static_cast<std::uint16_t>(kClass + policy); }

  /// The inputs for which all conditions may hold (restricting rules) or surely hold (preferences, questions). Nothing
  /// when there is none. `understood`: whether the text was; detectors and words know nothing without.
  std::optional<Box> box_of(std::size_t policy, const Conditions& when, bool surely, bool understood) const;
  const std::string& name_of(std::uint16_t dimension) const { return names_[dimension]; }
  /// Whether the dimension is an attribute that a request can be given by itself: no endpoint, class or text.
  bool is_request(std::uint16_t dimension) const;
  /// Its cells, what is known first.
  std::vector<unsigned> plainest_first(std::uint16_t dimension) const;
  /// Sets what a cell of one dimension says. Class dimensions say nothing that a request holds.
  void put(std::uint16_t dimension, unsigned cell, Witness& witness) const;

  /// The cells of `dimension` in which `holds` for the facts of the cell.
  template <class Holds>
  Box::Part part_of(std::uint16_t dimension, const Holds& holds) const;
  Box::Part names_part(std::uint16_t dimension, std::span<const std::string> names) const;
  Box::Part cell_part(std::uint16_t dimension, unsigned cell) const;
  Box::Part complement(const Box::Part& part) const;

  /// Assignments that no text can have, such as words found in a request without text.
  const std::vector<Box>& impossible() const { return impossible_; }
  /// Whether some text has the words that `box` (a set of cells for every dimension) demands and none it excludes.
  bool text_exists(std::span<const std::vector<std::uint64_t>> box) const;
  /// One input of the box; it must be possible.
  Witness witness_in(std::span<const std::vector<std::uint64_t>> box, bool understood) const;

 private:
  struct WordSet {
    std::vector<std::string> words;
    std::uint16_t dimension;
  };
  static bool holds(const WordSet& set, char c);
  std::uint16_t add_dimension(std::string name, unsigned cells);
  void add_conditions(const Compiled& policy, const Conditions& when);
  void add_numbers(std::uint16_t dimension, double max, bool whole);
  std::uint16_t dimension_of(const Compiled& policy, const Condition& condition) const;
  unsigned plainest(std::uint16_t dimension, std::span<const std::uint64_t> set) const;
  std::optional<std::string> text_in(std::span<const std::vector<std::uint64_t>> box) const;

  std::vector<const Compiled*> policies_;
  std::vector<std::string> names_;
  std::vector<unsigned> cells_;
  std::vector<std::vector<std::string>> values_;   ///< Of name dimensions, by cell.
  std::vector<std::vector<double>> thresholds_;    ///< While building.
  std::vector<std::vector<double>> numbers_;       ///< Of number dimensions, one value a cell; not a number: unknown.
  std::map<std::string, std::uint16_t> detected_;  ///< By type.
  std::vector<WordSet> words_;
  std::vector<Box> impossible_;
  char separator_ = '|';  ///< Stands in no word, so that joining words makes no new one.
};

template <class Holds>
Box::Part Space::part_of(std::uint16_t dimension, const Holds& holds) const {
  Box::Part part{dimension, std::vector<std::uint64_t>((cells_[dimension] + 63) / 64)};
  Witness witness;
  for (unsigned cell = 0; cell < cells_[dimension]; ++cell) {
    put(dimension, cell, witness);
    if (holds(witness)) part.cells[cell / 64] |= std::uint64_t{1} << (cell % 64);
  }
  return part;
}

}  // namespace hearth::policies
