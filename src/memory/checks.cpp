// SPDX-License-Identifier: MIT

#include "memory/checks.h"

#include <cmath>

#include <fmt/format.h>

#include "mneme/core/error.h"
#include "mneme/core/finite.h"

namespace mneme {

void require_finite(std::string_view what, const RealPatterns& patterns) {
  for (int64_t i = 0; i < patterns.count(); ++i) {
    if (all_finite(patterns[i])) {
      continue;
    }
    for (int64_t j = 0; j < patterns.size(); ++j) {
      if (const double x = patterns[i][static_cast<size_t>(j)]; !std::isfinite(x)) {
        throw UsageError(fmt::format("mneme: {} {} contains {} at component {}.\n  Stored patterns, values "
                                     "and cues must be finite: remove or "
                                     "replace NaN and infinity.",
                                     what, i, x, j));
      }
    }
  }
}

void require_finite_scores(std::span<const double> scores, int64_t query, std::string_view arithmetic,
                           int64_t first_stored) {
  if (all_finite(scores)) {
    return;
  }
  for (size_t i = 0; i < scores.size(); ++i) {
    if (!std::isfinite(scores[i])) {
      throw UsageError(fmt::format(
          "mneme: the similarity of query {} and stored pattern {} overflows {} (it is {}).\n  Divide "
          "queries and stored patterns by a common factor, or compare them by Cosine, which ignores their "
          "norm{}.",
          query, first_stored + static_cast<int64_t>(i), arithmetic, scores[i],
          arithmetic == "float" ? ", or use Precision::float64" : ""));
    }
  }
}

void require_same_size(std::string_view what, int64_t size, std::string_view other, int64_t other_size) {
  if (size != other_size) {
    throw UsageError(fmt::format(
        "mneme: {} has {} components but {} has {}.\n  They are compared component by component and must "
        "have the same size.",
        what, size, other, other_size));
  }
}

void require_valid(const UpdateOptions& update, int64_t query_size, int64_t readout_size) {
  if (update.update_steps_max < 1) {
    throw UsageError(
        fmt::format("mneme: update_steps_max is {}, but it must be at least 1.", update.update_steps_max));
  }
  if (!(update.update_steps_eps >= 0)) {
    throw UsageError(fmt::format("mneme: update_steps_eps is {}, but it must be a number of at least 0.",
                                 update.update_steps_eps));
  }
  if (update.update_steps_max > 1 && query_size != readout_size) {
    throw UsageError(
        fmt::format("mneme: {} update steps were requested, but a readout of {} components "
                    "cannot be the next query, which has {}.\n  Set update_steps_max = 1, or use "
                    "values of the same size as the patterns.",
                    update.update_steps_max, readout_size, query_size));
  }
}

std::string memory_text(double bytes) {
  return bytes >= 1e9 ? fmt::format("{:.3g} GB", bytes / 1e9) : fmt::format("{:.3g} MB", bytes / 1e6);
}

} // namespace mneme
