// SPDX-License-Identifier: MIT

/// Confidence interval of a mean over repeated trials, and prediction interval of one more trial.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

namespace mneme::trials {

struct MeanInterval {
  double mean = 0;
  std::optional<double> half_width; ///< of the 95 % confidence interval; absent with fewer than two trials
};

/// Mean of the samples with its 95 % confidence interval.
///
/// Formula  mean +- t s / sqrt(N), t of Student's distribution with N - 1 degrees of freedom. For samples
///          that are proportions of `cases` > 0 cases each, s^2 is at least the binomial variance p (1 - p) /
///          cases with p = (successes + 1) / (N cases + 2): without it, equal samples such as 1, 1, 1 would
///          have an interval of width 0
/// Errors   UsageError if there are no samples, or cases < 0
MeanInterval mean_interval(std::span<const double> samples, int64_t cases = 0);

struct Interval {
  double low = 0, high = 0;

  bool contains(double number) const { return low <= number && number <= high; }
};

struct PredictionOptions {
  double confidence = 0.95; ///< probability that the interval contains one more draw, in (0, 1)
  /// Precision of the reported draw, for example after rounding or reading it off a curve: +- this, >= 0.
  /// Widens the interval.
  double resolution = 0;
  /// For samples >= 0 with multiplicative variation, such as losses: the formula is applied to
  /// log(sample + resolution). With a resolution above 0, a sample may be 0.
  bool logarithmic = false;
  /// For samples that are proportions, such as accuracies: the number of cases of each. Proportions have at
  /// least the binomial variance, even if all samples are equal, and are multiples of 1 / cases. 0: not
  /// proportions.
  int64_t cases = 0;
};

/// Prediction interval: contains one more independent draw from the distribution of the samples. A single
/// published run is compared with this interval. The confidence interval of the mean is not suitable, because
/// it shrinks with the number of samples while the variation of single runs stays the same. Quantiles of few
/// samples are too narrow (of nine further draws, two are expected to be outside the range of eight samples).
///
/// Formula  mean +- t s sqrt(1 + 1/N), t of Student's distribution with N - 1 degrees of freedom: exact for
///          normal samples. Proportions: s^2 is at least p (1 - p) / cases with p = (successes + 1) / (N
///          cases + 2), and half of 1 / cases is added. The interval always includes the range of the samples
/// Errors   UsageError with fewer than two samples, or if an option or a sample is out of range
Interval prediction_interval(std::span<const double> samples, const PredictionOptions& options = {});

} // namespace mneme::trials
