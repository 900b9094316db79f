// SPDX-License-Identifier: MIT

#include "mneme/theory/cap_intersection.h"

#include <cmath>
#include <limits>
#include <numbers>

#include <boost/math/quadrature/gauss_kronrod.hpp>
#include <boost/math/quadrature/tanh_sinh.hpp>
#include <boost/math/special_functions/beta.hpp>
#include <gtest/gtest.h>

#include "mneme/core/error.h"
#include "theory/usage_error.h"

namespace mneme::theory {
namespace {

constexpr double kMinusInfinity = -std::numeric_limits<double>::infinity();
constexpr double kPi = std::numbers::pi;

/// Reference for narrow caps, the published quadrature: slices of one cap, each intersected with the other
/// cap by an incomplete beta function.
double fraction_by_slices(int64_t bits, int64_t radius, double cosine) {
  const auto n = static_cast<double>(bits);
  const double t = std::acos(1 - 2 * static_cast<double>(radius) / n), t_min = std::acos(cosine) / 2;
  boost::math::quadrature::tanh_sinh<double> integrator;
  const double integral = integrator.integrate(
      [&](double phi) {
        const double ratio = std::tan(t_min) / std::tan(phi);
        const double x = std::min(1.0, std::max(0.0, 1 - ratio * ratio));
        return std::pow(std::sin(phi), n - 2) * boost::math::ibeta((n - 2) / 2, 0.5, x);
      },
      t_min, t);
  return std::exp(std::lgamma(n / 2) - std::lgamma((n - 1) / 2)) / std::sqrt(kPi) * integral;
}

/// Reference: the formula of the header, integrated by an adaptive rule in long double.
double log_by_formula(int64_t bits, int64_t radius, double cosine) {
  const auto n = static_cast<long double>(bits);
  const long double cos_t = 1 - 2 * static_cast<long double>(radius) / n, sin_squared = 1 - cos_t * cos_t;
  const long double v = std::acos(static_cast<long double>(cosine)), end = 2 * std::acos(cos_t);
  const auto q = [&](long double u) { return sin_squared - std::pow(cos_t * std::tan(u / 2), 2.0L); };
  const long double integral = boost::math::quadrature::gauss_kronrod<long double, 61>::integrate(
      [&](long double u) { return std::pow(std::max(0.0L, q(u) / q(v)), (n - 2) / 2); }, v, end, 20, 1e-15L);
  return static_cast<double>((n - 2) / 2 * std::log(q(v)) +
                             std::log(integral / (2 * std::numbers::pi_v<long double>)));
}

TEST(CapIntersection, EqualsThePublishedQuadrature) {
  for (const auto& [bits, radius] : {std::pair{4, 1}, {16, 3}, {16, 7}, {64, 11}, {64, 27}, {100, 44}}) {
    for (const double cosine : {0.99, 0.9, 0.6, 0.25}) {
      const double slices = fraction_by_slices(bits, radius, cosine);
      if (log_cap_intersection(bits, radius, cosine) > kMinusInfinity) {
        EXPECT_NEAR(log_cap_intersection(bits, radius, cosine), std::log(slices), 1e-9)
            << bits << " bits, radius " << radius << ", cosine " << cosine;
      }
    }
  }
}

TEST(CapIntersection, EqualsTheFormulaByAdaptiveQuadrature) {
  for (const auto& [bits, radius] :
       {std::pair{3, 1}, {16, 3}, {64, 5}, {64, 31}, {784, 290}, {1000, 499}, {10000, 4500}}) {
    for (const double cosine : {1 - 1e-12, 0.999, 0.95, 0.7, 0.3, 0.0, -0.4, -0.9}) {
      const double log = log_cap_intersection(bits, radius, cosine);
      if (log > kMinusInfinity) {
        EXPECT_NEAR(log, log_by_formula(bits, radius, cosine), 1e-11 * (1 + std::abs(log)))
            << bits << " bits, radius " << radius << ", cosine " << cosine;
      }
    }
  }
}

TEST(CapIntersection, OfACapWithItselfEqualsTheClosedForm) {
  for (const auto& [bits, radius] :
       {std::pair{2, 1}, {3, 1}, {16, 3}, {64, 11}, {64, 32}, {784, 345}, {1000, 451}}) {
    const double cosine = 1 - 2.0 * radius / bits;
    const double closed =
        std::log(0.5 * boost::math::ibeta((static_cast<double>(bits) - 1) / 2, 0.5, 1 - cosine * cosine));
    EXPECT_NEAR(log_cap_fraction(bits, radius), closed, 1e-12 * (1 + std::abs(closed))) << bits;
    const double wide = std::log1p(-std::exp(closed));
    EXPECT_NEAR(log_cap_fraction(bits, bits - radius), wide, 1e-12) << "the complement of the cap, " << bits;
  }
}

TEST(CapIntersection, OnTheCircleIsAnArc) {
  // On S^1 with t = pi / 2, two half circles with the angle v between their centres share an arc of pi - v.
  for (const double v : {0.0, 0.5, 1.5, 3.0}) {
    EXPECT_NEAR(log_cap_intersection(2, 1, std::cos(v)), std::log((kPi - v) / (2 * kPi)), 1e-14);
  }
}

TEST(CapIntersection, OfHemispheresIsALuneInAnyDimension) {
  for (const int64_t bits : {2, 16, 1000, 10000}) {
    EXPECT_NEAR(log_cap_intersection(bits, bits / 2, 0), std::log(0.25), 1e-14);
    EXPECT_EQ(log_cap_intersection(bits, bits / 2, -1), kMinusInfinity);
  }
}

TEST(CapIntersection, OfWideCapsEqualsTheFormulaByComplements) {
  for (const auto& [bits, radius] : {std::pair{16, 9}, {16, 13}, {64, 33}, {1000, 510}}) {
    const double one = std::exp(log_cap_fraction(bits, radius));
    for (const double cosine : {1.0, 0.5, -0.3, -1.0}) {
      const double complements = std::exp(log_cap_intersection(bits, bits - radius, cosine));
      EXPECT_NEAR(std::exp(log_cap_intersection(bits, radius, cosine)), 2 * one - 1 + complements, 1e-13);
    }
  }
  EXPECT_EQ(log_cap_intersection(16, 16, -1), 0) << "the entire sphere";
}

TEST(CapIntersection, IsEmptyExactlyBeyondTwiceTheAngle) {
  EXPECT_EQ(log_cap_intersection(64, 0, 1), kMinusInfinity);
  EXPECT_EQ(log_cap_intersection(64, 16, -0.5), kMinusInfinity) << "t = pi/3: the caps touch at v = 2 pi/3";
  EXPECT_GT(log_cap_intersection(64, 16, -0.4999), kMinusInfinity);
  EXPECT_EQ(log_cap_intersection(64, 16, -0.5001), kMinusInfinity);
}

TEST(CapIntersection, LogarithmIsFiniteWhereTheFractionUnderflows) {
  const double log = log_cap_intersection(10000, 100, 0.99);
  EXPECT_LT(log, -5000);
  EXPECT_TRUE(std::isfinite(log));
  EXPECT_NEAR(log, log_by_formula(10000, 100, 0.99), 1e-11 * std::abs(log));
}

TEST(CapIntersection, ToleratesOnlyRoundingErrorsOfTheCosine) {
  EXPECT_EQ(log_cap_intersection(64, 11, 1 + 1e-9), log_cap_intersection(64, 11, 1));
  EXPECT_EQ(CapIntersectionTable(64, 40).log_fraction(-1 - 1e-9),
            CapIntersectionTable(64, 40).log_fraction(-1));
  EXPECT_TRUE(contains_all(usage_error_of([] { log_cap_intersection(64, 11, 1.5); }), {"1.5"}));
  EXPECT_TRUE(contains_all(usage_error_of([] { log_cap_intersection(64, 11, std::nan("")); }), {"nan"}));
  EXPECT_TRUE(
      contains_all(usage_error_of([] { CapIntersectionTable(64, 11).log_fraction(-1.5); }), {"-1.5"}));
  EXPECT_TRUE(
      contains_all(usage_error_of([] { CapIntersectionTable(64, 11).log_fraction(std::nan("")); }), {"nan"}));
  EXPECT_TRUE(contains_all(usage_error_of([] { CapIntersectionTable(64, 65); }), {"65"}));
  EXPECT_TRUE(contains_all(usage_error_of([] { log_cap_fraction(1, 0); }), {"bits is 1"}));
}

TEST(CapIntersectionTable, EqualsTheIntegral) {
  for (const auto& [bits, radius] : {std::pair{2, 1},
                                     {3, 1},
                                     {16, 0},
                                     {16, 3},
                                     {16, 7},
                                     {16, 8},
                                     {16, 9},
                                     {64, 5},
                                     {64, 31},
                                     {64, 60},
                                     {784, 290},
                                     {1000, 5},
                                     {1000, 384},
                                     {1000, 499},
                                     {1000, 501}}) {
    const CapIntersectionTable table(bits, radius);
    for (int i = 0; i <= 2000; ++i) {
      const double cosine = i == 2000 ? 1 : std::cos(kPi * (1 - i / 2000.0 * 0.99999));
      const double direct = log_cap_intersection(bits, radius, cosine);
      if (direct == kMinusInfinity) {
        ASSERT_EQ(table.log_fraction(cosine), kMinusInfinity);
      } else {
        ASSERT_NEAR(table.log_fraction(cosine), direct, 1e-10)
            << bits << " bits, radius " << radius << ", cosine " << cosine;
      }
    }
  }
}

TEST(CapIntersectionTable, EqualsTheIntegralAt10000Bits) {
  for (const int64_t radius : {10, 4500, 4999}) {
    const CapIntersectionTable table(10000, radius);
    for (const double cosine : {1.0, 0.9999, 0.999, 0.9, 0.3, -0.9}) {
      const double direct = log_cap_intersection(10000, radius, cosine);
      if (direct > kMinusInfinity) {
        EXPECT_NEAR(table.log_fraction(cosine), direct, 1e-8);
      }
    }
  }
}

TEST(CapIntersectionTable, IsNonDecreasingInTheCosine) {
  for (const auto& [bits, radius] : {std::pair{16, 3}, {64, 31}, {1000, 451}, {1000, 501}}) {
    const CapIntersectionTable table(bits, radius);
    double before = kMinusInfinity;
    for (int i = 0; i <= 200'000; ++i) {
      const double log = table.log_fraction(i * 1e-5 - 1);
      ASSERT_GE(log, before) << bits << " bits, radius " << radius << ", step " << i;
      before = log;
    }
  }
}

} // namespace
} // namespace mneme::theory
