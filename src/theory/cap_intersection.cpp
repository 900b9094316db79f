// SPDX-License-Identifier: MIT

#include "mneme/theory/cap_intersection.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

#include <boost/math/quadrature/gauss.hpp>
#include <boost/math/special_functions/beta.hpp>
#include <boost/math/special_functions/gamma.hpp>

#include "theory/arguments.h"

namespace mneme::theory {
namespace {

constexpr double kMinusInfinity = -std::numeric_limits<double>::infinity();
constexpr double kNegligible = 40;    // integrands are cut off below exp(-40) = 4e-18 of their maximum
constexpr int64_t kTableCells = 2048; // error 1e-9 in the logarithm at 1000 bits

/// Constants of two narrow caps, t <= pi/2.
struct NarrowCaps {
  double power;           ///< m = (n - 2) / 2
  double angle;           ///< t
  double complement;      ///< pi/2 - t, without cancellation
  double two_sin_squared; ///< 2 sin^2 t

  NarrowCaps(int64_t bits, int64_t hamming_radius)
      : power(static_cast<double>(bits - 2) / 2),
        angle(2 * std::asin(std::sqrt(static_cast<double>(hamming_radius) / static_cast<double>(bits)))),
        complement(std::asin(static_cast<double>(bits - 2 * hamming_radius) / static_cast<double>(bits))),
        two_sin_squared(8 * (static_cast<double>(hamming_radius) / static_cast<double>(bits)) *
                        (static_cast<double>(bits - hamming_radius) / static_cast<double>(bits))) {}

  /// log q at w = t - v/2, q = sin^2 t - cos^2 t tan^2(v/2) = sin w sin(2t - w) / cos^2(t - w).
  double log_q(double w) const {
    const double cosine = std::sin(w + complement);
    return std::log(std::sin(w) * std::sin(w + 2 * complement) / (cosine * cosine));
  }
  /// d log q / dw
  double log_q_slope(double w) const {
    return 1 / std::tan(w) + 1 / std::tan(w + 2 * complement) - 2 / std::tan(w + complement);
  }
};

/// q computed from the cosine of v alone, without loss of precision; 0 where the caps only touch, up to
/// rounding.
double q_at_cosine(double two_sin_squared, double cosine) {
  const double numerator = two_sin_squared - (1 - cosine);
  const double rounding = 4 * std::numeric_limits<double>::epsilon() * (two_sin_squared + (1 - cosine));
  return numerator <= rounding ? 0 : numerator / (1 + cosine);
}

/// log of the integral of (q(w') / q(w))^m dw' / w over w' in [0, w]: the slowly varying factor of the
/// intersection, besides q^m and w.
///
/// With w' = w exp(-z) the integrand is exp(-z) (q / q(w))^m: exponential where q is a power of w, Gaussian
/// near v = 0, and smooth between them. It is cut off where it is negligible.
double log_shape(const NarrowCaps& caps, double w) {
  const double log_q_top = caps.log_q(w);
  const auto decay = [&](double z) {
    return caps.power * (log_q_top - caps.log_q(w * std::exp(-z))) + z; // increases with z
  };
  double low = 0, high = kNegligible;
  while (high - low > 0.05 * high) {
    const double middle = 0.5 * (low + high);
    (decay(middle) < kNegligible ? low : high) = middle;
  }
  using Rule = boost::math::quadrature::gauss<double, 30>;
  const auto integrand = [&](double z) { return std::exp(-decay(z)); };
  const double third = high / 3;
  return std::log(Rule::integrate(integrand, 0.0, third) + Rule::integrate(integrand, third, high));
}

/// log of the fraction of the sphere in two narrow caps.
double log_narrow_caps(const NarrowCaps& caps, double cosine) {
  if (caps.complement == 0) { // hemispheres: the fraction is (pi - v) / 2 pi
    return std::log(std::acos(-cosine) / (2 * std::numbers::pi));
  }
  const double q = q_at_cosine(caps.two_sin_squared, cosine);
  const double w = caps.angle - 0.5 * std::acos(cosine);
  if (q <= 0 || w <= 0) {
    return kMinusInfinity;
  }
  return caps.power * std::log(q) + std::log(w / std::numbers::pi) + log_shape(caps, w);
}

/// Two wide caps, t > pi/2, computed from their narrow complements: 1 - 2 F + f, where F is the fraction of
/// one complement and f that of the intersection of both.
struct WideCaps {
  double complements; ///< 2 F
  double core;        ///< 1 - 2 F, computed without cancellation

  WideCaps(int64_t bits, const NarrowCaps& narrow) {
    const double half = static_cast<double>(bits - 1) / 2;
    complements = boost::math::ibeta(half, 0.5, narrow.two_sin_squared / 2);
    core = boost::math::ibeta(0.5, half, std::pow(std::sin(narrow.complement), 2));
  }
};

double log_wide(double complements, double core, double log_both) {
  const double both = std::exp(log_both);
  return complements < 0.5 ? std::log1p(both - complements) : std::log(core + both);
}

int64_t narrow_radius(int64_t bits, int64_t hamming_radius) {
  return std::min(hamming_radius, bits - hamming_radius);
}

void check_caps(const char* where, int64_t bits, int64_t hamming_radius) {
  check_bits(where, bits, 2, kBitsMax);
  check_radius(where, bits, hamming_radius);
}

} // namespace

double log_cap_intersection(int64_t bits, int64_t hamming_radius, double cosine) {
  const char* where = "mneme::theory::log_cap_intersection";
  check_caps(where, bits, hamming_radius);
  const NarrowCaps caps(bits, narrow_radius(bits, hamming_radius));
  const double log_both = log_narrow_caps(caps, checked_cosine(where, cosine));
  if (2 * hamming_radius <= bits) {
    return log_both;
  }
  const WideCaps wide(bits, caps);
  return log_wide(wide.complements, wide.core, log_both);
}

double log_cap_fraction(int64_t bits, int64_t hamming_radius) {
  check_caps("mneme::theory::log_cap_fraction", bits, hamming_radius);
  return log_cap_intersection(bits, hamming_radius, 1);
}

double log_sphere_area(int64_t bits) {
  check_bits("mneme::theory::log_sphere_area", bits, 1, kBitsMax);
  const double half = static_cast<double>(bits) / 2;
  return std::numbers::ln2 + half * std::log(std::numbers::pi) - boost::math::lgamma(half);
}

CapIntersectionTable::CapIntersectionTable(int64_t bits, int64_t hamming_radius)
    : bits_(bits), hamming_radius_(hamming_radius) {
  check_caps("mneme::theory::CapIntersectionTable", bits, hamming_radius);
  const NarrowCaps caps(bits, narrow_radius(bits, hamming_radius));
  power_ = caps.power;
  angle_ = caps.angle;
  complement_ = caps.complement;
  two_sin_squared_ = caps.two_sin_squared;
  if (2 * hamming_radius > bits) {
    const WideCaps wide(bits, caps);
    wide_complements_ = wide.complements;
    wide_core_ = wide.core;
  }
  if (angle_ == 0 || complement_ == 0) {
    return;
  }

  // Knots at w = complement sinh(step i): equidistant for narrow caps, increasingly dense towards w = 0 for
  // caps that are almost hemispheres, where the function varies with log w.
  const double range = std::asinh(angle_ / complement_);
  const double step = range / static_cast<double>(kTableCells);
  knots_per_unit_ = 1 / step;
  knots_.reserve(kTableCells + 1);
  // Slope of log q - log w at w = 0.
  const double first_slope = 1 / std::tan(2 * complement_) - 2 / std::tan(complement_);
  knots_.push_back({-std::log(std::numbers::pi * (power_ + 1)),
                    -power_ / (power_ + 2) * first_slope * complement_ * step});
  for (int64_t i = 1; i <= kTableCells; ++i) {
    const double w = std::min(complement_ * std::sinh(step * static_cast<double>(i)), angle_);
    const double shape = log_shape(caps, w);
    const double slope = (std::exp(-shape) - 1) / w - power_ * caps.log_q_slope(w); // d shape / dw
    knots_.push_back({shape - std::log(std::numbers::pi), slope * std::hypot(w, complement_) * step});
  }
}

double CapIntersectionTable::log_narrow(double cosine) const {
  if (complement_ == 0) {
    return std::log(std::acos(-cosine) / (2 * std::numbers::pi));
  }
  const double q = q_at_cosine(two_sin_squared_, cosine);
  const double w = angle_ - 0.5 * std::acos(cosine);
  if (q <= 0 || w <= 0) {
    return kMinusInfinity;
  }
  const double position = std::asinh(w / complement_) * knots_per_unit_;
  const auto cell = std::min(static_cast<size_t>(position), knots_.size() - 2);
  const double x = position - static_cast<double>(cell);
  const Knot& left = knots_[cell];
  const Knot& right = knots_[cell + 1];
  const double rise = right.value - left.value;
  const double shape =
      left.value + x * (left.step_slope + x * (3 * rise - 2 * left.step_slope - right.step_slope +
                                               x * (left.step_slope + right.step_slope - 2 * rise)));
  return power_ * std::log(q) + std::log(w) + shape;
}

double CapIntersectionTable::log_fraction(double cosine) const {
  const double log_both =
      log_narrow(checked_cosine("mneme::theory::CapIntersectionTable::log_fraction", cosine));
  if (2 * hamming_radius_ <= bits_) {
    return log_both;
  }
  return log_wide(wide_complements_, wide_core_, log_both);
}

} // namespace mneme::theory
