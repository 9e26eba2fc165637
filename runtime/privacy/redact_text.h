/// \file redact_text: detects and redacts until nothing more is found.
#pragma once

#include <bitset>
#include <memory>
#include <string_view>

#include <hearth/result.h>

#include "runtime/privacy/detector.h"
#include "runtime/privacy/redactor.h"

namespace hearth::privacy {

/// By slot, as in Span.
using Types = std::bitset<policies::kDetectorSlots>;

/// Redacts what `detector` finds of `types` and looks at the result again, since what stands beside a placeholder may
/// look like something it did not look like before; at most three times. Linear but for sorting. Errors, none of which
/// quotes the text: kInvalidArgument when it was not understood; kInternal when it does not come to an end.
Result<std::shared_ptr<const Redaction>> redact_text(const TextDetector& detector, const Redactor& redactor,
                                                     std::string_view text, std::string_view session,
                                                     const Types& types = Types().set());

}  // namespace hearth::privacy
