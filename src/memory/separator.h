// SPDX-License-Identifier: MIT

/// A separation made ready for one kind of score: tables are built once, rows are then separated one by one.
#pragma once

#include <span>
#include <vector>

#include "mneme/core/random.h"
#include "mneme/memory/separation.h"

namespace mneme {

class Separator {
public:
  /// Errors  UsageError as `separate`
  Separator(const Separation& separation, ScoreKind kind, int64_t size);

  struct Row {
    double sum;      ///< of the weights
    int64_t reached; ///< stored patterns whose weight is not 0
  };
  /// Turns the scores of one query into weights, in place; not yet divided by their sum.
  Row separate(std::span<double> scores, int64_t step, int64_t query) const;

  /// The readout is to be divided by the sum of the weights.
  bool divides_by_sum() const { return divides_by_sum_; }
  /// Weights hang on random draws for each query.
  bool draws() const { return draws_; }

private:
  std::function<void(std::span<double>, int64_t step, int64_t query)> separate_;
  bool divides_by_sum_ = true, is_best_match_ = false, draws_ = false;
};

} // namespace mneme
