// SPDX-License-Identifier: MIT

/// Recall as the published code of "Attention Approximates Sparse Distributed Memory" runs it: its algorithms
/// under its names, its cues and its rules of stopping, quirks included.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "mneme/core/patterns.h"
#include "mneme/core/random.h"
#include "mneme/memory/associate.h"

namespace mneme::trials {

/// The released version's names of rows of `memory_kinds`, such as "Binary_SDM" and "Cont_SDM_BFit_Attention".
std::vector<std::string> published_algorithms();

/// True for the algorithms on bits. Errors  UsageError that lists the names
bool is_on_bits(const std::string& algorithm);

/// The same patterns twice: as bits, and with length 1. One of the two may be empty where no algorithm needs it.
struct PublishedPatterns {
  BitPatterns bits = {};
  RealPatterns reals = {};
};

/// Real patterns as both kinds of algorithm see them: a bit is 1 above `threshold`.
PublishedPatterns published_patterns(const RealPatterns& patterns, double threshold);

/// Cues of the first patterns, one each, `distance` bits away: bits flipped, or turned to the cosine
/// 1 - 2 distance / n.
///
/// With `keep_nearest` a cue that another pattern is nearer to is drawn again.
/// Errors  UsageError if a cue is not found in 100 draws: the patterns lie too close for that distance
PublishedPatterns published_cues(const PublishedPatterns& patterns, int64_t count, int64_t distance,
                                 bool keep_nearest, const Random& random);

struct PublishedRecallOptions {
  int64_t hamming_radius;
  double hard_locations; ///< for the algorithms that count them
  int64_t update_steps_max = 100;
  uint64_t seed = 1; ///< of hard locations and of their random rounding
};

/// How an algorithm on real patterns weighs them, and what it reads where nothing answers.
struct PublishedWeighting {
  AssociateOptions<RealPatterns> options;
  EmptyRead empty_read = EmptyRead::keep_query;
};

/// `size` is that of the patterns as they are compared: projected ones, where there is a projection.
/// Errors  UsageError for a name that is unknown or works on bits, or parameters out of range
PublishedWeighting published_weighting(const std::string& algorithm, int64_t size,
                                       const PublishedRecallOptions& options);

struct PublishedRecall {
  PublishedPatterns readouts = {};  ///< of the kind that the algorithm works on
  std::vector<double> cosines = {}; ///< of each readout to its pattern (bits: 1 - 2 Hamming / n)
  int64_t steps = 0;                ///< of the slowest cue, which all wait for
  /// False where the last readouts still moved: the step limit ended the run.
  bool settled = false;
};

/// Patterns stored in one algorithm.
class PublishedMemory {
public:
  /// Errors  UsageError for an unknown name or parameters out of range
  PublishedMemory(const std::string& algorithm, const PublishedPatterns& patterns,
                  const PublishedRecallOptions& options);

  /// Cue i belongs to pattern i. Random rounding draws the same numbers in every run.
  ///
  /// An algorithm without chance whose readouts no longer move (by 1e-6) is not asked further, although the
  /// published rule, which compares with the readout before it is scaled, would run on to the step limit:
  /// `steps` is then that limit.
  /// Errors  UsageError if the cues do not fit the patterns
  PublishedRecall recall(const PublishedPatterns& cues) const;

private:
  std::function<PublishedRecall(const PublishedPatterns& cues)> recall_;
};

} // namespace mneme::trials
