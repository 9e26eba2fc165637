#include "policies/calibration.h"

#include "runtime/base/digest.h"
#include "runtime/base/json_reader.h"

namespace hearth::policies {

Result<Calibration> read_calibration(const std::string& file) {
  const auto text = read_whole_file(file, JsonDocument::kSizeMaxBytes);
  if (!text.ok()) return text.error();
  const auto document = JsonDocument::parse(text.value(), file);
  if (!document.ok()) return document.error();
  Calibration read;
  Problems problems;
  if (!document.value()->root().is_object()) return Error{ErrorCode::kInvalidArgument, file + ": expected an object"};
  JsonReader reader(*document.value(), document.value()->root(), "", problems);
  reader.require({"confidence", "confidence_below"});
  reader.object("confidence", [&](JsonReader& confidence) {
    std::size_t kind = 0;
    confidence.read_choice("kind", kind, kConfidenceKinds);
    read.confidence.kind = static_cast<ConfidenceKind>(kind);
    confidence.read("temperature", read.confidence.temperature, 0.01, 100);
  });
  double below = 0;
  reader.read("confidence_below", below, 0, 1);
  read.confidence_below = static_cast<float>(below);
  if (!problems.empty()) return problems.as_error();
  read.sha256 = sha256_hex(text.value());
  return read;
}

}  // namespace hearth::policies
