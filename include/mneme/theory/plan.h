// SPDX-License-Identifier: MIT

/// How large a sparse distributed memory must be for a given task.
#pragma once

#include <cstdint>
#include <optional>

#include "mneme/theory/one_read_error.h"

namespace mneme::theory {

struct PlanRequest {
  int64_t bits;                     ///< n, 1 .. 10 000 000
  double patterns;                  ///< how many are stored, 1 .. 1e30
  double noise;                     ///< share of the bits that a cue has wrong, 0 .. 1; round(noise n) bits
  double target;                    ///< share of right bits wanted after one read, 0.5 .. 1, ends excluded
  double hard_locations_max = 1e30; ///< no plan has more
  std::optional<int64_t> hamming_radius = {}; ///< keeps to this radius instead of looking for the best
  Storage storage = Storage::autoassociative;
};

struct Plan {
  int64_t hamming_radius = 0;  ///< the one that needs the fewest locations
  double hard_locations = 0;   ///< a whole number: the fewest that reach the target
  double right_share = 0;      ///< expected share of right bits after one read
  bool reaches_target = false; ///< false: this is the best that hard_locations_max allows
};

/// Finds the fewest hard locations, and the radius, with which one read is expected to give the target share
/// of right bits (`wrong_shares_after_read`).
///
/// Radii are first tried in steps of at most n / 200, then one by one around the best.
/// Errors  UsageError for values outside the ranges above, and a target that the cues reach by themselves
/// Cost    some hundred radii, O(n) each, in parallel
Plan plan_memory(const PlanRequest& request);

} // namespace mneme::theory
