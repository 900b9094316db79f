// SPDX-License-Identifier: MIT

/// Sequences whose first character says the class; all others are noise.
///
/// Source  Hochreiter & Mozer 2000 (latch task), as example "latch sequence set" of Ramsauer et al. 2020; the draws
///         are those of LatchSequenceSet in hflayers 1.0.2, number by number
#pragma once

#include <cstdint>
#include <vector>

namespace mneme::data {

/// The defaults are those of the published example.
struct LatchOptions {
  int64_t num_samples = 4096;
  int64_t num_instances = 32;  ///< characters of a sequence
  int64_t num_characters = 20; ///< of the alphabet, 3 or more: 0 and 1 are the signals, the others noise
  uint32_t seed = 43;
};

struct LatchSequences {
  std::vector<int64_t> characters = {}; ///< [num_samples, num_instances]
  std::vector<uint8_t> targets = {};    ///< per sequence: its first character
  int64_t num_instances = 0, num_characters = 0;

  int64_t num_samples() const { return static_cast<int64_t>(targets.size()); }
};

/// Errors  UsageError if an option is out of its range, or there are too many characters to be counted
LatchSequences draw_latch_sequences(const LatchOptions& options = {});

} // namespace mneme::data
