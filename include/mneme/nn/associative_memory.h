// SPDX-License-Identifier: MIT

/// A modern Hopfield network to be used as a memory: nothing to learn, no projection, no norm.
#pragma once

#include <ATen/core/Tensor.h>
#include <torch/arg.h>

#include "mneme/ops/separate.h"

namespace mneme::nn {

struct AssociativeMemoryOptions {
  AssociativeMemoryOptions(double beta = 1) : beta_(beta) {}

  /// Inverse temperature, > 0 and finite: small ones mix patterns that are alike, large ones tell them apart.
  TORCH_ARG(double, beta);
  TORCH_ARG(ops::Separation, separation) = ops::Separation::softmax;
  /// Updates of a state, at least 1.
  TORCH_ARG(int64_t, update_steps_max) = 100;
  /// A state has converged once no feature moves by more in an update; >= 0.
  TORCH_ARG(double, update_steps_eps) = 1e-4;
};

/// What became of every state.
struct MemoryRetrieval {
  at::Tensor state;     ///< [L, n], after its last update
  at::Tensor readout;   ///< [L, V], what the last update says of the values; the state, where there are none
  at::Tensor energy;    ///< [L], of `state`
  at::Tensor steps;     ///< [L], int64: updates made
  at::Tensor converged; ///< [L], bool: the last update moved it by no more than update_steps_eps
};

/// Formula  state <- weights . stored with weights = separation(beta * state . stored^T), until it no longer moves;
///          E(state) = state . state / 2 - potential(beta * state . stored^T) / beta + largest_entropy / beta + M^2 / 2,
///          M the largest norm stored. Never below 0, and no update raises it
/// Types    float32 or float64, that of the patterns, on their device; differentiable once in states, patterns, values
/// Errors   UsageError if an option is out of its range, shapes or types disagree, a number is not finite (on a CPU;
///          elsewhere looking would wait), or nothing is stored
/// Cost     O(L S n) per update. Softmax on a CPU keeps no states x patterns matrix. Each state stops by itself. On another
///          device the host looks only after every eight updates whether all have
/// Source   Ramsauer et al. 2020, "Hopfield Networks is All You Need"
class AssociativeMemory {
public:
  explicit AssociativeMemory(AssociativeMemoryOptions options = {});

  /// Adds patterns [S, n] to those that are there, with the values [S, V] that they stand for. Either all patterns
  /// have values or none has.
  void store(const at::Tensor& patterns, const at::Tensor& values = {});

  /// From states [L, n]: noisy, partial or learnt.
  MemoryRetrieval retrieve(const at::Tensor& states) const;
  /// [L, S]: how much of every stored pattern there is in the next update.
  at::Tensor association(const at::Tensor& states) const;
  /// [L]
  at::Tensor energy(const at::Tensor& states) const;

  int64_t size() const { return stored_.defined() ? stored_.size(0) : 0; } ///< patterns stored
  const at::Tensor& stored() const { return stored_; }                     ///< [S, n]; undefined while empty
  const at::Tensor& values() const { return values_; }                     ///< [S, V]; undefined without

private:
  void check_states(const at::Tensor& states) const;
  at::Tensor read(const at::Tensor& states, const at::Tensor& values) const;
  /// bool [L]: which states an update has moved by no more than update_steps_eps.
  at::Tensor settled(const at::Tensor& from, const at::Tensor& to) const;
  /// Both update the states of `result` until all are settled and return those before the last update of each. On the CPU only
  /// states that move are read. Elsewhere all are, and settled ones kept: finding those that move would make the host wait.
  at::Tensor update_moving(MemoryRetrieval& result) const;
  at::Tensor update_all(MemoryRetrieval& result) const;

  AssociativeMemoryOptions options_;
  at::Tensor stored_, values_;
};

} // namespace mneme::nn
