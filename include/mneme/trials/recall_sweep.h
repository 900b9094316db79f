// SPDX-License-Identifier: MIT

/// Recall experiment: a sweep over memories, noise levels and seeds for one set of patterns.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "mneme/core/progress.h"
#include "mneme/data/pattern_set.h"
#include "mneme/trials/confidence.h"
#include "mneme/trials/memory_kinds.h"
#include "mneme/trials/parameter_choice.h"

namespace mneme::trials {

/// Noise of cues; p is the noise level.
enum class Corruption {
  flip,           ///< flips round(p n) bits; pixels x become 1 - x
  cosine,         ///< rotates real patterns to a cosine of 1 - 2p; bits as `flip`
  mask,           ///< sets the lower fraction p of an image to 0
  salt_and_pepper ///< sets a fraction p of the positions to 0 or 1
};

struct SweepOptions {
  std::vector<MemoryKind> memories;
  std::vector<double> noise = {0.1, 0.2, 0.3}; ///< in 0 .. 1
  Corruption corruption = Corruption::flip;
  int64_t seeds = 5; ///< trials per memory and noise level, each with its own cues and hard locations
  uint64_t seed = 1;
  /// Maximum number of stored patterns that are cues in each trial, spread evenly; 0: all. By default all
  /// whose comparisons with the stored patterns take a few seconds, and at least 100.
  std::optional<int64_t> cues_max = {};
  ParameterChoices parameters = {};
  bool centre = true;    ///< real-valued memories subtract the mean of all stored patterns
  bool normalise = true; ///< they scale patterns and cues to length 1, after subtracting the mean
  /// Patterns to recall in place of the stored ones, one for each (heteroassociative); of any size. Needs a
  /// single update step, as a readout is no cue.
  std::optional<data::PatternSet> values;
  /// Cues to use instead of corrupted patterns. Such a cue counts as recalled if its readout equals any
  /// stored pattern, or any value.
  std::optional<data::PatternSet> cues;
};

/// Number of cues of each trial. The default depends on sizes alone, so that a seed determines the results on
/// every machine.
int64_t cues_per_trial(const data::PatternSet& patterns, const SweepOptions& options);

/// Result of one memory at one noise level.
struct SweepRow {
  std::string memory;          ///< MemoryKind::name
  std::optional<double> noise; ///< absent if the cues were given
  /// Fraction of cues that are recalled exactly: the readout has all bits, or a cosine of at least
  /// kExactCosine (without normalisation: a distance to match), of a pattern that coincides with no different
  /// one. Identical patterns with identical values are one pattern. A cue that activates no location or
  /// pattern is returned unchanged and never counts as recalled. The right pattern of given cues is not
  /// known: this is the fraction whose readout is any of the stored patterns that coincides with no different
  /// one.
  MeanInterval exact;
  /// Fraction of cues whose readout equals a pattern that coincides with different ones.
  double ambiguous = 0;
  std::optional<MeanInterval> bit_error; ///< mean fraction of wrong bits; memories on bits only
  MeanInterval cosine;                   ///< mean cosine between readout and pattern (bits as -1 and +1)
  MeanInterval steps;                    ///< mean number of update steps
  double settled = 0;                    ///< fraction of cues that converged
  double unanswered = 0; ///< fraction of cues that activated no location or pattern in the last step
  /// Fraction of cues that are nearer to another stored pattern than to their own, by the similarity of the
  /// memory, among at most 100 cues of each trial; mean over the trials. 0 if the cues were given.
  double misleading = 0;
  /// Mean cosine between a given cue and the stored pattern to which its readout belongs; bits as -1 and +1.
  std::optional<double> cue_cosine = {};
  int64_t cues = 0;   ///< of each trial
  double seconds = 0; ///< recall time, sum over all seeds
};

/// Cues and readouts of one row in the first trial, on the scale of the given patterns and values.
struct SweepExamples {
  RealPatterns cues, readouts;
  std::vector<int64_t> targets; ///< index of the pattern of each cue, or of the one nearest to its readout
  /// Cosine between each readout and that pattern, in the form that the memory compares.
  std::vector<double> cosines;
  std::vector<bool> exact; ///< recalled exactly, as counted in SweepRow::exact
  /// Cosine between each given cue and the stored pattern of `targets`; empty for noisy cues.
  std::vector<double> cue_cosines = {};
};

/// Recall of stored patterns from themselves, without noise: of those that are cues, or if cues are given of
/// an even sample of as many as there are cues, and at least 100.
struct MemoryReport {
  MemoryKind kind;
  MemoryParameters parameters = {};
  int64_t count = 0;      ///< number of stored patterns
  double self_recall = 0; ///< fraction of patterns that are recalled exactly from themselves
  double ambiguous = 0;   ///< fraction recalled from themselves that coincide with a different pattern
  int64_t distinct = 0;   ///< number of distinct patterns: by bits, or with cosines below kExactCosine
  /// False: of many patterns, only those that were recalled were compared with all, and identical ones were
  /// found; `distinct` is an upper bound.
  bool all_compared = true;
  int64_t different = 0; ///< number of patterns that are not identical with an earlier one
  /// Number of patterns that are all zeros after the mean is subtracted; memories on real numbers only.
  int64_t without_direction = 0;
  bool beyond_capacity = false; ///< self_recall + ambiguous < 1/2, among patterns with a direction
  bool out_of_reach = false; ///< most patterns activate nothing: no hard location or pattern is near enough
  std::string bound = {};    ///< known bound that the number of patterns exceeds; empty: none
};

struct SweepResult {
  std::vector<MemoryReport> memories;
  std::vector<SweepRow> rows;
};

/// Called when a memory has finished all noise levels and seeds; examples[i] belongs to rows[i].
using MemoryDone = std::function<void(const MemoryReport& memory, const std::vector<SweepRow>& rows,
                                      const std::vector<SweepExamples>& examples)>;

/// Runs the sweep.
///
/// Errors  UsageError if an option is not valid for the patterns; Interrupted, after `done` was called for
///         all finished memories
SweepResult sweep_recall(const data::PatternSet& patterns, const SweepOptions& options, Progress& progress,
                         const MemoryDone& done);

} // namespace mneme::trials
