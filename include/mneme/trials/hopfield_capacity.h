// SPDX-License-Identifier: MIT

/// Measurement of how many random patterns a modern Hopfield network recalls in one update, for comparison
/// with the theorem on its capacity.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

namespace mneme::trials {

/// Patterns are uniform on the sphere of radius M = K sqrt(d - 1). A cue is a pattern that is shifted by
/// `distance` M in a random direction. It is recalled if the result of one update is within `error` M of the
/// pattern.
struct HopfieldCapacityTrialOptions {
  int64_t size = 16;          ///< d >= 2
  double radius_factor = 1;   ///< K > 0
  double beta = 1;            ///< > 0
  double distance = 0.1;      ///< >= 0
  double error = 0.1;         ///< > 0
  double recall_target = 0.9; ///< fraction of cues that must be recalled, in (0, 1)
  int64_t cues = 200; ///< number of cues, made from the first patterns; at most the number of patterns
  int64_t stored_max = 100'000;
  uint64_t seed = 1;
};

struct RecallPoint {
  int64_t stored = 0;
  double recalled = 0; ///< fraction of the cues
};

struct HopfieldCapacityTrial {
  /// Recall for increasing numbers of patterns, up to the first one below recall_target. Each set contains
  /// the previous one.
  std::vector<RecallPoint> points;
  /// ln of the number of patterns at which recall falls below recall_target, interpolated between the last
  /// two points on a logarithmic scale. Absent if recall stays above it up to `stored_max`, or is below it at
  /// the first point.
  std::optional<double> log_capacity;
};

/// Increases the number of patterns until recall falls below recall_target.
///
/// Errors  UsageError for an option out of range; Interrupted
/// Cost    O(cues N d) for the last N
HopfieldCapacityTrial hopfield_capacity_trial(const HopfieldCapacityTrialOptions& options);

} // namespace mneme::trials
