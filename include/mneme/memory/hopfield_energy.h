// SPDX-License-Identifier: MIT

/// Measurements on a modern Hopfield network: energy of a state, gap of a stored pattern, number of patterns
/// that a state is a mixture of. theory/hopfield_bounds.h has the bounds proven for them.
///
/// Source  Ramsauer et al. 2020, "Hopfield Networks is All You Need"
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "mneme/core/patterns.h"

namespace mneme {

/// Energy of each state. It is never below 0, and no update step increases it.
///
/// Formula  E(xi) = -ln(sum exp(beta x_i . xi)) / beta + xi . xi / 2 + ln(N) / beta + M^2 / 2, M the largest
///          norm of a stored pattern
/// Shapes  states [Q, n], stored [N, n] -> [Q]
/// Errors  UsageError if sizes differ, there is no stored pattern, a number is not finite, or beta is not
///         positive and finite
std::vector<double> hopfield_energy(const RealPatterns& states, const RealPatterns& stored, double beta);

/// Largest Euclidean norm of a pattern, M; 0 if there is no pattern, infinite if it exceeds the range of a
/// double.
///
/// Errors  UsageError if a number is not finite
double max_norm(const RealPatterns& patterns);

/// Gap of each stored pattern: Delta_i = x_i . x_i - max over j != i of x_i . x_j, its similarity to itself
/// minus that to the most similar other pattern. Infinite for a single pattern.
///
/// Errors  UsageError if a number is not finite
/// Cost    O(N^2 n)
std::vector<double> hopfield_gaps(const RealPatterns& stored);

/// Smallest number of weights whose sum is at least the fraction `p` of the total, as in top-p (nucleus)
/// sampling: 1 near a stored pattern, nearly all of them near the mean of the patterns.
///
/// Errors  UsageError unless 0 < p <= 1, if a weight is negative or not finite, or if their sum overflows
int64_t top_p_count(std::span<const double> weights, double p);

} // namespace mneme
