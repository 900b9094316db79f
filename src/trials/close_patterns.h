// SPDX-License-Identifier: MIT

/// Search for patterns that nearly coincide, without comparing all pairs.
#pragma once

#include <cstdint>
#include <functional>
#include <span>

#include "mneme/core/patterns.h"

namespace mneme::trials {

/// Calls `visit` with groups of indices, each in ascending order, such that any two patterns with a cosine of
/// at least `cosine_min` are together in one of the groups. Patterns of zeros have no direction and are in
/// none. Groups are small, a few hundred patterns, unless the patterns have nearly the same direction.
///
/// The set of directions is divided at the median of its projection on a line, and both halves include a
/// margin: patterns farther apart than two margins along the line have a smaller cosine.
///
/// Errors  Interrupted
void visit_close(const RealPatterns& patterns, double cosine_min,
                 const std::function<void(std::span<const int64_t>)>& visit);

/// For every pattern the index of the first pattern with the same numbers, which may be its own.
std::vector<int64_t> first_of_identical(const RealPatterns& patterns);

} // namespace mneme::trials
