// SPDX-License-Identifier: MIT

#include "mneme/theory/hopfield_bounds.h"

#include <cmath>
#include <limits>
#include <numbers>

#include <fmt/format.h>

#include "mneme/core/error.h"

namespace mneme::theory {
namespace {

void check_number(const char* where, const char* name, double number, double min, bool min_included) {
  if (!(min_included ? number >= min : number > min) || !std::isfinite(number)) {
    throw UsageError(fmt::format("{}: {} is {}, but it must be a finite number {} {}.", where, name, number,
                                 min_included ? "of at least" : "above", min));
  }
}

void check(const char* where, const HopfieldNetwork& network) {
  check_number(where, "beta", network.beta, 0, false);
  check_number(where, "num_stored", network.num_stored, 1, true);
  check_number(where, "max_norm", network.max_norm, 0, false);
}

/// exp(-beta (Delta - 2 r M)): upper bound of the weight of any other pattern relative to that of the
/// pattern.
double max_relative_weight(const char* where, const HopfieldNetwork& network, double gap, double distance) {
  check(where, network);
  check_number(where, "distance", distance, 0, true);
  if (std::isnan(gap)) {
    throw UsageError(fmt::format("{}: gap is {}, but it must be a number.", where, gap));
  }
  return std::exp(-network.beta * (gap - 2 * distance * network.max_norm));
}

/// Lambert's W(exp(x)), the solution w of w + ln w = x, without computing exp(x), which may overflow. In u =
/// ln w the equation e^u + u = x is convex and increasing, so Newton's method converges from above after the
/// first step.
double lambert_of_exp(double x) {
  double u = x < 1 ? x : std::log(x);
  constexpr int kStepsMax = 100; // a few steps are sufficient
  for (int i = 0; i < kStepsMax; ++i) {
    const double power = std::exp(u), step = (power + u - x) / (power + 1);
    u -= step;
    if (std::abs(step) <= 1e-16 * std::abs(u)) {
      break;
    }
  }
  return std::exp(u);
}

} // namespace

double hopfield_energy_max(const HopfieldNetwork& network) {
  check("mneme::theory::hopfield_energy_max", network);
  return 2 * network.max_norm * network.max_norm;
}

double hopfield_min_gap(const HopfieldNetwork& network) {
  check("mneme::theory::hopfield_min_gap", network);
  const auto [beta, count, norm] = network;
  return 2 / (beta * count) +
         (std::log(2 * beta * (count - 1)) + std::log(count) + 2 * std::log(norm)) / beta;
}

double hopfield_fixed_point_radius(const HopfieldNetwork& network) {
  check("mneme::theory::hopfield_fixed_point_radius", network);
  return 1 / (network.beta * network.num_stored * network.max_norm);
}

double hopfield_retrieval_error_max(const HopfieldNetwork& network, double gap, double distance) {
  return 2 * (network.num_stored - 1) * network.max_norm *
         max_relative_weight("mneme::theory::hopfield_retrieval_error_max", network, gap, distance);
}

double hopfield_contraction_max(const HopfieldNetwork& network, double gap, double distance) {
  const auto [beta, count, norm] = network;
  return 2 * beta * count * (count - 1) * norm * norm *
         max_relative_weight("mneme::theory::hopfield_contraction_max", network, gap, distance);
}

double hopfield_fixed_point_error_max(const HopfieldNetwork& network, double gap) {
  return 2 * std::numbers::e * (network.num_stored - 1) * network.max_norm *
         max_relative_weight("mneme::theory::hopfield_fixed_point_error_max", network, gap, 0);
}

bool hopfield_has_unique_fixed_point(double beta, double max_distance_from_mean) {
  const char* where = "mneme::theory::hopfield_has_unique_fixed_point";
  check_number(where, "beta", beta, 0, false);
  check_number(where, "max_distance_from_mean", max_distance_from_mean, 0, true);
  return beta * max_distance_from_mean * max_distance_from_mean < 1;
}

double HopfieldCapacity::growth_rate() const {
  return std::log(c) / 4;
}

HopfieldCapacity hopfield_capacity(const HopfieldCapacityParameters& parameters) {
  const char* where = "mneme::theory::hopfield_capacity";
  const double dimension = static_cast<double>(parameters.size - 1); // of the sphere
  check_number(where, "size", static_cast<double>(parameters.size), 2, true);
  check_number(where, "radius_factor", parameters.radius_factor, 0, false);
  check_number(where, "beta", parameters.beta, 0, false);
  if (!(parameters.failure_probability > 0 && parameters.failure_probability < 1)) {
    throw UsageError(fmt::format("{}: failure_probability is {}, but it must be above 0 and below 1.", where,
                                 parameters.failure_probability));
  }
  const double beta = parameters.beta, k = parameters.radius_factor, p = parameters.failure_probability;
  HopfieldCapacity capacity;
  capacity.a = 2 / dimension * (1 + std::log(2 * beta * k * k * p * dimension));
  capacity.b = 2 * k * k * beta / 5;
  capacity.c = capacity.b / lambert_of_exp(capacity.a + std::log(capacity.b));
  capacity.c_min = std::pow(2 / std::sqrt(p), 4 / dimension);
  capacity.log_num_stored = 0.5 * std::log(p) + dimension / 4 * std::log(capacity.c);
  return capacity;
}

double hopfield_capacity_growth(double beta, double radius_factor) {
  const char* where = "mneme::theory::hopfield_capacity_growth";
  check_number(where, "beta", beta, 0, false);
  check_number(where, "radius_factor", radius_factor, 0, false);
  const double lambda = beta * radius_factor * radius_factor;
  check_number(where, "2 beta radius_factor^2", 2 * lambda, 0, true);
  // t = (sqrt(1 + x^2) - 1) / x with x = 2 lambda, and 1 - t, in forms without cancellation.
  const double x = 2 * lambda, root = std::hypot(1, x), t = x / (root + 1),
               rest = (1 + 1 / (root + x)) / (root + 1);
  return lambda * rest - (t < 0.5 ? std::log1p(-t * t) : std::log(rest) + std::log1p(t)) / 2;
}

} // namespace mneme::theory
