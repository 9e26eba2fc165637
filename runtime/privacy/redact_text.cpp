#include "runtime/privacy/redact_text.h"

#include <utility>
#include <vector>

namespace hearth::privacy {
namespace {

constexpr int kRoundsMax = 3;

}  // namespace

Result<std::shared_ptr<const Redaction>> redact_text(const TextDetector& detector, const Redactor& redactor,
                                                     std::string_view text, std::string_view session,
                                                     const Types& types) {
  auto found = detector.find(text);
  if (!found.understood) return {ErrorCode::kInvalidArgument, "the text to be redacted was not understood"};
  std::erase_if(found.spans, [&](const Span& span) { return !types.test(span.slot); });
  for (int round = 0; round < kRoundsMax; ++round) {
    auto redaction = redactor.redact(text, found.spans, session);
    if (!redaction.ok()) return redaction.error();
    const auto left = detector.find(redaction.value()->text());
    if (!left.understood) return {ErrorCode::kInternal, "the redacted text was not understood"};
    bool clean = true;
    for (const Span& span : left.spans) {
      if (!types.test(span.slot) || redaction.value()->within_placeholder(span.begin, span.end)) continue;
      found.spans.push_back(redaction.value()->in_source(span));
      clean = false;
    }
    if (clean) return redaction;
  }
  return {ErrorCode::kInternal, "redacting does not come to an end"};
}

}  // namespace hearth::privacy
