// SPDX-License-Identifier: MIT

/// Third step of every memory: the weighted values become the readout.
#pragma once

#include <variant>

#include "mneme/core/patterns.h"

namespace mneme {

/// The weighted average as it is. Real patterns only.
struct Average {};
/// Bit = 1 where ones outweigh zeros (a tie gives 0); on real patterns +1 where the average is above 0, else
/// -1.
struct Majority {};
/// The weighted average scaled to length 1. Real patterns only.
struct Normalise {};

using Projection = std::variant<Average, Majority, Normalise>;

/// Shapes  weights [Q, S], values [S, V] -> readout [Q, V]
/// Errors  UsageError if the numbers of stored patterns differ, or bits are asked for anything but Majority
RealPatterns project(const RealPatterns& weights, const RealPatterns& values,
                     const Projection& projection = Average{});
BitPatterns project(const RealPatterns& weights, const BitPatterns& values,
                    const Projection& projection = Majority{});

} // namespace mneme
