// SPDX-License-Identifier: MIT

#include "mneme/theory/hopfield_bounds.h"

#include <cmath>
#include <limits>
#include <numbers>

#include <fmt/format.h>

#include "mneme/core/error.h"

namespace mneme::theory {
namespace {

void check_number(const char* where, const char* name, double number, double least, bool least_included) {
  if (!(least_included ? number >= least : number > least) || !std::isfinite(number)) {
    throw UsageError(fmt::format("{}: {} is {}, but must be a finite number {} {}.\n  Correct it.", where,
                                 name, number, least_included ? "of at least" : "above", least));
  }
}

void check(const char* where, const HopfieldNetwork& network) {
  check_number(where, "beta", network.beta, 0, false);
  check_number(where, "num_stored", network.num_stored, 1, true);
  check_number(where, "largest_norm", network.largest_norm, 0, false);
}

/// exp(-beta (Delta - 2 r M)): what the largest of the other weights comes to, in proportion.
double intrusion(const char* where, const HopfieldNetwork& network, double gap, double distance) {
  check(where, network);
  check_number(where, "distance", distance, 0, true);
  if (std::isnan(gap)) {
    throw UsageError(fmt::format("{}: gap is {}, but must be a number.\n  Correct it.", where, gap));
  }
  return std::exp(-network.beta * (gap - 2 * distance * network.largest_norm));
}

/// W(exp(x)): the w with w + ln w = x. In u = ln w the equation e^u + u = x is convex and rising, so Newton's steps
/// come from above after the first; exp(x) itself may overflow.
double lambert_of_exp(double x) {
  double u = x < 1 ? x : std::log(x);
  constexpr int kStepsMax = 100; // a handful is enough
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
  return 2 * network.largest_norm * network.largest_norm;
}

double hopfield_gap_needed(const HopfieldNetwork& network) {
  check("mneme::theory::hopfield_gap_needed", network);
  const auto [beta, count, norm] = network;
  return 2 / (beta * count) +
         (std::log(2 * beta * (count - 1)) + std::log(count) + 2 * std::log(norm)) / beta;
}

double hopfield_fixed_point_radius(const HopfieldNetwork& network) {
  check("mneme::theory::hopfield_fixed_point_radius", network);
  return 1 / (network.beta * network.num_stored * network.largest_norm);
}

double hopfield_retrieval_error_max(const HopfieldNetwork& network, double gap, double distance) {
  return 2 * (network.num_stored - 1) * network.largest_norm *
         intrusion("mneme::theory::hopfield_retrieval_error_max", network, gap, distance);
}

double hopfield_contraction_max(const HopfieldNetwork& network, double gap, double distance) {
  const auto [beta, count, norm] = network;
  return 2 * beta * count * (count - 1) * norm * norm *
         intrusion("mneme::theory::hopfield_contraction_max", network, gap, distance);
}

double hopfield_fixed_point_error_max(const HopfieldNetwork& network, double gap) {
  return 2 * std::numbers::e * (network.num_stored - 1) * network.largest_norm *
         intrusion("mneme::theory::hopfield_fixed_point_error_max", network, gap, 0);
}

bool hopfield_has_one_fixed_point(double beta, double largest_distance_from_mean) {
  const char* where = "mneme::theory::hopfield_has_one_fixed_point";
  check_number(where, "beta", beta, 0, false);
  check_number(where, "largest_distance_from_mean", largest_distance_from_mean, 0, true);
  return beta * largest_distance_from_mean * largest_distance_from_mean < 1;
}

double HopfieldCapacity::slope() const {
  return std::log(c) / 4;
}

HopfieldCapacity hopfield_capacity(const HopfieldCapacityQuestion& question) {
  const char* where = "mneme::theory::hopfield_capacity";
  const double free = static_cast<double>(question.size - 1);
  check_number(where, "size", static_cast<double>(question.size), 2, true);
  check_number(where, "radius_factor", question.radius_factor, 0, false);
  check_number(where, "beta", question.beta, 0, false);
  if (!(question.failure > 0 && question.failure < 1)) {
    throw UsageError(fmt::format("{}: failure is {}, but must lie between 0 and 1, ends excluded.\n  It is a "
                                 "probability.",
                                 where, question.failure));
  }
  const double k = question.radius_factor, p = question.failure;
  HopfieldCapacity capacity;
  capacity.a = 2 / free * (1 + std::log(2 * question.beta * k * k * p * free));
  capacity.b = 2 * k * k * question.beta / 5;
  capacity.c = capacity.b / lambert_of_exp(capacity.a + std::log(capacity.b));
  capacity.c_needed = std::pow(2 / std::sqrt(p), 4 / free);
  capacity.log_num_stored = 0.5 * std::log(p) + free / 4 * std::log(capacity.c);
  return capacity;
}

double hopfield_capacity_growth(double beta, double radius_factor) {
  const char* where = "mneme::theory::hopfield_capacity_growth";
  check_number(where, "beta", beta, 0, false);
  check_number(where, "radius_factor", radius_factor, 0, false);
  const double lambda = beta * radius_factor * radius_factor;
  // (sqrt(1 + x^2) - 1) / x with x = 2 lambda, written so that a small x loses no digits.
  const double x = 2 * lambda, t = x / (std::sqrt(1 + x * x) + 1);
  return lambda * (1 - t) - std::log1p(-t * t) / 2;
}

} // namespace mneme::theory
