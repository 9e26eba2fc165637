// Draws worlds and judges them. Exit codes: 0 all guarantees held, 1 one was broken, 2 wrong arguments.
#include <charconv>
#include <cstdio>
#include <cstring>
#include <string>
#include <string_view>

#include "tests/runtime/sim/guarantees/story.h"

namespace {

constexpr const char* kUsage =
    "usage: hearth-swarm [--seeds N] [--from SEED] [--seed SEED] [--json]\n"
    "  Runs N simulated worlds (10000), one for each seed from SEED (1), and checks the guarantees of docs/faults.md.\n"
    "  --seed SEED repeats one world. Example: hearth-swarm --seeds 500 --from 20000\n";

struct Totals {
  std::uint64_t requests = 0, attempts = 0, broken = 0;
};

/// Prints what is broken, and the command that repeats it.
void judge(std::uint64_t seed, const char* program, Totals& totals) {
  const auto story = hearth::test::run_world(seed);
  totals.requests += story.requests.size();
  for (const auto& event : story.wire) totals.attempts += event.kind == hearth::test::WireEvent::Kind::kSend;
  const auto lines = hearth::test::violations(story);
  if (lines.empty()) return;
  ++totals.broken;
  for (std::size_t i = 0; i < lines.size() && i < 5; ++i)
    std::fprintf(stderr, "seed %llu: %s\n", static_cast<unsigned long long>(seed), lines[i].c_str());
  std::fprintf(stderr, "repeat: %s --seed %llu\n", program, static_cast<unsigned long long>(seed));
}

bool number(const char* text, std::uint64_t& value) {
  const auto [stop, error] = std::from_chars(text, text + std::strlen(text), value);
  return error == std::errc() && *stop == '\0';
}

}  // namespace

int main(int argc, char** argv) {
  std::uint64_t seeds = 10'000, from = 1;
  bool json = false;
  for (int i = 1; i < argc; ++i) {
    const std::string_view flag = argv[i];
    if (flag == "--help") return std::fputs(kUsage, stdout), 0;
    if (flag == "--json") {
      json = true;
      continue;
    }
    std::uint64_t value = 0;
    if ((flag != "--seeds" && flag != "--from" && flag != "--seed") || i + 1 == argc || !number(argv[++i], value)) {
      std::fprintf(stderr, "hearth-swarm: '%s' is not understood\n%s", argv[i], kUsage);
      return 2;
    }
    if (flag == "--seeds") {
      seeds = value;
    } else {
      from = value;
      if (flag == "--seed") seeds = 1;
    }
  }
  Totals totals;
  for (std::uint64_t seed = from; seed < from + seeds; ++seed) judge(seed, argv[0], totals);
  std::printf(json ? "{\"seeds\": %llu, \"requests\": %llu, \"attempts\": %llu, \"broken\": %llu}\n"
                   : "%llu worlds, %llu requests, %llu attempts on the wire: %llu worlds broke a guarantee\n",
              static_cast<unsigned long long>(seeds), static_cast<unsigned long long>(totals.requests),
              static_cast<unsigned long long>(totals.attempts), static_cast<unsigned long long>(totals.broken));
  return totals.broken == 0 ? 0 : 1;
}
