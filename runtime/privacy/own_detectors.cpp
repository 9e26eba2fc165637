#include "runtime/privacy/own_detectors.h"

#include <algorithm>
#include <string>

#include <re2/re2.h>

#include "runtime/privacy/plain_text.h"

namespace hearth::privacy {
namespace {

constexpr std::int64_t kPatternBytesMax = 8 << 20;

RE2::Options options(bool case_sensitive) {
  RE2::Options result;
  result.set_log_errors(false);
  result.set_max_mem(kPatternBytesMax);
  result.set_case_sensitive(case_sensitive);
  result.set_longest_match(!case_sensitive);  // "New York" before "New".
  return result;
}

/// The words, folded as the text will be; white space of any kind and length between their parts.
std::string pattern_of(const std::vector<std::string>& words) {
  std::string pattern;
  for (const std::string& word : words) {
    const std::string plain = to_plain_text(word).value_or(word);
    std::string quoted;
    for (std::size_t at = 0; at < plain.size();) {
      std::size_t end = at;
      while (end < plain.size() && !is_space(plain[end])) ++end;
      if (end > at) quoted += (quoted.empty() ? "" : "\\s+") + RE2::QuoteMeta(plain.substr(at, end - at));
      at = std::max(end, at + 1);
    }
    if (!quoted.empty()) pattern += (pattern.empty() ? "" : "|") + quoted;
  }
  return pattern.empty() ? pattern : "(?:^|[^\\pL\\pN])(" + pattern + ")(?:[^\\pL\\pN]|$)";
}

std::string problem_of(const RE2& pattern, const char* what) {
  if (!pattern.ok()) {
    if (pattern.error_code() == RE2::ErrorPatternTooLarge) return std::string(what) + " too large to compile in 8 MiB";
    return std::string(what) + " not RE2 syntax: " + pattern.error();
  }
  if (pattern.Match("", 0, 0, RE2::UNANCHORED, nullptr, 0))
    return std::string(what) + " found in an empty text; one that needs a character is expected";
  return {};
}

}  // namespace

struct OwnDetectors::Compiled {
  Compiled(const policies::OwnDetector& own, std::uint8_t slot_of) : slot(slot_of) {
    if (!own.pattern.empty()) pattern = std::make_unique<RE2>(own.pattern, options(true));
    const std::string folded = pattern_of(own.words);
    if (!folded.empty()) words = std::make_unique<RE2>(folded, options(false));
  }

  std::string problem() const {
    std::string result;
    if (!pattern && !words) return "neither a pattern nor words";
    if (pattern) result = problem_of(*pattern, "pattern is");
    if (result.empty() && words) result = problem_of(*words, "words are");
    return result;
  }

  /// Looks at 2 * kMatchMax bytes at a time: what begins in the first half is found whole.
  void find(const RE2& search, int part, std::string_view text, Spans& found) const {
    const re2::StringPiece whole(text.data(), text.size());
    const auto inside = [&](std::size_t at) {
      return at < text.size() && (static_cast<unsigned char>(text[at]) & 0xc0) == 0x80;
    };
    std::size_t from = 0;
    re2::StringPiece parts[2];
    while (from < text.size()) {
      std::size_t window = std::min(text.size(), from + 2 * kMatchMax);
      while (inside(window)) --window;
      if (!search.Match(whole, from, window, RE2::UNANCHORED, parts, 2)) {
        if (window == text.size()) return;
        from = window - kMatchMax;
        while (inside(from)) --from;
        continue;
      }
      auto begin = static_cast<std::size_t>(parts[part].data() - text.data());
      auto end = begin + parts[part].size();
      const auto start = static_cast<std::size_t>(parts[0].data() - text.data());
      if (window < text.size() && start > from + kMatchMax) {
        from = start;
        continue;
      }
      while (inside(begin)) --begin;  // \C
      while (inside(end)) ++end;
      if (end > begin) found.push_back({begin, end, slot});
      from = std::max(end, from + 1);
      while (inside(from)) ++from;
    }
  }

  std::uint8_t slot;
  std::unique_ptr<const RE2> pattern;
  std::unique_ptr<const RE2> words;  ///< The word is its first group.
};

OwnDetectors::OwnDetectors(std::span<const policies::OwnDetector> own) {
  ok_ = own.size() <= policies::kOwnDetectorsMax;
  for (std::size_t i = 0; i < own.size() && ok_; ++i) {
    compiled_.push_back(std::make_unique<Compiled>(own[i], static_cast<std::uint8_t>(policies::kDetectedCount + i)));
    ok_ = compiled_.back()->problem().empty();
  }
}

OwnDetectors::~OwnDetectors() = default;

void OwnDetectors::find(std::string_view text, Spans& found) const {
  for (const auto& own : compiled_) {
    const std::size_t first = found.size();
    if (own->pattern) own->find(*own->pattern, 0, text, found);
    if (own->words) own->find(*own->words, 1, text, found);
    if (own->pattern && own->words) merge_overlaps(found, first);
  }
}

Status check(std::span<const policies::OwnDetector> own) {
  std::string problems;
  if (own.size() > policies::kOwnDetectorsMax) {
    problems = "own detectors: " + std::to_string(own.size()) + " types, at most " +
               std::to_string(policies::kOwnDetectorsMax) + " are expected";
  }
  for (const auto& detector : own) {
    const std::string problem = OwnDetectors::Compiled(detector, 0).problem();
    if (!problem.empty())
      problems += (problems.empty() ? "" : "\n") + ("own detector " + detector.type) + ": " + problem;
  }
  if (problems.empty()) return Done{};
  return {ErrorCode::kInvalidArgument, problems};
}

}  // namespace hearth::privacy
