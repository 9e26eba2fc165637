#include "cloud_stub/text_model.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <map>
#include <utility>

namespace hearth::stub {
namespace {

constexpr std::size_t kSentences = 2;

bool in_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         static_cast<unsigned char>(c) >= 0x80;
}

std::vector<std::string> words_of(std::string_view text) {
  std::vector<std::string> words;
  std::string word;
  for (const char c : text) {
    if (in_word(c)) {
      word += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    } else if (!word.empty()) {
      words.push_back(std::exchange(word, {}));
    }
  }
  if (!word.empty()) words.push_back(std::move(word));
  return words;
}

std::vector<std::string_view> sentences_of(std::string_view text) {
  std::vector<std::string_view> sentences;
  std::size_t begin = 0;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const bool ends = text[at] == '.' || text[at] == '!' || text[at] == '?' || text[at] == '\n';
    if (!ends || (at + 1 < text.size() && text[at + 1] != ' ' && text[at + 1] != '\n')) continue;
    sentences.push_back(text.substr(begin, at + 1 - begin));
    begin = at + 1;
  }
  if (begin < text.size()) sentences.push_back(text.substr(begin));
  return sentences;
}

std::uint64_t hash_of(std::string_view word) {  // FNV-1a
  std::uint64_t hash = 0xcbf29ce484222325ull;
  for (const char c : word) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ull;
  return hash;
}

/// Pieces as a language model gives them: a word with the space before it.
void append_pieces(std::string_view text, std::vector<std::string>& pieces) {
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(' ', 1), text.size());
    pieces.emplace_back(text.substr(0, end));
    text.remove_prefix(end);
  }
}

}  // namespace

std::vector<std::string> TextModel::answer(std::string_view text, std::size_t tokens_max) const {
  std::map<std::string, double> frequency;
  for (const auto& word : words_of(text)) frequency[word] += 1;
  struct Scored {
    std::size_t at;
    double score;
  };
  const auto sentences = sentences_of(text);
  std::vector<Scored> ranked;
  for (std::size_t i = 0; i < sentences.size(); ++i) {
    const auto words = words_of(sentences[i]);
    double sum = 0;
    for (const auto& word : words) sum += frequency[word];
    if (!words.empty()) ranked.push_back({i, sum / static_cast<double>(words.size())});
  }
  std::stable_sort(ranked.begin(), ranked.end(), [](auto& a, auto& b) { return a.score > b.score; });
  ranked.resize(std::min(ranked.size(), kSentences));
  std::sort(ranked.begin(), ranked.end(), [](auto& a, auto& b) { return a.at < b.at; });
  std::vector<std::string> pieces{"In", " short:"};
  for (const Scored& one : ranked) {
    const auto sentence = sentences[one.at];
    append_pieces(" " + std::string(sentence.substr(std::min(sentence.find_first_not_of(" \n"), sentence.size()))),
                  pieces);
  }
  if (tokens_max > 0 && pieces.size() > tokens_max) pieces.resize(tokens_max);
  return pieces;
}

std::vector<float> TextModel::embedding(std::string_view text) const {
  std::vector<float> values(kDimensions, 0);
  for (const auto& word : words_of(text)) {
    const std::uint64_t hash = hash_of(word);
    values[hash % kDimensions] += (hash >> 32 & 1) != 0 ? 1.f : -1.f;
  }
  double squares = 0;
  for (const float value : values) squares += static_cast<double>(value) * value;
  if (squares > 0) {
    for (float& value : values) value = static_cast<float>(value / std::sqrt(squares));
  }
  return values;
}

}  // namespace hearth::stub
