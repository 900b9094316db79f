// SPDX-License-Identifier: MIT

/// What can be measured at a modern Hopfield network: the energy of a state, the gap of a stored pattern, how
/// many patterns a state is a mix of. theory/hopfield_bounds.h says what to expect.
///
/// Source  Ramsauer et al. 2020, "Hopfield Networks is All You Need"
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "mneme/core/patterns.h"

namespace mneme {

/// Formula  E(xi) = -ln(sum exp(beta x_i . xi)) / beta + xi . xi / 2 + ln(N) / beta + M^2 / 2, M the largest norm
///          of a stored pattern. Never below 0; an update never raises it
/// Shapes  states [Q, n], stored [N, n] -> [Q]
/// Errors  UsageError if sizes differ, there is no stored pattern, a number is not finite, or beta is not
///         positive and finite
std::vector<double> hopfield_energy(const RealPatterns& states, const RealPatterns& stored, double beta);

/// Norm of the longest pattern: M; 0 where there is none.
double largest_norm(const RealPatterns& patterns);

/// Delta_i = x_i . x_i - max over j != i of x_i . x_j: how much better a pattern fits itself than any other fits
/// it. Infinite where it is the only one.
///
/// Errors  UsageError if a number is not finite
/// Cost    O(N^2 n)
std::vector<double> hopfield_gaps(const RealPatterns& stored);

/// How many of the largest weights it takes to reach `share` of their sum: 1 near one pattern, nearly all of them
/// near the mean.
///
/// Errors  UsageError unless 0 < share <= 1
int64_t weights_to_reach(std::span<const double> weights, double share);

} // namespace mneme
