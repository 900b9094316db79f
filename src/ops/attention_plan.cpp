// SPDX-License-Identifier: MIT

#include "mneme/ops/attention_plan.h"

#include <optional>

#include "kernels/row_attention/row_attention.h"

namespace mneme::ops {
namespace {

/// Nanoseconds per operation on one thread, measured on AVX-512 (Zen 4, 3.7 GHz). Only their ratios matter
/// for the choice.
struct Costs {
  double call = 80;            ///< of a kernel for one problem
  double vector_add = 0.20;    ///< multiply-add of a vector, operands in the L1 cache
  double vector_alone = 0.45;  ///< the same, if a panel has only one vector: not enough independent sums
  double vector_weight = 3.2;  ///< softmax weight of a vector of scores, with all its passes
  double row = 12;             ///< reductions of a row of scores: its maximum and its sum
  double tile_sums = 8;        ///< sums over the lanes of 16 accumulators
  double transposed = 0.35;    ///< number copied between rows and lanes
  double lanes_call = 350;     ///< buffers of the kernel with queries as lanes
  double copied = 1.0;         ///< number of rows of a head, copied into memory of their own
  double dropout = 0.47;       ///< factor of a pair of a query and a stored pattern
  double dropout_of_row = 0.2; ///< factor that a weight of a row is multiplied by, one after another
  double normalised = 0.35;    ///< number that passes a layer norm of LibTorch
  double projected = 0.011;    ///< multiply-add of a linear layer
  double by_head = 0.032;      ///< multiply-add of a matrix product per head of LibTorch
  double small_product = 2500; ///< call of a matrix product or another operation of LibTorch
  double folded_row = 0.09;    ///< number of a row, moments in normed_association
  double folded_query = 0.13;  ///< number of a row times query, scores and weighted sum in normed_association
  double folded_state = 130;   ///< a query of one bag in normed_association, besides its rows
  double folded_feature = 1;   ///< number of such a query and of its readout
  double folded_gradients = 2e5; ///< calls of the backward pass of a folded association, beyond those without
  double folded_weight_gradient = 1.7; ///< weight of a projection in that pass, beyond the same
};

/// Costs of joined projections, beyond those of separate ones, and of each norm that they save.
struct JointCosts {
  double calls;                   ///< of LibTorch, for the joined matrices
  double weight;                  ///< number of a projection, multiplied by the weight of a norm, and copied
  double saved_row, saved_number; ///< of a norm
};
constexpr JointCosts kJointForward = {.calls = 4000, .weight = 0.37, .saved_row = 13, .saved_number = 0.17};
constexpr JointCosts kJointWithGradient = {
    .calls = 45'000, .weight = 1.2, .saved_row = 10, .saved_number = 0.8};
constexpr Costs kCosts;

struct Forced {
  std::optional<AttentionStrategy> attention;
  std::optional<bool> folds, joins;
};
Forced& forced() {
  static Forced choices;
  return choices;
}

double divided_up(int64_t count, double by) {
  const double whole = static_cast<double>(count) / by;
  const auto floor = static_cast<double>(static_cast<int64_t>(whole));
  return whole > floor ? floor + 1 : floor;
}

/// One problem, one query per lane.
double lanes_cost(const AttentionShape& n) {
  const double lanes = 64.0 / static_cast<double>(n.bytes_per_number);
  const double vectors = divided_up(n.queries, lanes);
  const double add = static_cast<double>(n.queries) <= lanes ? kCosts.vector_alone : kCosts.vector_add;
  const auto stored = static_cast<double>(n.stored), queries = static_cast<double>(n.queries),
             columns = static_cast<double>(n.size + n.value_size);
  const double attended = stored * n.attended;
  const double products = attended * columns * vectors * add,
               weights = attended * vectors * kCosts.vector_weight,
               packing = queries * columns * kCosts.transposed,
               copies = n.is_strided ? (queries + stored) * columns * kCosts.copied : 0;
  const double dropout = n.has_dropout ? vectors * lanes * divided_up(n.stored, 4) * 4 * kCosts.dropout : 0;
  if (!n.has_gradient) {
    return kCosts.lanes_call + products + weights + packing + copies + dropout;
  }
  // Backward: scores and their gradients, then three products; packs queries, readouts and their gradients.
  return 2 * kCosts.lanes_call + 3.5 * products + 2 * weights + 4 * packing + 2 * (copies + dropout);
}

/// One problem, one row of scores per query.
double rows_cost(const AttentionShape& n) {
  const double lanes = 64.0 / static_cast<double>(n.bytes_per_number);
  const auto stored = static_cast<double>(n.stored), queries = static_cast<double>(n.queries);
  const double query_rows = divided_up(n.queries, 4) * 4, stored_rows = divided_up(n.stored, 4) * 4,
               stored_vectors = divided_up(n.stored, lanes);
  const auto is_transposed = [&](int64_t size) {
    return n.bytes_per_number == 4 ? kernels::is_transposing_faster<float>(n.queries, n.stored, size)
                                   : kernels::is_transposing_faster<double>(n.queries, n.stored, size);
  };
  const auto by_lanes = [&](int64_t size) { // stored patterns as lanes; four queries share their vectors
    return static_cast<double>(size) *
           (1.25 * query_rows * stored_vectors * kCosts.vector_add + stored * kCosts.transposed);
  };
  const auto dots = [&](int64_t size) {
    return is_transposed(size) ? by_lanes(size)
                               : query_rows * stored_rows *
                                     (divided_up(size, lanes) * kCosts.vector_add + kCosts.tile_sums / 16);
  };
  const auto weighted = [&](int64_t size) {
    return query_rows * stored * divided_up(size, lanes) * kCosts.vector_add;
  };
  // A call of the generator makes 96 factors, of several rows if a row has at most half as many.
  const double factors = n.stored <= 48 ? divided_up(n.stored, 4) * 4 : divided_up(n.stored, 96) * 96;
  const double dropout =
      n.has_dropout ? queries * (factors * kCosts.dropout + stored * kCosts.dropout_of_row) : 0;
  const double weights = queries * (stored_vectors * kCosts.vector_weight + kCosts.row) + dropout;
  const double forward = kCosts.call + dots(n.size) + weights + weighted(n.value_size);
  if (!n.has_gradient) {
    return forward;
  }
  const auto sums = [&](int64_t size) { // of gradients of stored patterns or values
    return is_transposed(size) && static_cast<double>(size) < lanes ? by_lanes(size) : weighted(size);
  };
  return forward + kCosts.call + dots(n.size) + dots(n.value_size) + weights + weighted(n.size) +
         sums(n.size) + sums(n.value_size);
}

} // namespace

double estimated_cost(AttentionStrategy strategy, const AttentionShape& shape) {
  return static_cast<double>(shape.problems) *
         (strategy == AttentionStrategy::lanes ? lanes_cost(shape) : rows_cost(shape));
}

AttentionStrategy chosen_strategy(const AttentionShape& shape) {
  if (forced().attention) {
    return *forced().attention;
  }
  return lanes_cost(shape) < rows_cost(shape) ? AttentionStrategy::lanes : AttentionStrategy::rows;
}

bool is_folding_faster(const NormedAttentionShape& n) {
  if (forced().folds) {
    return *forced().folds;
  }
  const auto numbers = static_cast<double>(n.bags * n.rows * n.features); // of all rows
  const auto queries = static_cast<double>(n.heads * n.states), features = static_cast<double>(n.features);
  const auto head_features = static_cast<double>(n.head_size + n.value_size);
  const double wide = static_cast<double>(n.bytes_per_number) / 4;
  const double folded_states = static_cast<double>(n.query_bags * n.head_size + n.bags * n.value_size) *
                                   queries * features * kCosts.by_head +
                               8 * kCosts.small_product / wide;
  const double folded =
      wide * (numbers * (kCosts.folded_row + queries * kCosts.folded_query) + folded_states) +
      static_cast<double>(n.bags) * queries * (kCosts.folded_state + features * kCosts.folded_feature);
  const AttentionShape attention{.problems = n.bags * n.heads,
                                 .queries = n.states,
                                 .stored = n.rows,
                                 .size = n.head_size,
                                 .value_size = n.value_size,
                                 .bytes_per_number = n.bytes_per_number,
                                 .has_gradient = false};
  const double projected = wide * (2 * numbers * kCosts.normalised + numbers * static_cast<double>(n.heads) *
                                                                         head_features * kCosts.projected) +
                           4 * kCosts.small_product + estimated_cost(chosen_strategy(attention), attention);
  if (!n.has_gradient) {
    return folded < projected;
  }
  // Forward and backward compute about three times as much as forward alone, either way.
  const double weights = static_cast<double>(n.heads) * head_features * features;
  const double gradients = kCosts.folded_gradients + wide * weights * kCosts.folded_weight_gradient;
  return 3 * folded + gradients < 3 * projected;
}

bool is_joint_projection_faster(const JointProjectionShape& n) {
  if (forced().joins) {
    return *forced().joins;
  }
  if (!n.has_norm) {
    return false; // one product instead of several saves less than joining the matrices costs
  }
  const JointCosts& costs = n.has_gradient ? kJointWithGradient : kJointForward;
  const double joined = costs.calls + static_cast<double>(n.outputs * n.features) * costs.weight;
  const double norm =
      static_cast<double>(n.rows) * (costs.saved_row + static_cast<double>(n.features) * costs.saved_number);
  return joined < static_cast<double>(n.projections - 1) * norm;
}

ForcedStrategy::ForcedStrategy(AttentionStrategy strategy) {
  forced().attention = strategy;
}
ForcedStrategy::ForcedStrategy(bool folds, bool joins) {
  forced().folds = folds;
  forced().joins = joins;
}
ForcedStrategy::~ForcedStrategy() {
  forced() = {};
}

} // namespace mneme::ops
