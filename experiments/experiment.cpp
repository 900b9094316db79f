// SPDX-License-Identifier: MIT

#include "experiments/experiment.h"

#include <algorithm>
#include <cmath>

namespace mneme::experiments {

bool Comparison::is_met() const {
  return std::abs(measured.mean - published) <= tolerance || measured.mean == published; // both infinite
}

const char* verdict(const ComparisonTable& table, const Comparison& row) {
  return !table.not_compared.empty() ? "not compared" : row.is_met() ? "met" : "missed";
}

Tally tally(const ComparisonTable& table) {
  if (!table.not_compared.empty()) {
    return {.not_compared = std::ssize(table.rows)};
  }
  const int64_t met = std::ranges::count_if(table.rows, &Comparison::is_met);
  return {.met = met, .missed = std::ssize(table.rows) - met};
}

Tally tally(const Outcome& outcome) {
  Tally sum;
  for (const ComparisonTable& table : outcome.comparisons) {
    const auto [met, missed, not_compared] = tally(table);
    sum = {sum.met + met, sum.missed + missed, sum.not_compared + not_compared};
  }
  return sum;
}

} // namespace mneme::experiments
