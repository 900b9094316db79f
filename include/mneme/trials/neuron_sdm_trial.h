// SPDX-License-Identifier: MIT

/// What a sparse distributed memory of random patterns really does: the measurement that theory's predictions
/// are held against.
#pragma once

#include <cstdint>

#include "mneme/core/progress.h"
#include "mneme/trials/confidence.h"

namespace mneme::trials {

struct NeuronSdmTrialOptions {
  int64_t bits;
  int64_t hard_locations;
  int64_t hamming_radius;
  int64_t patterns;               ///< stored at themselves, or with unrelated data
  int64_t flips;                  ///< bits that differ between a cue and its pattern
  bool heteroassociative = false; ///< stores unrelated random data
  int64_t cues = 200;             ///< asked per trial: of the first patterns, at most as many as there are
  int64_t trials = 3;             ///< memories, each with its own locations, patterns and cues
  int64_t update_steps_max = 25;  ///< for cues to settle
  uint64_t seed = 1;
};

/// Means over the trials, with 95 % confidence intervals from two trials on.
struct NeuronSdmTrial {
  MeanInterval wrong_share; ///< of bits, after one read
  MeanInterval exact_once;  ///< cues with every bit right after one read
  MeanInterval exact_end;   ///< cues that end exact when reads repeat; autoassociative only, else of one read
};

/// Errors  UsageError for a count below 1 or flips outside 0 .. bits, and as `NeuronSdm`; Interrupted
NeuronSdmTrial neuron_sdm_trial(const NeuronSdmTrialOptions& options, Progress& progress);

} // namespace mneme::trials
