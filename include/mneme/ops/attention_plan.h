// SPDX-License-Identifier: MIT

/// Choice between the implementations of softmax attention, from their estimated costs. The only place that
/// compares them: all layers and operators call it. A choice depends on sizes and masks alone, never on the
/// number of threads, so that results do not either.
#pragma once

#include <cstdint>

namespace mneme::ops {

enum class AttentionStrategy {
  lanes, ///< kernels::softmax_projection: one query per SIMD lane, for many queries and stored patterns
  rows   ///< kernels::row_attention: one row of scores per query, for few of either, or large heads
};

/// Sizes of `problems` independent attentions on the CPU.
struct AttentionShape {
  int64_t problems, queries, stored, size, value_size;
  int64_t bytes_per_number; ///< 4 or 8
  bool has_gradient;        ///< forward and backward, instead of forward alone
  bool is_strided = false;  ///< rows of a head are apart in memory, so that `lanes` copies them
  bool has_dropout = false;
  /// Fraction of the stored patterns up to the last one that a query attends to, mean over the queries: about
  /// a half for a causal mask. `lanes` computes no others.
  double attended = 1;
};

/// Estimated time on one thread, in nanoseconds.
double estimated_cost(AttentionStrategy strategy, const AttentionShape& shape);

/// The strategy of lower estimated cost, or the forced one.
AttentionStrategy chosen_strategy(const AttentionShape& shape);

/// Attention of L states over rows that pass a layer norm and projections first (associate_normed.h).
struct NormedAttentionShape {
  int64_t bags, query_bags; ///< query_bags: 1 if all bags share the states
  int64_t states, rows, features, heads, head_size, value_size;
  int64_t bytes_per_number;
  bool has_gradient; ///< whether a backward pass follows
};

/// True if norms and projections are to be folded into states and readouts, so that each state is compared
/// with all features of a row; false if all rows are to be normalised and projected first.
bool is_folding_faster(const NormedAttentionShape& n);

/// Several projections of the same rows, each with its own weight and bias of a layer norm.
struct JointProjectionShape {
  int64_t rows, features, outputs; ///< outputs: of all projections
  int64_t projections;
  bool has_norm, has_gradient;
};

/// True if the rows are to be normalised and projected once, by joined matrices into which weights and biases
/// of the norms are folded; false if each projection is to compute its own norm.
bool is_joint_projection_faster(const JointProjectionShape& n);

/// Forces choices while it exists, for tests and benchmarks that compare the implementations. Not for use by
/// several threads at once.
class ForcedStrategy {
public:
  explicit ForcedStrategy(AttentionStrategy strategy);
  /// Whether norms and projections are folded, and whether projections of the same rows are joined.
  ForcedStrategy(bool folds, bool joins);
  ~ForcedStrategy();
  ForcedStrategy(const ForcedStrategy&) = delete;
  ForcedStrategy& operator=(const ForcedStrategy&) = delete;
};

} // namespace mneme::ops
