// SPDX-License-Identifier: MIT

#include "mneme/memory/update.h"

#include <algorithm>
#include <cmath>

#include "memory/length.h"
#include "memory/update_loop.h"

namespace mneme {
bool has_converged(std::span<const uint64_t> query, std::span<const uint64_t> readout, const UpdateOptions&) {
  return std::ranges::equal(query, readout);
}

bool has_converged(std::span<const double> query, std::span<const double> readout,
                   const UpdateOptions& update) {
  if (update.convergence_criterion == ConvergenceCriterion::max_component_change) {
    for (size_t i = 0; i < query.size(); ++i) {
      if (!(std::abs(readout[i] - query[i]) <= update.update_steps_eps)) {
        return false;
      }
    }
    return true;
  }
  const auto inverse = [](double x) { return x > 0 ? 1 / x : 0.0; };
  const Length before(query), after(readout);
  const double per_before = inverse(before.root), per_after = inverse(after.root);
  double squares = 0;
  if (before.divisor == 1 && after.divisor == 1) { // common case, without divisions
    for (size_t i = 0; i < query.size(); ++i) {
      const double moved = readout[i] * per_after - query[i] * per_before;
      squares += moved * moved;
    }
  } else {
    for (size_t i = 0; i < query.size(); ++i) {
      const double moved = readout[i] / after.divisor * per_after - query[i] / before.divisor * per_before;
      squares += moved * moved;
    }
  }
  return squares <= update.update_steps_eps * update.update_steps_eps;
}

UpdateOptions published_update(int64_t update_steps_max, bool stop_together, EmptyRead empty_read) {
  return {.update_steps_max = update_steps_max,
          .update_steps_eps = 0.05,
          .convergence_criterion = ConvergenceCriterion::max_component_change,
          .stop_together = stop_together,
          .empty_read = empty_read};
}

} // namespace mneme
