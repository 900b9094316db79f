// SPDX-License-Identifier: MIT

/// Recall with the algorithms, cues and stopping rules of the published code of "Attention Approximates
/// Sparse Distributed Memory", including its quirks, under the published names.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "mneme/core/patterns.h"
#include "mneme/core/random.h"
#include "mneme/memory/associate.h"

namespace mneme::trials {

/// Names of all algorithms in the released version, such as "Binary_SDM" and "Cont_SDM_BFit_Attention".
std::vector<std::string> published_algorithms();

/// True for algorithms on bits. Errors  UsageError with the list of names
bool is_on_bits(const std::string& algorithm);

/// Patterns in two forms: as bits, and as real patterns of length 1. A form that no algorithm needs may be
/// empty.
struct PublishedPatterns {
  BitPatterns bits = {};
  RealPatterns reals = {};
};

/// Converts real patterns to both forms. A bit is 1 if the number is above `threshold`.
PublishedPatterns published_patterns(const RealPatterns& patterns, double threshold);

/// One cue for each of the first `count` patterns at a distance of `distance` bits: bits are flipped, real
/// patterns are rotated to the cosine 1 - 2 distance / n. With `keep_nearest`, a cue that is nearer to
/// another pattern is redrawn.
///
/// Errors  UsageError if a cue is not found in 100 draws, because the patterns are too close for this
///         distance
PublishedPatterns published_cues(const PublishedPatterns& patterns, int64_t count, int64_t distance,
                                 bool keep_nearest, const Random& random);

struct PublishedRecallOptions {
  int64_t hamming_radius;
  double hard_locations; ///< for algorithms with a finite number of them
  int64_t update_steps_max = 100;
  uint64_t seed = 1; ///< for hard locations and their random rounding
};

/// Weighting of an algorithm on real patterns, and its readout if all weights are 0.
struct PublishedWeighting {
  AssociateOptions<RealPatterns> options;
  EmptyRead empty_read = EmptyRead::keep_query;
};

/// `size` is the size of the compared patterns: after the projection, if there is one.
///
/// Errors  UsageError for an unknown name, an algorithm on bits, or parameters out of range
PublishedWeighting published_weighting(const std::string& algorithm, int64_t size,
                                       const PublishedRecallOptions& options);

struct PublishedRecall {
  PublishedPatterns readouts = {};  ///< in the form that the algorithm uses
  std::vector<double> cosines = {}; ///< between each readout and its pattern (bits: 1 - 2 Hamming / n)
  int64_t steps = 0;                ///< update steps; all cues are updated until the slowest has converged
  bool settled = false;             ///< false: not converged when the step limit was reached
};

/// Memory of one algorithm with stored patterns.
class PublishedMemory {
public:
  /// Errors  UsageError for an unknown name or parameters out of range
  PublishedMemory(const std::string& algorithm, const PublishedPatterns& patterns,
                  const PublishedRecallOptions& options);

  /// Recalls from cues; cue i belongs to pattern i. Random rounding draws the same numbers in every call.
  ///
  /// A deterministic algorithm is stopped when its readouts change by at most 1e-6. The published rule
  /// compares with the readout before it is normalised and would continue to the step limit, so `steps` is
  /// set to that limit.
  ///
  /// Errors  UsageError if the sizes of cues and patterns differ
  PublishedRecall recall(const PublishedPatterns& cues) const;

private:
  std::function<PublishedRecall(const PublishedPatterns& cues)> recall_;
};

} // namespace mneme::trials
