// SPDX-License-Identifier: MIT

/// Update steps: the readout becomes the next query until it no longer moves.
#pragma once

#include <cstdint>
#include <vector>

namespace mneme {

/// What a readout is when nothing answers: no hard location in reach, or all weights 0.
enum class EmptyRead {
  keep_query,    ///< the query stays as it was; Recall::reached says 0
  zeros,         ///< all bits 0 (published binary code)
  mean_of_values ///< every stored pattern counts the same (published continuous code with finitely many
                 ///< neurons)
};

/// How real patterns are judged to have settled; bits have settled when none of them changes.
enum class SettledBy {
  direction,        ///< distance between old and new, both scaled to length 1
  largest_component ///< largest difference of a component, before the readout is normalised (published code)
};

struct UpdateOptions {
  int64_t update_steps_max = 1;   ///< at least 1
  double update_steps_eps = 1e-4; ///< a readout that moved no more than this has settled
  SettledBy settled_by = SettledBy::direction;
  bool stop_together = false; ///< true: every cue goes on until the slowest has settled (published code)
  EmptyRead empty_read = EmptyRead::keep_query;
};

/// The update rule of the published code ("Attention Approximates Sparse Distributed Memory"), for
/// reproduction: at most `update_steps_max` steps, 0.05 as the largest move of a component, empty binary
/// reads give zeros.
UpdateOptions published_update(int64_t update_steps_max, bool stop_together, EmptyRead empty_read);

/// What was recalled, and how it went for each cue.
template <class Patterns> struct Recall {
  Patterns readout;
  std::vector<int64_t> steps;     ///< update steps taken
  std::vector<uint8_t> converged; ///< 1 if the last step left the readout where it was
  std::vector<int64_t> reached;   ///< stored patterns (NeuronSdm: hard locations) that answered the last step
};

} // namespace mneme
