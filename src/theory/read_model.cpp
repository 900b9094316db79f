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

constexpr double kSureToBeReached = 1e6; // From so many on, a normal distribution serves for how many.

/// log of the binomial probability of `reached` among `locations`, up to a constant; `reached` need not be
/// whole.
double log_weight(double reached, double locations, double p) {
  const double mean = locations * p;
  if (mean > kSureToBeReached) {
    return -(reached - mean) * (reached - mean) / (2 * mean * (1 - p));
  }
  using boost::math::lgamma;
  return reached * std::log(p) + (locations - reached) * std::log1p(-p) - lgamma(reached + 1) -
         lgamma(locations - reached + 1) + lgamma(locations + 1);
}

/// Probability that a sum falls below 0, half of that of 0 itself: a normal distribution with a correction
/// for its fourth cumulant (Edgeworth).
double wrong_sign(double mean, double variance, double fourth_cumulant) {
  if (!(variance > 0)) {
    return mean > 0 ? 0 : 0.5;
  }
  const double z = mean / std::sqrt(variance);
  const double density = std::exp(-z * z / 2) / std::sqrt(2 * std::numbers::pi);
  const double excess = fourth_cumulant / (variance * variance);
  return std::clamp(normal_cdf(-z) + density * excess / 24 * (z * z * z - 3 * z), 0.0, 1.0);
}

} // namespace

ReadModel::ReadModel(int64_t bits, int64_t hamming_radius)
    : bits_(bits), p_(space_fraction(bits, hamming_radius)),
      log_shared_(log_circle_intersections(bits, hamming_radius)) {
  Scaled binomial(1, -bits), square, cube, fourth; // over the distances of random addresses
  for (int64_t v = 0; v <= bits; ++v) {
    const long double rho =
        std::exp(static_cast<long double>(log_shared_[static_cast<size_t>(v)]) - log_shared_[0]);
    Scaled term = binomial;
    square += (term *= rho * rho);
    cube += (term *= rho);
    fourth += (term *= rho);
    binomial *= static_cast<long double>(bits - v) / static_cast<long double>(v + 1);
  }
  rho_squared_ = static_cast<double>(square.times_power_of_two(0));
  rho_cubed_ = static_cast<double>(cube.times_power_of_two(0));
  rho_fourth_ = static_cast<double>(fourth.times_power_of_two(0));

  // Fix one bit: the addresses that agree with the centre in it fill a circle of n - 1 bits of the same
  // radius, those that do not one of a radius less by 1.
  lean_ = std::exp(static_cast<double>(scaled_binomial(bits - 1, hamming_radius).log()) - log_shared_[0]);
  if (bits > 1) {
    log_shared_agreeing_ = log_circle_intersections(bits - 1, std::min(hamming_radius, bits - 1));
    if (hamming_radius > 0) {
      log_shared_differing_ = log_circle_intersections(bits - 1, hamming_radius - 1);
    }
  }
}

ReadModel::Cue ReadModel::cue_at(int64_t distance) const {
  const auto at = static_cast<size_t>(distance);
  const auto share_of = [&](const std::vector<double>& logs) {
    return at < logs.size() ? std::exp(logs[at] - log_shared_[at]) : 0;
  };
  const double rho = std::exp(log_shared_[at] - log_shared_[0]);
  return {.flipped = static_cast<double>(distance) / static_cast<double>(bits_),
          .rho = rho,
          .lean_shared = rho > 0 ? share_of(log_shared_agreeing_) - share_of(log_shared_differing_) : 0};
}

double ReadModel::wrong_share_reaching(const Cue& cue, double reached, double patterns,
                                       Storage storage) const {
  const double others = patterns - 1;
  if (others == 0) { // Without noise a sum is 0 or right.
    return 0.5 * std::pow(1 - cue.rho, reached);
  }
  // Of one other pattern, by the number of locations it shares with the cue: mean square, fourth moment.
  const double pairs = reached * (reached - 1), triples = pairs * (reached - 2);
  const double square = reached * p_ + pairs * rho_squared_;
  const double fourth = reached * p_ + 7 * pairs * rho_squared_ + 6 * triples * rho_cubed_ +
                        triples * (reached - 3) * rho_fourth_;
  const double fourth_cumulant = others * (fourth - 3 * square * square);
  const double signal = reached * cue.rho;
  const double noise = signal * (1 - cue.rho) + others * square;

  if (storage == Storage::heteroassociative) {
    return wrong_sign(signal, noise, fourth_cumulant);
  }
  // Locations reached lean towards the cue's bits, and with them all patterns that they hold at once.
  const double lean = p_ * lean_, bias_of_one = reached * lean * lean_;
  const double bias = others * bias_of_one;
  const double together = others * (others - 1) * reached * lean * lean * (1 - lean_ * lean_);
  const double common = noise - others * bias_of_one * bias_of_one + std::max(together, 0.0);
  const double with_signal = 2 * others * signal * lean;
  const double kept =
      wrong_sign(signal + bias, common + with_signal * (cue.lean_shared - lean_), fourth_cumulant);
  const double flipped = wrong_sign(signal - bias, common + with_signal * lean_, fourth_cumulant);
  return (1 - cue.flipped) * kept + cue.flipped * flipped;
}

double ReadModel::wrong_share(int64_t distance, double hard_locations, double patterns,
                              Storage storage) const {
  const Cue cue = cue_at(distance);
  const double mean = hard_locations * p_, deviation = std::sqrt(mean * (1 - p_));
  if (!(deviation > 0)) { // every location is reached, or none that could be told from 0
    return mean > 0 ? wrong_share_reaching(cue, mean, patterns, storage) : cue.flipped;
  }
  constexpr double kDeviations = 8, kStepsPerDeviation = 4;
  const double least = std::max(0.0, std::floor(mean - kDeviations * deviation - 1));
  const double most = std::min(hard_locations, std::ceil(mean + kDeviations * deviation + 1));
  const double step = std::max(1.0, deviation / kStepsPerDeviation);
  double sum = 0, total = 0;
  for (double reached = least; reached <= most; reached += step) {
    const double weight = std::exp(log_weight(reached, hard_locations, p_));
    // A read that reaches nothing keeps the cue.
    sum += weight * (reached == 0 ? cue.flipped : wrong_share_reaching(cue, reached, patterns, storage));
    total += weight;
  }
  return sum / total;
}

} // namespace mneme::theory
