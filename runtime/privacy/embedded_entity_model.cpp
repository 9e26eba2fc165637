#include "runtime/privacy/entity_model.h"

// The assembler puts the file into the library's read-only data (ELF). CMake names the file and rebuilds when it
// changes.
asm(R"(
  .pushsection .rodata
  .balign 64
hearth_entity_model_begin:
  .incbin ")" HEARTH_ENTITY_MODEL R"("
hearth_entity_model_end:
  .byte 0
  .popsection
)");

extern "C" {
extern const char hearth_entity_model_begin[] __attribute__((visibility("hidden")));
extern const char hearth_entity_model_end[] __attribute__((visibility("hidden")));
}

namespace hearth::privacy {

std::string_view embedded_entity_model() {
  return {hearth_entity_model_begin, static_cast<std::size_t>(hearth_entity_model_end - hearth_entity_model_begin)};
}

}  // namespace hearth::privacy
