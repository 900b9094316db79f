// SPDX-License-Identifier: MIT

/// Modern Hopfield network as a memory: stores patterns and retrieves them from noisy or partial states. It
/// has no parameters, projections or norms.
#pragma once

#include <ATen/core/Tensor.h>
#include <torch/arg.h>

#include "mneme/ops/separate.h"

namespace mneme::nn {

struct AssociativeMemoryOptions {
  AssociativeMemoryOptions(double beta = 1) : beta_(beta) {}

  /// Inverse temperature, > 0 and finite: a small beta averages similar patterns, a large beta separates
  /// them.
  TORCH_ARG(double, beta);
  /// Function that turns scores into the association.
  TORCH_ARG(ops::Separation, separation) = ops::Separation::softmax;
  /// Maximum number of updates of a state, >= 1.
  TORCH_ARG(int64_t, update_steps_max) = 100;
  /// Convergence threshold, >= 0: a state has converged once an update changes each of its features by no
  /// more than this.
  TORCH_ARG(double, update_steps_eps) = 1e-4;
};

/// Result of `AssociativeMemory::retrieve`, per state.
struct MemoryRetrieval {
  at::Tensor state; ///< [L, n], after its last update
  /// [L, V], the values weighted with the association of the last update; without values, the state.
  at::Tensor readout;
  at::Tensor energy;    ///< [L], of `state`
  at::Tensor steps;     ///< [L], int64: number of updates
  at::Tensor converged; ///< [L], bool: the last update changed no feature by more than update_steps_eps
};

/// Formula  state <- association . stored with association = separation(beta * state . stored^T), until
///          convergence; E(state) = state . state / 2 - potential(beta * state . stored^T) / beta +
///          largest_entropy / beta + M^2 / 2, with M the largest norm of a stored pattern. E is never
///          negative, and no update increases it
/// Types    float32 or float64, on any device: those of the patterns. Differentiable once with respect to
///          states, patterns and values
/// Errors   UsageError if an option is out of its range, shapes or types do not match, a number or result is
///          not finite (checked on the CPU only: on other devices this check would force a synchronisation),
///          or nothing is stored
/// Cost     O(L S n) per update. Softmax on a CPU stores no states x patterns matrix. Each state stops
///          updating independently. On other devices convergence of all states is checked only after every
///          eight updates
/// Source   Ramsauer et al. 2020, "Hopfield Networks is All You Need"
class AssociativeMemory {
public:
  explicit AssociativeMemory(AssociativeMemoryOptions options = {});

  /// Appends patterns [S, n] to those stored, with associated values [S, V] (hetero-association). Values must
  /// be given for all patterns or for none. The first patterns are at least one.
  void store(const at::Tensor& patterns, const at::Tensor& values = {});

  /// Updates states [L, n] (noisy, partial or learned) until convergence.
  MemoryRetrieval retrieve(const at::Tensor& states) const;
  /// The association [L, S] of the states: the weights of the stored patterns in the next update.
  at::Tensor association(const at::Tensor& states) const;
  /// The energies [L] of states [L, n].
  at::Tensor energy(const at::Tensor& states) const;

  int64_t size() const { return stored_.defined() ? stored_.size(0) : 0; } ///< number of stored patterns
  const at::Tensor& stored() const { return stored_; }                     ///< [S, n]; undefined while empty
  const at::Tensor& values() const { return values_; } ///< [S, V]; undefined if stored without values

private:
  void check_states(const at::Tensor& states) const;
  at::Tensor weights(const at::Tensor& states) const;
  at::Tensor energy_of(const at::Tensor& states) const;
  at::Tensor read(const at::Tensor& states, const at::Tensor& values) const;
  /// bool [L]: the states that an update has changed by no more than update_steps_eps.
  at::Tensor has_converged(const at::Tensor& from, const at::Tensor& to) const;
  /// Both update the states of `result` until all have converged, and return each state before its last
  /// update. `update_unconverged` computes only the states that have not converged; finding them forces a
  /// synchronisation on devices other than the CPU. `update_all` computes all states and keeps the converged
  /// ones.
  at::Tensor update_unconverged(MemoryRetrieval& result) const;
  at::Tensor update_all(MemoryRetrieval& result) const;

  at::Tensor max_square() const; ///< largest squared norm of a stored pattern

  AssociativeMemoryOptions options_;
  at::Tensor stored_, values_;
  at::Tensor max_square_; ///< undefined while empty, and if the patterns require a gradient
};

} // namespace mneme::nn
