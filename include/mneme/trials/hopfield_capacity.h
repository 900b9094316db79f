// SPDX-License-Identifier: MIT

/// How many random patterns a modern Hopfield network really recalls in one update: the measurement that the
/// theorem on its capacity is held against.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

namespace mneme::trials {

/// Patterns are uniform on the sphere of radius M = K sqrt(d - 1). A cue is a pattern moved by `distance` M in a
/// random direction; it is recalled if one update comes within `error` M of the pattern.
struct HopfieldCapacityTrialOptions {
  int64_t size = 16;        ///< d >= 2
  double radius_factor = 1; ///< K > 0
  double beta = 1;          ///< > 0
  double distance = 0.1;    ///< >= 0
  double error = 0.1;       ///< > 0
  double share = 0.9;       ///< of the cues that must be recalled, in (0, 1)
  int64_t cues = 200;       ///< asked for: the first patterns, at most as many as are stored
  int64_t stored_max = 100'000;
  uint64_t seed = 1;
};

struct RecalledShare {
  int64_t stored = 0;
  double share = 0; ///< of the cues
};

struct HopfieldCapacityTrial {
  std::vector<RecalledShare>
      shares; ///< for ever more patterns, each set within the next, until too few are recalled
  /// ln of the number of patterns at which the share falls below the one wanted, between two of the above on a
  /// logarithmic scale. Absent: it did not, up to `stored_max`; or already did at the first.
  std::optional<double> log_capacity;
};

/// Errors  UsageError for an option out of its range; Interrupted
/// Cost    O(cues N d) for the last N
HopfieldCapacityTrial hopfield_capacity_trial(const HopfieldCapacityTrialOptions& options);

} // namespace mneme::trials
