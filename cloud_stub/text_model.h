/// \file TextModel: a small model of language that always answers the same: it picks the sentences that say most, and
/// places a text among others by its words. Real, if modest: what it says depends on all of the text.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace hearth::stub {

/// Threads: a plain value, every method const.
class TextModel {
 public:
  static constexpr std::size_t kDimensions = 64;

  explicit TextModel(std::string name) : name_(std::move(name)) {}
  const std::string& name() const { return name_; }

  /// The two sentences with the highest mean frequency of their words (Luhn, "The automatic creation of literature
  /// abstracts", 1958), in the text's order and letters, after the words "In short: ". At most `tokens_max` pieces.
  std::vector<std::string> answer(std::string_view text, std::size_t tokens_max) const;

  /// Words hashed into kDimensions (Weinberger et al., "Feature hashing for large scale multitask learning", 2009), of
  /// length 1; all zeros for a text without words.
  std::vector<float> embedding(std::string_view text) const;

 private:
  std::string name_;
};

}  // namespace hearth::stub
