// SPDX-License-Identifier: MIT

/// Gaussian weighting of positions: attention weights that depend on the distance of query and key alone, in
/// place of a head that averages.
///
/// Source  Ramsauer et al. 2020, "Hopfield Networks is All You Need": heads that average can be replaced by
///         a Gaussian weighting
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace mneme::theory {

/// Weights of the keys j = 0 .. t of the query at position t, proportional to
/// exp(-(t - j - mean)^2 / (2 deviation^2)).
struct PositionGaussian {
  double mean = 0;      ///< in positions before the query; may lie beyond the text
  double deviation = 1; ///< in positions, > 0
};

/// Weights of the keys 0 .. position, which sum to 1.
///
/// Errors  UsageError for position < 0, a mean that is not finite, or a deviation that is not > 0
std::vector<double> position_weights(const PositionGaussian& gaussian, int64_t position);

/// Mean and mean square of the distance t - j under the attention weights of one query.
struct DistanceMoments {
  double mean = 0;
  double square = 0;
};

/// The Gaussian that is nearest to the attention of a head: it has the smallest mean Kullback-Leibler
/// divergence from the weights of the queries at the positions 0, 1, ..., queries.size() - 1, which depends
/// on their moments alone. Deviations are between 0.1 and ten times the number of queries; the latter is
/// practically uniform.
///
/// Cost    O(queries) per Newton step, about ten steps
/// Errors  UsageError if there is no query, or a moment is not finite or impossible at its position
PositionGaussian fit_position_gaussian(std::span<const DistanceMoments> queries);

/// Mean over these queries of the cross-entropy, in nats, of the weights relative to the Gaussian: minus the
/// mean of sum over j of weight_j log gaussian_j. Less their entropy it is the Kullback-Leibler divergence.
double cross_entropy(std::span<const DistanceMoments> queries, const PositionGaussian& gaussian);

} // namespace mneme::theory
