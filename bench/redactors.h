/// \file Redactors: hearth and the npm packages of bench/peers, run on the same texts and scored by one method.
///
/// A package gives text back, not places. So a labelled value counts as found when it is not in the output, and a plain
/// text as hit when its output differs, for each redactor alike. Time is per text, redacting included (hearth's: what
/// is found is replaced by its type, as the packages do), the median of rounds over all labelled texts after a warm-up.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "runtime/privacy/detector.h"

namespace hearth::bench {

struct RedactionTexts {
  struct Value {
    std::size_t text;  ///< Which of `labelled`.
    std::string value;
  };
  std::vector<std::string> labelled;
  std::vector<Value> values;
  std::vector<std::string> plain;
};

struct Redacted {
  std::vector<std::string> labelled;
  std::vector<std::string> plain;
  std::vector<double> seconds;  ///< Of each round over the labelled texts.
};

Redacted redact_here(const privacy::TextDetector& detector, const RedactionTexts& texts, int rounds);

/// In a node process of its own. Nothing without node or the package in `folder`, or when it fails.
std::optional<Redacted> redact_with_peer(const std::string& folder, const std::string& peer,
                                         const RedactionTexts& texts, int rounds);

/// One line; without a result, how to install the peers.
void print_redactor(const std::string& name, const std::optional<Redacted>& redacted, const RedactionTexts& texts);

}  // namespace hearth::bench
