// SPDX-License-Identifier: MIT

/// Required size of a sparse distributed memory for a given task.
#pragma once

#include <cstdint>
#include <optional>

#include "mneme/theory/one_read_error.h"

namespace mneme::theory {

struct PlanRequest {
  int64_t bits;    ///< n, 1 .. 10 000 000
  double patterns; ///< number of stored patterns, 1 .. 1e30
  double noise;    ///< fraction of wrong bits in a cue, 0 .. 1; rounded to round(noise n) bits
  double target;   ///< required fraction of correct bits after one read, in (0.5, 1)
  double hard_locations_max = 1e30;           ///< upper limit of the number of hard locations
  std::optional<int64_t> hamming_radius = {}; ///< fixes the radius; default: the best radius is searched
  Storage storage = Storage::autoassociative;
};

struct Plan {
  int64_t hamming_radius = 0;  ///< radius that requires the fewest locations
  double hard_locations = 0;   ///< smallest number that reaches the target, an integer
  double bit_accuracy = 0;     ///< expected fraction of correct bits after one read
  bool reaches_target = false; ///< false: this is the best plan within hard_locations_max
};

/// Smallest number of hard locations, and its radius, for which the expected fraction of correct bits after
/// one read (1 - `bit_error_rates_after_read`) reaches the target.
///
/// Radii are searched in steps of at most n / 200, then one by one around the best.
/// Errors  UsageError for values out of range, and for a target that the cues reach without a read
/// Cost    a few hundred radii, O(n) each, in parallel
Plan plan_memory(const PlanRequest& request);

} // namespace mneme::theory
