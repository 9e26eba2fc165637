/// \file Query: what `hearth policy prove` is asked: `CONDITIONS -> TARGET`.
#pragma once

#include <string>
#include <string_view>

#include <hearth/result.h>

#include "policies/conditions.h"

namespace hearth::policies {

/// Where a query looks: the edge, or endpoints of which name or region may be fixed.
struct Target {
  bool edge = false;
  std::string endpoint;  ///< Of `cloud:<endpoint>`; empty: any.
  std::string region;    ///< Of `region:<name>`; empty: any.
};

struct Query {
  Conditions when;
  Target target;
};

/// Reads `class=phi & consent!=given -> cloud`. An entry is `attribute OP value`, OP one of = != > >= < <=; with `=`
/// the value may be several, `a|b`; entries are joined by `&`; none at all is every request. Targets: `edge`, `cloud`,
/// `cloud:<endpoint>`, `region:<name>`. Attributes and values are those of `when`, the class and the text included.
/// Unlike in rules, an unknown fact is a value of its own: it satisfies `!=` and, where it has a name
/// (`consent=absent`, `device.network=unknown`), `=`, and nothing else. Errors: kInvalidArgument, a line each, with the
/// nearest valid thing.
Result<Query> read_query(std::string_view text, const Compiled& compiled);

}  // namespace hearth::policies
