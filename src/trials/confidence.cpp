// SPDX-License-Identifier: MIT

#include "mneme/trials/confidence.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include <boost/math/distributions/students_t.hpp>
#include <fmt/format.h>

#include "mneme/core/error.h"

namespace mneme::trials {

namespace {

double mean_of(std::span<const double> samples) {
  return std::accumulate(samples.begin(), samples.end(), 0.0) / static_cast<double>(samples.size());
}

/// Unbiased estimate of the variance; requires at least two samples.
double variance_of(std::span<const double> samples) {
  const double mean = mean_of(samples);
  double squares = 0;
  for (const double sample : samples) {
    squares += (sample - mean) * (sample - mean);
  }
  return squares / static_cast<double>(samples.size() - 1);
}

/// Two-sided quantile of Student's t distribution with samples - 1 degrees of freedom.
double student_t(size_t samples, double confidence) {
  const boost::math::students_t distribution(static_cast<double>(samples - 1));
  return boost::math::quantile(distribution, 0.5 + confidence / 2);
}

void check(std::span<const double> samples, const PredictionOptions& options) {
  const auto fail = [](const std::string& what, const char* how_to_fix) {
    throw UsageError("mneme::trials::prediction_interval: " + what + "\n  " + how_to_fix);
  };
  if (samples.size() < 2) {
    fail(fmt::format("{} samples given, at least 2 are needed.", samples.size()),
         "The variance of a single sample is unknown.");
  }
  if (!(options.confidence > 0 && options.confidence < 1)) {
    fail(fmt::format("confidence is {}, but must be between 0 and 1.", options.confidence),
         "A common value is 0.95.");
  }
  if (!(options.resolution >= 0) || options.cases < 0 || (options.logarithmic && options.cases > 0)) {
    fail(fmt::format(
             "resolution is {} and cases is {}{}, but neither may be negative, and proportions have no "
             "logarithmic scale.",
             options.resolution, options.cases, options.logarithmic ? " on a logarithmic scale" : ""),
         "Remove the option that does not apply.");
  }
  for (const double sample : samples) {
    const bool fits = options.cases > 0     ? sample >= 0 && sample <= 1
                      : options.logarithmic ? sample + options.resolution > 0
                                            : true;
    if (!std::isfinite(sample) || !fits) {
      fail(fmt::format("a sample is {}, but {} is needed.", sample,
                       options.cases > 0     ? "a proportion from 0 to 1"
                       : options.logarithmic ? "a positive number, or 0 with a resolution,"
                                             : "a finite number"),
           "Remove it, or choose another scale.");
    }
  }
}

/// The least variance of proportions of `cases` cases each, whose mean is given.
double binomial_variance(double mean, size_t samples, int64_t cases) {
  const double each = static_cast<double>(cases), all = static_cast<double>(samples) * each;
  const double p = (mean * all + 1) / (all + 2);
  return p * (1 - p) / each;
}

} // namespace

MeanInterval mean_interval(std::span<const double> samples, int64_t cases) {
  if (samples.empty() || cases < 0) {
    throw UsageError(
        samples.empty()
            ? "mneme::trials::mean_interval: there are no samples to average."
            : fmt::format("mneme::trials::mean_interval: cases is {}, but must not be negative.", cases));
  }
  if (samples.size() < 2) {
    return {samples.front(), std::nullopt};
  }
  const double mean = mean_of(samples);
  double variance = variance_of(samples);
  if (cases > 0) {
    variance = std::max(variance, binomial_variance(mean, samples.size(), cases));
  }
  const double error = std::sqrt(variance / static_cast<double>(samples.size()));
  return {mean, student_t(samples.size(), 0.95) * error};
}

Interval prediction_interval(std::span<const double> samples, const PredictionOptions& options) {
  check(samples, options);
  std::vector<double> scaled(samples.begin(), samples.end());
  if (options.logarithmic) {
    std::ranges::transform(scaled, scaled.begin(),
                           [&](double sample) { return std::log(sample + options.resolution); });
  }
  const auto count = static_cast<double>(samples.size());
  const double mean = mean_of(scaled);
  double variance = variance_of(scaled), half_step = 0;
  if (options.cases > 0) {
    variance = std::max(variance, binomial_variance(mean, samples.size(), options.cases));
    half_step = 0.5 / static_cast<double>(options.cases);
  }
  const double half_width =
      student_t(samples.size(), options.confidence) * std::sqrt(variance * (1 + 1 / count)) + half_step;
  Interval interval{mean - half_width, mean + half_width};
  if (options.logarithmic) {
    interval = {std::exp(interval.low) - options.resolution, std::exp(interval.high) - options.resolution};
  }
  const auto [min, max] = std::ranges::minmax(samples);
  return {std::min(interval.low, min) - options.resolution,
          std::max(interval.high, max) + options.resolution};
}

} // namespace mneme::trials
