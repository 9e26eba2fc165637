#include "runtime/privacy/detector.h"

#include <algorithm>
#include <memory_resource>
#include <optional>

#include "runtime/privacy/entity_model.h"
#include "runtime/privacy/finders.h"
#include "runtime/privacy/lexer.h"
#include "runtime/privacy/own_detectors.h"
#include "runtime/privacy/plain_text.h"

namespace hearth::privacy {
namespace {

constexpr unsigned kCountMax = 65535;

bool in_order(const Span& a, const Span& b) { return a.begin != b.begin ? a.begin < b.begin : a.end > b.end; }

/// Groups of digits within what other families have found are no numbers of their own.
void take_groups(Marks& marks, const Spans& found) {
  std::size_t i = 0;
  for (const Span& span : found) {
    while (i < marks.groups.size() && marks.groups[i].end <= span.begin) ++i;
    for (; i < marks.groups.size() && marks.groups[i].begin < span.end; ++i) marks.groups[i].taken = true;
  }
}

/// The built-in types; of spans that overlap only those that reach furthest, in order.
void find_structured(std::string_view plain, Spans& found) {
  std::array<std::byte, kMarksBytes> space;
  std::pmr::monotonic_buffer_resource memory(space.data(), space.size());
  Marks marks = read_marks(plain, &memory);
  if (!marks.ats.empty()) find_emails(marks, found);
  if (!marks.countries.empty()) find_ibans(marks, found);
  if (!marks.colons.empty()) find_ipv6(marks, found);
  if (!marks.blobs.empty() || !marks.keywords.empty() || !marks.ats.empty()) find_secrets(marks, found);
  if (marks.groups.empty()) return;
  if (!std::is_sorted(found.begin(), found.end(), in_order)) std::stable_sort(found.begin(), found.end(), in_order);
  take_groups(marks, found);
  find_numbers(marks, found);
  find_phones(marks, found);
}

/// In order and without overlaps: what lies within another is dropped, what reaches beyond is cut.
void settle(Spans& found, std::size_t first = 0) {
  const auto begin = found.begin() + static_cast<std::ptrdiff_t>(first);
  if (!std::is_sorted(begin, found.end(), in_order)) std::stable_sort(begin, found.end(), in_order);
  std::size_t kept = first;
  std::size_t end = 0;
  for (std::size_t i = first; i < found.size(); ++i) {
    Span span = found[i];
    if (span.end <= end) continue;
    span.begin = std::max(span.begin, end);
    end = span.end;
    found[kept++] = span;
  }
  found.resize(kept);
}

/// Adds what of `guessed` lies outside `found`; both in order, and so is the result. A shape is surer than a guess.
void add_outside(const Spans& guessed, Spans& found) {
  Spans outside;
  std::size_t i = 0;
  for (Span span : guessed) {
    while (i < found.size() && found[i].end <= span.begin) ++i;
    for (std::size_t j = i; j < found.size() && found[j].begin < span.end; ++j) {
      if (found[j].begin > span.begin) outside.push_back({span.begin, found[j].begin, span.slot});
      span.begin = std::min(found[j].end, span.end);
    }
    if (span.begin < span.end) outside.push_back(span);
  }
  found.insert(found.end(), outside.begin(), outside.end());
  settle(found);
}

/// From bytes of the folded text to bytes of the one as sent.
void restore(const PlainText& plain, std::string_view text, Spans& found) {
  for (Span& span : found) {
    span.begin = plain.origin(span.begin);
    span.end = plain.origin(span.end - 1) + 1;
    while (span.end < text.size() && (static_cast<unsigned char>(text[span.end]) & 0xc0) == 0x80) ++span.end;
  }
}

}  // namespace

void merge_overlaps(Spans& found, std::size_t first) {
  std::sort(found.begin() + static_cast<std::ptrdiff_t>(first), found.end(), in_order);
  std::size_t kept = first;
  for (std::size_t i = first; i < found.size(); ++i) {
    if (kept > first && found[i].begin < found[kept - 1].end)
      found[kept - 1].end = std::max(found[kept - 1].end, found[i].end);
    else
      found[kept++] = found[i];
  }
  found.resize(kept);
}

struct TextDetector::Parts {
  Parts(std::span<const policies::OwnDetector> own_types, std::size_t bytes_max, bool with_entities)
      : own(own_types), text_bytes_max(std::min(bytes_max, kTextBytesBound)) {
    if (!with_entities) return;
    auto loaded = EntityModel::load(embedded_entity_model());
    good = loaded.ok();
    if (loaded.ok()) entities = std::move(loaded).value();
  }

  bool ok() const { return good && own.ok(); }

  /// What is in `plain`, the built-in types first: `built_in` of them, settled among themselves.
  Spans find(std::string_view plain) const {
    Spans found;
    find_structured(plain, found);
    settle(found);
    if (entities) {
      Spans guessed;
      entities->find(plain, guessed);
      add_outside(guessed, found);
    }
    own.find(plain, found);
    return found;
  }

  OwnDetectors own;
  std::optional<EntityModel> entities;
  bool good = true;
  std::size_t text_bytes_max;
};

TextDetector::TextDetector(std::span<const policies::OwnDetector> own, std::size_t text_bytes_max, bool entities)
    : parts_(std::make_unique<Parts>(own, text_bytes_max, entities)) {}
TextDetector::~TextDetector() = default;
TextDetector::TextDetector(TextDetector&&) noexcept = default;
TextDetector& TextDetector::operator=(TextDetector&&) noexcept = default;

Detections TextDetector::detect(std::string_view text) const noexcept try {
  Detections result;
  result.understood = false;
  if (!parts_ || !parts_->ok() || text.size() > parts_->text_bytes_max) return result;
  std::string plain;
  if (!is_plain(text)) {
    auto folded = to_plain_text(text);
    if (!folded) return result;
    plain = std::move(*folded);
    text = plain;
  }
  for (const Span& span : parts_->find(text)) {
    auto& count = result.counts[span.slot];
    if (count < kCountMax) ++count;
  }
  result.understood = true;
  return result;
} catch (...) { return {{}, false}; }

Findings TextDetector::find(std::string_view text) const noexcept try {
  if (!parts_ || !parts_->ok() || text.size() > parts_->text_bytes_max) return {{}, false};
  Findings result;
  if (is_plain(text)) {
    result.spans = parts_->find(text);
  } else {
    const auto folded = fold(text);
    if (!folded) return {{}, false};
    result.spans = parts_->find(folded->text);
    restore(*folded, text, result.spans);
  }
  settle(result.spans);
  return result;
} catch (...) { return {{}, false}; }

}  // namespace hearth::privacy
