// SPDX-License-Identifier: MIT

/// Synthetic data set of the latch task: the first character of a sequence is its class, all others are
/// noise.
///
/// Source  Hochreiter & Mozer 2000 (latch task), as example "latch sequence set" of Ramsauer et al. 2020. The
///         random draws match those of LatchSequenceSet in hflayers 1.0.2, number for number
#pragma once

#include <cstdint>
#include <vector>

namespace mneme::data {

/// Options of `draw_latch_sequences`. The defaults are those of the published example.
struct LatchOptions {
  int64_t num_samples = 4096;
  int64_t num_instances = 32;  ///< characters per sequence
  int64_t num_characters = 20; ///< size of the alphabet, at least 3: 0 and 1 are signals, the others noise
  uint32_t seed = 43;
};

struct LatchSequences {
  std::vector<int64_t> characters = {}; ///< [num_samples, num_instances]
  std::vector<uint8_t> targets = {};    ///< per sequence: its first character
  int64_t num_instances = 0, num_characters = 0;

  int64_t num_samples() const { return static_cast<int64_t>(targets.size()); }
};

/// Draws sequences at random.
///
/// Errors  UsageError if an option is out of range, or if num_samples * num_instances exceeds 2^48
LatchSequences draw_latch_sequences(const LatchOptions& options = {});

} // namespace mneme::data
