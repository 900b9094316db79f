// SPDX-License-Identifier: MIT

#include "theory/read_model.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <vector>

#include <boost/math/special_functions/gamma.hpp>

#include "mneme/theory/circle_intersection.h"
#include "mneme/theory/space_fraction.h"
#include "theory/normal.h"
#include "theory/scaled.h"

namespace mneme::theory {
namespace {

/// log(x!) minus Stirling's approximation x log(x) - x + log(2 pi x) / 2. Requires x > 0.
double stirling_error(double x) {
  constexpr double kSeriesMin = 16; // from here on, the terms left out are below 1e-14
  if (x >= kSeriesMin) {
    const double square = 1 / (x * x);
    return (1.0 / 12 - (1.0 / 360 - (1.0 / 1260 - square / 1680) * square) * square) / x;
  }
  return boost::math::lgamma(x + 1) - x * std::log(x) + x - std::log(2 * std::numbers::pi * x) / 2;
}

/// x log(x / mean) - (x - mean) for x = mean + difference > 0, without the cancellation of large terms.
double deviance(double x, double mean, double difference) {
  constexpr double kSeriesMax = 1e-4; // up to here, the terms left out are below rounding
  const double u = difference / mean;
  if (std::abs(u) < kSeriesMax) {
    return difference * u * (1.0 / 2 - u * (1.0 / 6 - u * (1.0 / 12 - u / 20)));
  }
  return x * std::log1p(u) - difference;
}

/// log of the binomial probability of `activated` among `locations`; `activated` may be fractional.
///
/// Terms such as log(locations!) are too large to be subtracted, so deviations from the means are computed
/// directly (Loader 2000, "Fast and Accurate Computation of Binomial Probabilities").
double log_probability(double activated, double locations, double p) {
  const double others = locations - activated;
  if (activated <= 0) {
    return locations * std::log1p(-p);
  }
  if (others <= 0) {
    return locations * std::log(p);
  }
  const double mean = locations * p, mean_of_others = locations * (1 - p), difference = activated - mean;
  return stirling_error(locations) - stirling_error(activated) - stirling_error(others) -
         deviance(activated, mean, difference) - deviance(others, mean_of_others, -difference) -
         std::log(2 * std::numbers::pi * activated * (others / locations)) / 2;
}

/// Probability that a sum is below 0, plus half the probability of 0: normal distribution with an Edgeworth
/// correction for the fourth cumulant.
double wrong_sign(double mean, double variance, double fourth_cumulant) {
  if (!(variance > 0)) {
    return mean > 0 ? 0 : 0.5;
  }
  const double z = mean / std::sqrt(variance);
  const double density = std::exp(-z * z / 2) / std::sqrt(2 * std::numbers::pi);
  // Beyond this excess the corrected density is negative somewhere (Barton and Dennis 1952), as where few of
  // many patterns share locations with the cue, and the correction would exceed what it corrects.
  constexpr double kExcessMax = 4;
  const double excess = std::min(fourth_cumulant / (variance * variance), kExcessMax);
  const double correction = density * excess / 24 * (z * z * z - 3 * z);
  // It is not finite where the variance underflows, as in circles with hardly any location.
  return std::clamp(normal_cdf(-z) + (std::isfinite(correction) ? correction : 0), 0.0, 1.0);
}

} // namespace

ReadModel::ReadModel(int64_t bits, int64_t hamming_radius)
    : bits_(bits), p_(space_fraction(bits, hamming_radius)),
      log_shared_(log_circle_intersections(bits, hamming_radius)) {
  Scaled binomial(1, -bits), square, cube, fourth; // sums over the distances of random addresses
  for (int64_t v = 0; v <= bits; ++v) {
    const long double rho =
        std::exp(static_cast<long double>(log_shared_[static_cast<size_t>(v)]) - log_shared_[0]);
    at_distance_.push_back({.probability = static_cast<double>(binomial.times_power_of_two(0)),
                            .log_not_shared = std::log1p(-std::min(static_cast<double>(rho), 1.0))});
    Scaled term = binomial;
    square += (term *= rho * rho);
    cube += (term *= rho);
    fourth += (term *= rho);
    binomial *= static_cast<long double>(bits - v) / static_cast<long double>(v + 1);
  }
  rho_squared_ = static_cast<double>(square.times_power_of_two(0));
  rho_cubed_ = static_cast<double>(cube.times_power_of_two(0));
  rho_fourth_ = static_cast<double>(fourth.times_power_of_two(0));

  // For one fixed bit: the addresses in the circle that agree with the centre in this bit are a circle of n -
  // 1 bits with the same radius, the others one with the radius reduced by 1.
  bit_correlation_ =
      std::exp(static_cast<double>(scaled_binomial(bits - 1, hamming_radius).log()) - log_shared_[0]);
  if (bits > 1) {
    log_shared_agreeing_ = log_circle_intersections(bits - 1, std::min(hamming_radius, bits - 1));
    if (hamming_radius > 0) {
      log_shared_differing_ = log_circle_intersections(bits - 1, hamming_radius - 1);
    }
  }
}

ReadModel::Cue ReadModel::cue_at(int64_t distance) const {
  const auto at = static_cast<size_t>(distance);
  const auto fraction_of = [&](const std::vector<double>& logs) {
    return at < logs.size() ? std::exp(logs[at] - log_shared_[at]) : 0;
  };
  const double rho = std::exp(log_shared_[at] - log_shared_[0]);
  return {.flipped = static_cast<double>(distance) / static_cast<double>(bits_),
          .rho = rho,
          .bit_correlation_shared =
              rho > 0 ? fraction_of(log_shared_agreeing_) - fraction_of(log_shared_differing_) : 0};
}

double ReadModel::empty_probability(const Cue& cue, double activated, double patterns) const {
  constexpr double kStoredMax = 60; // patterns in activated locations, expected; e^-60 does not matter
  if (activated * (cue.rho + (patterns - 1) * p_) > kStoredMax) {
    return 0;
  }
  double none_of_one = 0;
  for (const auto& [probability, log_not_shared] : at_distance_) {
    none_of_one += probability * std::exp(activated * log_not_shared);
  }
  return std::exp(activated * std::log1p(-cue.rho)) * std::pow(none_of_one, patterns - 1);
}

double ReadModel::bit_error_rate_given(const Cue& cue, double activated, double patterns,
                                       Storage storage) const {
  const double others = patterns - 1;
  if (others == 0) { // without noise, a sum is either 0 or correct
    return 0.5 * std::pow(1 - cue.rho, activated);
  }
  // Second and fourth moment of the contribution of one other pattern, from the number of locations it shares
  // with the cue.
  const double pairs = activated * (activated - 1), triples = pairs * (activated - 2);
  const double square = activated * p_ + pairs * rho_squared_;
  const double fourth = activated * p_ + 7 * pairs * rho_squared_ + 6 * triples * rho_cubed_ +
                        triples * (activated - 3) * rho_fourth_;
  const double fourth_cumulant = others * (fourth - 3 * square * square);
  const double signal = activated * cue.rho;
  const double noise = signal * (1 - cue.rho) + others * square;
  // Where no pattern is stored in the activated locations, all sums are 0 and half of the bits are wrong. The
  // moments of the other sums follow from those of all of them.
  const double empty = empty_probability(cue, activated, patterns);
  const auto wrong = [&](double mean, double variance) {
    if (!(empty < 1)) {
      return 0.5;
    }
    const double mean_stored = mean / (1 - empty);
    const double variance_stored =
        std::max((variance + mean * mean) / (1 - empty) - mean_stored * mean_stored, 0.0);
    const double fourth_stored =
        (fourth_cumulant + 3 * variance * variance) / (1 - empty) - 3 * variance_stored * variance_stored;
    return empty / 2 + (1 - empty) * wrong_sign(mean_stored, variance_stored, fourth_stored);
  };

  if (storage == Storage::heteroassociative) {
    return wrong(signal, noise);
  }
  // The bits of activated locations are correlated with those of the cue, and therefore so are all patterns
  // stored in them.
  const double correlation = p_ * bit_correlation_, bias_of_one = activated * correlation * bit_correlation_;
  const double bias = others * bias_of_one;
  const double covariance = others * (others - 1) * activated * correlation * correlation *
                            (1 - bit_correlation_ * bit_correlation_);
  const double common = noise - others * bias_of_one * bias_of_one + std::max(covariance, 0.0);
  const double with_signal = 2 * others * signal * correlation;
  const double kept =
      wrong(signal + bias, common + with_signal * (cue.bit_correlation_shared - bit_correlation_));
  const double flipped = wrong(signal - bias, common + with_signal * bit_correlation_);
  return (1 - cue.flipped) * kept + cue.flipped * flipped;
}

template <class ValueOf>
double ReadModel::mean_over_activated(double hard_locations, ValueOf value_of) const {
  const double mean = hard_locations * p_, deviation = std::sqrt(mean * (1 - p_));
  if (!(deviation > 0)) { // all locations are activated, or the expected number underflows to 0
    return value_of(mean > 0 ? mean : 0.0);
  }
  constexpr double kDeviations = 8, kStepsPerDeviation = 4;
  const double min = std::max(0.0, std::floor(mean - kDeviations * deviation - 1));
  const double max = std::min(hard_locations, std::ceil(mean + kDeviations * deviation + 1));
  const double step = std::max(1.0, deviation / kStepsPerDeviation);
  const auto steps = static_cast<int64_t>((max - min) / step);
  double sum = 0, total = 0;
  for (int64_t i = 0; i <= steps; ++i) { // adding up steps below rounding would not advance
    const double activated = min + static_cast<double>(i) * step;
    const double weight = std::exp(log_probability(activated, hard_locations, p_));
    sum += weight * value_of(activated);
    total += weight;
  }
  return sum / total;
}

double ReadModel::bit_error_rate(int64_t distance, double hard_locations, double patterns,
                                 Storage storage) const {
  const Cue cue = cue_at(distance);
  return mean_over_activated(hard_locations, [&](double activated) {
    // A read that activates no location returns the cue.
    return activated == 0 ? cue.flipped : bit_error_rate_given(cue, activated, patterns, storage);
  });
}

double ReadModel::all_right_probability(double hard_locations, double patterns, Storage storage) const {
  const Cue cue = cue_at(0);
  return mean_over_activated(hard_locations, [&](double activated) {
    const double error_rate = activated == 0 ? 1 : bit_error_rate_given(cue, activated, patterns, storage);
    return std::exp(static_cast<double>(bits_) * std::log1p(-error_rate));
  });
}

} // namespace mneme::theory
