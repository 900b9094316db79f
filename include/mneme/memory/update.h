// SPDX-License-Identifier: MIT

/// Update steps: the readout becomes the next query until it converges.
#pragma once

#include <cstdint>
#include <vector>

namespace mneme {

/// Readout of a query that activates nothing: no hard location is within the radius, or all weights are 0
/// (with Identity{.self_connections = false}: and the sums without self-connections are 0, too). A readout of
/// real numbers that are all 0 counts as empty, too.
enum class EmptyRead {
  /// The query itself; zeros in a heteroassociative memory, that is with `AssociateOptions::values`, or with
  /// `data_bits` other than `bits`. NeuronSdm and DyadicMemory do not keep whether data of the same size were
  /// written at other addresses: take `zeros` then.
  keep_query,
  zeros,         ///< all bits 0 (published binary code)
  mean_of_values ///< mean of all values (published continuous code with finitely many hard locations)
};

/// Measure of the change in one update step, for real patterns. Binary patterns have converged when no bit
/// changes.
enum class ConvergenceCriterion {
  direction_change,    ///< Euclidean distance of old and new state, both scaled to length 1
  max_component_change ///< largest change of a component, before the readout is normalised (published code)
};

struct UpdateOptions {
  int64_t update_steps_max = 1;   ///< at least 1
  double update_steps_eps = 1e-4; ///< tolerance: a cue has converged when its change is at most this
  ConvergenceCriterion convergence_criterion = ConvergenceCriterion::direction_change;
  bool stop_together = false; ///< true: every cue is updated until the slowest has converged (published code)
  EmptyRead empty_read = EmptyRead::keep_query;
};

/// Update rule of the published code of "Attention Approximates Sparse Distributed Memory", for reproduction:
/// max_component_change with a tolerance of 0.05.
UpdateOptions published_update(int64_t update_steps_max, bool stop_together, EmptyRead empty_read);

/// Result of a recall, with the convergence of each cue.
template <class Patterns> struct Recall {
  Patterns readout;
  std::vector<int64_t> steps;     ///< number of update steps
  std::vector<uint8_t> converged; ///< 1 if the last step did not change the state, up to the tolerance
  /// Stored patterns (NeuronSdm: hard locations) with a weight other than 0 in the last step.
  std::vector<int64_t> num_activated;
};

} // namespace mneme
