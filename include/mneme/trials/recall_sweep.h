// SPDX-License-Identifier: MIT

/// How well do memories recall these patterns? A sweep over memories, noise levels and seeds.
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

/// How cues are made from patterns; p is the noise.
enum class Corruption {
  flip,           ///< round(p n) bits change; pixels x become 1 - x
  cosine,         ///< real patterns are turned to the cosine 1 - 2p; bits as `flip`
  mask,           ///< the lower share p of the image becomes 0
  salt_and_pepper ///< a share p becomes 0 or 1
};

struct SweepOptions {
  std::vector<MemoryKind> memories;
  std::vector<double> noise = {0.1, 0.2, 0.3}; ///< in 0 .. 1
  Corruption corruption = Corruption::flip;
  int64_t seeds = 5; ///< trials per memory and noise: cues, and hard locations, are drawn anew
  uint64_t seed = 1;
  ParameterChoices parameters = {};
  /// Real-valued memories compare patterns with the mean of all stored ones taken off, and length 1; false:
  /// only length 1.
  bool centre = true;
  /// Cues to use instead of corrupted patterns; each then counts as recalled if it ends at any stored
  /// pattern.
  std::optional<data::PatternSet> cues;
};

/// One memory at one noise level.
struct SweepRow {
  std::string memory;          ///< MemoryKind::name
  std::optional<double> noise; ///< absent for cues that were given
  /// Share of cues recalled exactly: all bits, or a cosine of at least kExactCosine, at a pattern that no other stored
  /// one coincides with. A cue that nothing answered stays as it was and does not count, whatever it was.
  MeanInterval exact;
  double ambiguous = 0; ///< share of cues that ended as exactly at a pattern that others coincide with
  std::optional<MeanInterval> bit_error; ///< mean share of wrong bits; memories on bits only
  MeanInterval cosine;                   ///< mean cosine between readout and pattern (bits as -1 and +1)
  MeanInterval steps;                    ///< mean update steps
  double settled = 0;                    ///< share of cues that no longer moved at the end
  double unanswered = 0;                 ///< share of cues whose last step nothing answered
  /// Share of cues that are nearer to another stored pattern than to their own, of at most 100 cues of the first trial.
  /// 0 for cues that were given.
  double misleading = 0;
  double seconds = 0; ///< of recall, all seeds together
};

/// What the cues of one row and their readouts looked like in the first trial, in the numbers of the patterns
/// given.
struct SweepPictures {
  RealPatterns cues, readouts;
  std::vector<int64_t> targets;   ///< the pattern that each cue belongs to, or has ended nearest to
  std::vector<double> likenesses; ///< cosine of each readout to that pattern, as it was measured
  std::vector<bool> exact;        ///< recalled exactly, as counted in SweepRow::exact
};

/// How a memory holds the patterns themselves: recall from cues without noise.
struct MemoryReport {
  MemoryKind kind;
  MemoryParameters parameters = {};
  int64_t count = 0;      ///< patterns stored
  double self_recall = 0; ///< share of patterns recalled exactly from themselves
  double ambiguous = 0;   ///< share recalled from themselves that coincide with another stored pattern
  int64_t distinct =
      0; ///< patterns that differ as this memory stores them: bits, or cosines below kExactCosine
  int64_t without_direction =
      0; ///< patterns of which nothing is left to compare; memories on real numbers only
  bool beyond_capacity = false; ///< self_recall + ambiguous < 1/2, of the patterns that have a direction
  bool out_of_reach =
      false;              ///< nothing answers most of them: no hard location, or no pattern, is near enough
  std::string bound = {}; ///< empty, or the known bound that the number of patterns exceeds
};

struct SweepResult {
  std::vector<MemoryReport> memories;
  std::vector<SweepRow> rows;
};

/// Called when a memory has been through all noise levels and seeds; `pictures` belongs to `rows`.
using MemoryDone = std::function<void(const MemoryReport& memory, const std::vector<SweepRow>& rows,
                                      const std::vector<SweepPictures>& pictures)>;

/// Errors  UsageError if an option does not fit the patterns; Interrupted, after `done` was called for what
/// had ended
SweepResult sweep_recall(const data::PatternSet& patterns, const SweepOptions& options, Progress& progress,
                         const MemoryDone& done);

} // namespace mneme::trials
