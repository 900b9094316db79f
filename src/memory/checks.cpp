// SPDX-License-Identifier: MIT

#include "memory/checks.h"

#include <cmath>

#include <fmt/format.h>

#include "mneme/core/error.h"

namespace mneme {

void require_finite(std::string_view what, const RealPatterns& patterns) {
  for (int64_t i = 0; i < patterns.count(); ++i) {
    for (int64_t j = 0; j < patterns.size(); ++j) {
      if (const double x = patterns[i][static_cast<size_t>(j)]; !std::isfinite(x)) {
        throw UsageError(fmt::format(
            "mneme: {} {} holds {} at component {}.\n  Remove or replace values that are not finite numbers "
            "before they are stored or asked.",
            what, i, x, j));
      }
    }
  }
}

void require_finite_scores(std::span<const double> scores, int64_t query, std::string_view arithmetic) {
  for (size_t i = 0; i < scores.size(); ++i) {
    if (!std::isfinite(scores[i])) {
      throw UsageError(fmt::format(
          "mneme: the similarity of query {} and stored pattern {} overflows {} (it is {}).\n  Divide "
          "queries and "
          "stored patterns by a common factor, or compare them by Cosine, which ignores their length.",
          query, i, arithmetic, scores[i]));
    }
  }
}

void require_same_size(std::string_view what, int64_t size, std::string_view other, int64_t other_size) {
  if (size != other_size) {
    throw UsageError(fmt::format(
        "mneme: {} has {} components but {} has {}.\n  They are compared component by component: give both "
        "the same size.",
        what, size, other, other_size));
  }
}

void require_valid(const UpdateOptions& update, int64_t query_size, int64_t readout_size) {
  if (update.update_steps_max < 1) {
    throw UsageError(
        fmt::format("mneme: update_steps_max is {}, at least 1 is needed.", update.update_steps_max));
  }
  if (!(update.update_steps_eps >= 0)) {
    throw UsageError(fmt::format("mneme: update_steps_eps is {}, a number of at least 0 is needed.",
                                 update.update_steps_eps));
  }
  if (update.update_steps_max > 1 && query_size != readout_size) {
    throw UsageError(fmt::format("mneme: {} update steps were asked for, but a readout of {} components "
                                 "cannot be the next query of {}.\n  "
                                 "Take update_steps_max = 1, or values as large as the patterns.",
                                 update.update_steps_max, readout_size, query_size));
  }
}

} // namespace mneme
