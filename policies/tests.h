/// \file Tests inside policy files: `tests: [{name, request, expect}]`.
#pragma once

#include <string>
#include <string_view>

#include <hearth/result.h>

namespace hearth {
class JsonReader;
}

namespace hearth::policies {

struct Compiled;
struct TestCase;

/// Reads the tests into `compiled`, whose classes are known already. Problems go to the reader's list.
void read_tests(JsonReader& file, Compiled& compiled);

/// Reads a request as tests state it: `{"request": {...}, "endpoints": [...]}`, or the request alone.
Result<TestCase> read_case(std::string_view json, const std::string& origin, const Compiled& compiled);

}  // namespace hearth::policies
