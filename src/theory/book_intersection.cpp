// SPDX-License-Identifier: MIT

#include "mneme/theory/book_intersection.h"

#include <cmath>
#include <limits>
#include <numbers>

#include <boost/math/quadrature/gauss_kronrod.hpp>
#include <fmt/format.h>

#include "mneme/core/error.h"
#include "theory/arguments.h"

namespace mneme::theory {
namespace {

/// c = (d - n/2) / sqrt(n/4): the standardised radius, for the distance of random addresses.
double standard_radius(int64_t bits, int64_t hamming_radius) {
  return static_cast<double>(2 * hamming_radius - bits) / std::sqrt(static_cast<double>(bits));
}

void check(const char* where, int64_t bits, int64_t hamming_radius) {
  check_bits(where, bits, 1, kBitsMax);
  check_radius(where, bits, hamming_radius);
}

/// log of the integral of f(x) over [v/n, 1]; `from` is v/n, `to_one` is 1 - v/n. With x = sin^2 t the
/// integrand is exp(-c^2 / (2 cos^2 t)) / pi.
double log_integral(double c, double from, double to_one) {
  if (to_one <= 0) {
    return -std::numeric_limits<double>::infinity();
  }
  constexpr double kNegligible = 40; // the integrand is cut off below exp(-40) = 4e-18 of its maximum
  const double half_square = c * c / 2;
  const double tangent = std::sqrt(from / to_one), first = std::atan(tangent);
  const double last = half_square > 0 ? std::atan(std::sqrt(from / to_one + kNegligible / half_square))
                                      : std::numbers::pi / 2;
  const auto integrand = [&](double t) {
    const double rise = std::tan(t) - tangent;
    return std::exp(-half_square * rise * (rise + 2 * tangent)); // 1 / cos^2 = 1 + tan^2
  };
  constexpr unsigned kDepthMax = 12;
  constexpr double kTolerance = 1e-13;
  const double integral = boost::math::quadrature::gauss_kronrod<double, 31>::integrate(
      integrand, first, last, kDepthMax, kTolerance);
  return std::log(integral / std::numbers::pi) - half_square / to_one;
}

} // namespace

double log_book_intersection(int64_t bits, int64_t hamming_radius, int64_t distance) {
  const char* where = "mneme::theory::log_book_intersection";
  check(where, bits, hamming_radius);
  check_distance(where, bits, distance);
  const double c = standard_radius(bits, hamming_radius);
  const auto n = static_cast<double>(bits);
  const double log_integral_of_f =
      log_integral(c, static_cast<double>(distance) / n, static_cast<double>(bits - distance) / n);
  return c <= 0 ? log_integral_of_f
                : std::log(std::exp(log_integral_of_f) + std::erf(c / std::numbers::sqrt2));
}

double book_intersection_density(int64_t bits, int64_t hamming_radius, double x) {
  const char* where = "mneme::theory::book_intersection_density";
  check(where, bits, hamming_radius);
  if (!(x > 0 && x < 1)) {
    throw UsageError(fmt::format("{}: x is {}, but it must be above 0 and below 1.\n"
                                 "  It is a distance as a fraction of the bits.",
                                 where, x));
  }
  const double c = standard_radius(bits, hamming_radius);
  return std::exp(-c * c / (2 * (1 - x))) / (2 * std::numbers::pi * std::sqrt(x * (1 - x)));
}

} // namespace mneme::theory
