// SPDX-License-Identifier: MIT

/// Argument checks shared by all memories.
#pragma once

#include <span>
#include <string>
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

/// Errors  UsageError that names the first pattern and component that is NaN or infinite
void require_finite(std::string_view what, const RealPatterns& patterns);
inline void require_finite(std::string_view, const BitPatterns&) {}

/// Checks the scores of query `query` for overflow. Patterns have been checked to be finite, so a score that
/// is not finite has overflowed. `arithmetic` ("double" or "float") is the type of the sums; the first score
/// is that of stored pattern `first_stored`.
///
/// Errors  UsageError that names the query and the stored pattern
void require_finite_scores(std::span<const double> scores, int64_t query, std::string_view arithmetic,
                           int64_t first_stored = 0);

/// Errors  UsageError that names both sizes if they differ
void require_same_size(std::string_view what, int64_t size, std::string_view other, int64_t other_size);

/// Errors  UsageError if the number of steps or the tolerance is out of range, or if more than one step is
///         requested and the readout has another size than the query
void require_valid(const UpdateOptions& update, int64_t query_size, int64_t readout_size);

/// "2.18 GB" or "21.9 MB", for messages.
std::string memory_text(double bytes);

} // namespace mneme
