// SPDX-License-Identifier: MIT

#include "mneme/theory/softmax_agreement.h"

#include <cmath>
#include <limits>

#include <gtest/gtest.h>

#include "mneme/core/error.h"
#include "mneme/theory/beta_fit.h"
#include "mneme/theory/circle_intersection.h"
#include "mneme/theory/space_fraction.h"

namespace mneme::theory {
namespace {

std::vector<double> cosines(int64_t bits) {
  std::vector<double> all;
  for (int64_t distance = 0; distance <= bits; ++distance) {
    all.push_back(hamming_to_cosine(bits, distance));
  }
  return all;
}

TEST(CompareSoftmax, AgreesWithAnExponentialExactly) {
  const std::vector<double> x = cosines(20);
  std::vector<double> logs;
  for (const double cosine : x) {
    logs.push_back(7 * cosine + 3);
  }
  const SoftmaxAgreement same = compare_softmax(x, logs, 7);
  EXPECT_LT(same.max_difference, 1e-14);
  EXPECT_LT(same.total_variation, 1e-14);
  EXPECT_EQ(same.within_factor_2, 21);
  EXPECT_NEAR(log_linear_r_squared(x, logs), 1, 1e-12);
  EXPECT_GT(compare_softmax(x, logs, 8).max_difference, 0.01);
}

TEST(CompareSoftmax, HasTheLossThatTheFitMinimises) {
  constexpr int64_t kBits = 64, kRadius = 11;
  const std::vector<double> x = cosines(kBits), logs = log_circle_intersections(kBits, kRadius);
  const SoftmaxFit fit = fit_softmax_to_circles(kBits, kRadius);
  const SoftmaxAgreement agreement = compare_softmax(x, logs, fit.beta);
  double loss = 0, sum = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    loss += std::pow(agreement.softmax[i] - agreement.intersection[i], 2) / static_cast<double>(x.size());
    sum += agreement.softmax[i];
  }
  EXPECT_NEAR(loss, fit.loss, 1e-12);
  EXPECT_NEAR(sum, 1, 1e-12);
  EXPECT_GT(agreement.total_variation, agreement.max_difference / 2);
  EXPECT_LT(agreement.within_factor_2, 2 * kRadius + 1); // beyond that, circles do not intersect
}

TEST(LogLinearRSquared, IsThatOfThreePoints) {
  // y = 0, 1, 1 at x = 0, 1, 2: r^2 = 0.75
  EXPECT_NEAR(log_linear_r_squared(std::vector{0.0, 1.0, 2.0}, std::vector{0.0, 1.0, 1.0}), 0.75, 1e-12);
}

TEST(CompareSoftmax, RejectsInvalidPoints) {
  const double infinity = std::numeric_limits<double>::infinity();
  const std::vector<double> x = {0, 1};
  EXPECT_THROW(compare_softmax(x, std::vector{0.0}, 1), UsageError);
  EXPECT_THROW(compare_softmax({}, {}, 1), UsageError);
  EXPECT_THROW(compare_softmax(x, std::vector{0.0, std::nan("")}, 1), UsageError);
  EXPECT_THROW(compare_softmax(x, std::vector{-infinity, -infinity}, 1), UsageError);
  EXPECT_THROW(compare_softmax(x, std::vector{0.0, 1.0}, infinity), UsageError);
  EXPECT_THROW(log_linear_r_squared(x, std::vector{0.0, 1.0}), UsageError);
  EXPECT_THROW(log_linear_r_squared(std::vector{0.0, 1.0, 2.0}, std::vector{0.0, 1.0, -infinity}),
               UsageError);
}

} // namespace
} // namespace mneme::theory
