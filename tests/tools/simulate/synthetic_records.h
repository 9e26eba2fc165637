/// \file Records as a simulation makes them, from a seed: a cascade over LTE, two streams, three classes, two
/// endpoints.
#pragma once

#include <vector>

#include "tools/simulate/record.h"

namespace hearth::simulate::test {

struct Made {
  std::uint64_t seed = 1;
  std::uint64_t requests = 20'000;
  Duration length = std::chrono::seconds(120);
  Duration warm_up = std::chrono::seconds(10);
  double ask_below = 0.8;  ///< Confidence under which the cloud is asked.
  std::uint32_t devices = 3;
};

struct MadeRun {
  Names names;
  RunFacts facts;
  std::vector<Record> records;  ///< In the order in which they ended.
};

/// Draws of one request do not depend on `ask_below`, so that two of them are a paired comparison. From 60 s to 66 s no
/// endpoint answers.
MadeRun make_run(const Made& made = {});

/// A served edge request that was right and in time; tests change what they are about.
Record plain_record();

}  // namespace hearth::simulate::test
