// SPDX-License-Identifier: MIT

#include "mneme/core/simplex_separation.h"

#include <fmt/format.h>

#include "mneme/core/error.h"

namespace mneme {

void check_separation(const SimplexSeparation& separation) {
  if (separation.kind == SimplexSeparation::Kind::entmax &&
      !(separation.alpha > 1 && separation.alpha <= 2)) {
    throw UsageError(fmt::format(
        "mneme: entmax has alpha = {}, but it must lie in (1, 2].\n  At 1 it would be softmax; 1.5 "
        "is 1.5-entmax and 2 is sparsemax.",
        separation.alpha));
  }
}

} // namespace mneme
