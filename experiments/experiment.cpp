// SPDX-License-Identifier: MIT

#include "experiments/experiment.h"

#include <cmath>

namespace mneme::experiments {

bool Comparison::holds() const {
  return std::abs(measured.mean - published) <= tolerance || measured.mean == published; // both infinite
}

Tally tally(const Outcome& outcome) {
  Tally count;
  for (const ComparisonTable& table : outcome.comparisons) {
    for (const Comparison& row : table.rows) {
      ++(row.holds() ? count.met : count.missed);
    }
  }
  return count;
}

trials::MeanInterval exactly(double value) {
  return {value, std::nullopt};
}

report::Cell cell(const trials::MeanInterval& interval) {
  return interval.half_width ? report::Cell(estimate_of(interval)) : report::Cell(interval.mean);
}

report::Estimate certain(double value) {
  return {value, value, value};
}

report::Estimate estimate_of(const trials::MeanInterval& interval) {
  const double half = interval.half_width.value_or(0);
  return {interval.mean, interval.mean - half, interval.mean + half};
}

} // namespace mneme::experiments
