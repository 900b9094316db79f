// SPDX-License-Identifier: MIT

/// Checks that every memory makes at its boundary.
#pragma once

#include <span>
#include <string_view>

#include "mneme/core/patterns.h"
#include "mneme/memory/update.h"

namespace mneme {

inline int64_t pattern_size(const BitPatterns& patterns) {
  return patterns.bits();
}
inline int64_t pattern_size(const RealPatterns& patterns) {
  return patterns.size();
}

/// Errors  UsageError naming the pattern and the component that is NaN or infinite
void require_finite(std::string_view what, const RealPatterns& patterns);
inline void require_finite(std::string_view, const BitPatterns&) {}

/// Errors  UsageError if a score of query `query` is not finite: the numbers compared are finite, so it overflowed.
/// `arithmetic` ("double" or "float") is the type of the sums
void require_finite_scores(std::span<const double> scores, int64_t query, std::string_view arithmetic);

/// Errors  UsageError with both sizes
void require_same_size(std::string_view what, int64_t size, std::string_view other, int64_t other_size);

/// Errors  UsageError if a step count, a tolerance or the size of the next query does not fit
void require_valid(const UpdateOptions& update, int64_t query_size, int64_t readout_size);

} // namespace mneme
