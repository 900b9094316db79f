// SPDX-License-Identifier: MIT

#include "mneme/theory/exponential_bounds.h"

#include <cmath>
#include <limits>
#include <numbers>

#include <gtest/gtest.h>

#include "mneme/theory/circle_intersection.h"
#include "theory/usage_error.h"

namespace mneme::theory {
namespace {

/// Number of pairs (a, c) in the interpretable sum whose term is not 0.
int64_t terms_by_enumeration(int64_t bits, int64_t radius, int64_t distance) {
  int64_t terms = 0;
  for (int64_t a = 0; a <= bits - distance; ++a) {
    for (int64_t c = 0; c <= distance; ++c) {
      terms += bits - a - c <= radius && bits - a - (distance - c) <= radius;
    }
  }
  return terms;
}

TEST(IntersectionBounds, CountTheExactNumberOfTerms) {
  for (const int64_t bits : {1, 2, 9, 16}) {
    for (int64_t radius = 0; radius <= bits; ++radius) {
      for (int64_t distance = 0; distance <= bits; ++distance) {
        EXPECT_EQ(intersection_bounds(bits, radius, distance).terms,
                  terms_by_enumeration(bits, radius, distance))
            << bits << " " << radius << " " << distance;
      }
    }
  }
}

TEST(IntersectionBounds, EqualTheIntersectionIfThereIsOneTerm) {
  const IntersectionBounds bounds = intersection_bounds(64, 5, 10);
  EXPECT_EQ(bounds.terms, 1);
  EXPECT_EQ(bounds.log_max_term, bounds.log_max_term_times_count);
  EXPECT_NEAR(bounds.log_max_term, log_circle_intersection(64, 5, 10) - 64 * std::numbers::ln2, 1e-13);
}

TEST(IntersectionBounds, AreZeroWhereTheIntersectionIs) {
  const IntersectionBounds bounds = intersection_bounds(64, 5, 11);
  constexpr double kMinusInfinity = -std::numeric_limits<double>::infinity();
  EXPECT_EQ(bounds.terms, 0);
  EXPECT_EQ(bounds.log_max_term, kMinusInfinity);
  EXPECT_EQ(bounds.log_max_term_times_count, kMinusInfinity);
  EXPECT_EQ(bounds.log_exponential, kMinusInfinity);
}

TEST(PublishedExponentials, CountOneTermTooFewInEveryInnerSum) {
  const int64_t published[] = {15, 14, 13, 11, 9, 6, 4, 2, 1, 0};
  for (int64_t distance = 1; distance <= 10; ++distance) {
    const PublishedExponentials forms = published_exponentials(64, 5, distance, TermCount::published);
    EXPECT_EQ(forms.terms, published[distance - 1]) << distance;
    EXPECT_EQ(published_exponentials(64, 5, distance).terms, terms_by_enumeration(64, 5, distance));
    EXPECT_EQ(std::isinf(forms.log_upper), forms.terms == 0); // the "upper bound" is 0 then
  }
}

TEST(PublishedExponentials, AreNotBoundsOfTheIntersection) {
  const double log = log_circle_intersection(64, 5, 5) - 64 * std::numbers::ln2;
  EXPECT_GT(published_exponentials(64, 5, 5).log_lower, log);
  EXPECT_GT(published_exponentials(64, 5, 5).log_taylor_lower, log);
}

TEST(PublishedExponentials, ApproximateTheFirstTermForLargeRadii) {
  for (const int64_t distance : {10, 50, 100}) {
    const PublishedExponentials forms = published_exponentials(1000, 451, distance);
    EXPECT_NEAR(forms.log_first_term, forms.log_lower, 0.05) << distance;
    EXPECT_NEAR(forms.log_normal, forms.log_lower, 1e-12) << "even distances: the same formula";
    EXPECT_NEAR(forms.log_first_term_half, forms.log_first_term, 1e-10);
    EXPECT_NEAR(forms.log_taylor_lower, forms.log_lower, 0.06);
  }
}

TEST(PublishedExponentials, ConstantFormsBoundTheTaylorForm) {
  for (int64_t distance = 1; distance < 1000; ++distance) {
    const PublishedExponentials forms = published_exponentials(1000, 451, distance);
    EXPECT_LE(forms.log_taylor_constant_lower, forms.log_taylor_lower + 1e-12);
    EXPECT_GE(forms.log_taylor_constant_upper, forms.log_taylor_lower - 1e-12);
  }
}

TEST(ImpliedBeta, IsTheSlopeOfTheTaylorFormOverTheCosine) {
  const double rise = published_exponentials(64, 11, 9).log_taylor_constant_lower -
                      published_exponentials(64, 11, 10).log_taylor_constant_lower;
  EXPECT_NEAR(rise / (2.0 / 64), implied_beta(64, 11), 1e-9);
  EXPECT_NEAR(implied_beta(64, 11), 6.890625, 1e-15);
}

TEST(ExponentialBounds, ReportInvalidArguments) {
  EXPECT_TRUE(contains_all(usage_error_of([] { intersection_bounds(64, 65, 0); }), {"65", "64"}));
  EXPECT_TRUE(
      contains_all(usage_error_of([] { published_exponentials(64, 5, 0); }), {"distance is 0", "63"}));
  EXPECT_TRUE(
      contains_all(usage_error_of([] { published_exponentials(64, 5, 64); }), {"distance is 64", "63"}));
  EXPECT_TRUE(contains_all(usage_error_of([] { implied_beta(64, -1); }), {"-1", "64"}));
}

} // namespace
} // namespace mneme::theory
