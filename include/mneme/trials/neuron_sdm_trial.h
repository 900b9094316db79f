// SPDX-License-Identifier: MIT

/// Simulation of a sparse distributed memory with random patterns, for comparison with the predictions of
/// theory.
#pragma once

#include <cstdint>
#include <optional>

#include "mneme/core/progress.h"
#include "mneme/trials/confidence.h"

namespace mneme::trials {

struct NeuronSdmTrialOptions {
  int64_t bits;
  int64_t hard_locations;
  int64_t hamming_radius;
  int64_t patterns;               ///< number of stored patterns
  int64_t flips;                  ///< bits that differ between a cue and its pattern
  bool heteroassociative = false; ///< true: patterns are addresses of unrelated random data
  int64_t cues = 200;             ///< cues per trial, made from the patterns in turn
  int64_t trials = 3;             ///< number of memories, each with its own locations, patterns and cues
  int64_t update_steps_max = 25;  ///< maximum number of update steps for exact_end
  uint64_t seed = 1;
};

/// Means over the trials, with 95 % confidence intervals if there are at least two trials.
struct NeuronSdmTrial {
  MeanInterval bit_error;  ///< fraction of wrong bits after one read
  MeanInterval exact_once; ///< fraction of cues with all bits correct after one read
  /// Fraction of cues with all bits correct after repeated reads. Heteroassociative memories: absent, because
  /// their readouts are not addresses.
  std::optional<MeanInterval> exact_end;
};

/// Runs the simulation.
///
/// Errors  UsageError for a count below 1 or flips outside 0 .. bits, and as `NeuronSdm`; Interrupted
NeuronSdmTrial neuron_sdm_trial(const NeuronSdmTrialOptions& options, Progress& progress);

} // namespace mneme::trials
