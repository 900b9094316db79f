// SPDX-License-Identifier: MIT

/// Step 3 of an associative memory: the weighted sum of the values becomes the readout.
#pragma once

#include <variant>

#include "mneme/core/patterns.h"

namespace mneme {

/// The weighted sum itself; a weighted average, as weights sum to 1. Real patterns only.
struct Average {};
/// Majority vote: bit 1 where ones outweigh zeros, 0 on a tie. For real patterns, the sign of the weighted
/// sum: +1 where it is above 0, else -1. Weights that are rounded, such as those of sparsemax, may turn an
/// exact tie into a bit 1.
struct Majority {};
/// The weighted sum scaled to length 1. Real patterns only.
struct Normalise {};

using Projection = std::variant<Average, Majority, Normalise>;

/// Shapes  weights [Q, S], values [S, V] -> readout [Q, V]
/// Errors  UsageError if weights and values differ in S, or if the projection of bits is not Majority
RealPatterns project(const RealPatterns& weights, const RealPatterns& values,
                     const Projection& projection = Average{});
BitPatterns project(const RealPatterns& weights, const BitPatterns& values,
                    const Projection& projection = Majority{});

} // namespace mneme
