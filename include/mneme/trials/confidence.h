// SPDX-License-Identifier: MIT

/// How sure a mean over repeated trials is, and where one more trial is expected.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

namespace mneme::trials {

struct MeanInterval {
  double mean = 0;
  std::optional<double> half_width; ///< of the 95 % confidence interval; absent with fewer than two trials
};

/// Formula  mean +- t s / sqrt(N), t of Student's distribution with N - 1 degrees of freedom
/// Errors   UsageError if there are no samples
MeanInterval mean_interval(std::span<const double> samples);

struct Interval {
  double low = 0, high = 0;

  bool contains(double number) const { return low <= number && number <= high; }
};

struct PredictionOptions {
  double confidence = 0.95; ///< probability that the interval contains one more draw, in (0, 1)
  /// The draw is reported to within +- this, by rounding or reading off a curve; >= 0. Widens the interval.
  double resolution = 0;
  /// Samples >= 0 that scatter by factors rather than by sums, such as losses: the formula is applied to
  /// log(sample + resolution). Below the resolution factors cannot be seen, and a sample may be 0.
  bool logarithmic = false;
  /// Samples are proportions of so many cases, such as accuracies: counting alone gives them a deviation, which equal
  /// samples do not show, and they come in steps. 0: they are not.
  int64_t cases = 0;
};

/// Prediction interval: contains one more independent draw from the distribution of the samples. A single published run
/// is compared with this, not with the confidence interval of the mean, which shrinks as samples are added while
/// single runs scatter as before; nor with quantiles of the samples, which lie too close together where there are
/// few (two more draws in nine lie outside the range of eight).
///
/// Formula  mean +- t s sqrt(1 + 1/N), t of Student's distribution with N - 1 degrees of freedom: exact for normal
///          samples. Proportions: s^2 is at least p (1 - p) / cases with p = (successes + 1) / (N cases + 2), and half a
///          step is added. The range of the samples always belongs to the interval, whatever their distribution
/// Errors   UsageError with fewer than two samples, or if an option or a sample is out of its range
Interval prediction_interval(std::span<const double> samples, const PredictionOptions& options = {});

} // namespace mneme::trials
