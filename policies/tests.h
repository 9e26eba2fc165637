/// \file Tests inside policy files: `tests: [{name, request, expect}]`.
#pragma once

namespace hearth {
class JsonReader;
}

namespace hearth::policies {

struct Compiled;

/// Reads the tests into `compiled`, whose classes are known already. Problems go to the reader's list.
void read_tests(JsonReader& file, Compiled& compiled);

}  // namespace hearth::policies
