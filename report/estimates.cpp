// SPDX-License-Identifier: MIT

#include "report/estimates.h"

#include <algorithm>

namespace mneme::report {

trials::MeanInterval exact_mean(double value) {
  return {value, std::nullopt};
}

Cell cell(const trials::MeanInterval& interval) {
  return interval.half_width ? Cell(estimate_of(interval)) : Cell(interval.mean);
}

Cell cell(const trials::MeanInterval& interval, const Limits& limits) {
  if (!interval.half_width) {
    return interval.mean;
  }
  Estimate estimate = estimate_of(interval);
  estimate.low = std::max(estimate.low, std::min(limits.min, estimate.value));
  estimate.high = std::min(estimate.high, std::max(limits.max, estimate.value));
  return estimate;
}

Estimate exact_point(double value) {
  return {value, value, value};
}

Estimate estimate_of(const trials::MeanInterval& interval) {
  const double half = interval.half_width.value_or(0);
  return {interval.mean, interval.mean - half, interval.mean + half};
}

} // namespace mneme::report
