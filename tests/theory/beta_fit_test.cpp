// SPDX-License-Identifier: MIT

#include "mneme/theory/beta_fit.h"

#include <cmath>
#include <limits>
#include <numbers>
#include <vector>

#include <gtest/gtest.h>

#include "mneme/core/error.h"
#include "theory/usage_error.h"

namespace mneme::theory {
namespace {

constexpr double kLogAllAddresses = 64 * std::numbers::ln2;

TEST(BetaFit, MatchesThePublishedBetas) {
  EXPECT_NEAR(fit_beta(64, 5, kLogAllAddresses).beta, 35.48476174346817, 1e-12);
  EXPECT_NEAR(fit_beta(64, 5, kLogAllAddresses).least_squares_slope, 28.387809394774536, 1e-12);
  EXPECT_NEAR(fit_beta(64, 11, kLogAllAddresses).beta, 15.852765236405924, 1e-12);
  EXPECT_NEAR(fit_beta(64, 15, kLogAllAddresses).beta, 10.110419065799585, 1e-12);
  EXPECT_NEAR(fit_beta(1000, 447, kLogAllAddresses).beta, 6.711939, 1e-6);
  EXPECT_NEAR(fit_beta(64, 7, kLogAllAddresses, 1).beta, 25.903236, 1e-6);
  EXPECT_NEAR(fit_beta_to_caps(64, 5, kLogAllAddresses).beta, 71.7092092212466, 1e-6);
  EXPECT_NEAR(fit_beta_to_caps(1000, 480, kLogAllAddresses).beta, 2.011641, 1e-3);
}

TEST(BetaFit, HardLocationsChangeOnlyTheBias) {
  const BetaFit few = fit_beta(64, 9, 0), many = fit_beta(64, 9, kLogAllAddresses);
  EXPECT_NEAR(few.beta, many.beta, 1e-12);
  EXPECT_NEAR(many.bias - few.bias, kLogAllAddresses, 1e-12);
  EXPECT_EQ(few.points, 9);
}

TEST(BetaFit, RecoversAKnownLine) {
  const std::vector<double> cosines = {0.9, 0.5, 0.1, -0.2};
  std::vector<double> expected;
  for (const double cosine : cosines) {
    expected.push_back(std::exp(3 * cosine - 2));
  }
  const BetaFit fit = fit_beta_regression(cosines, expected);
  EXPECT_NEAR(fit.least_squares_slope, 3, 1e-14);
  EXPECT_NEAR(fit.beta, 4, 1e-14) << "published: 4 points, so 4/3 of the slope";
  EXPECT_NEAR(fit.bias, -2 + 0.325 * (3 - 4), 1e-14);
}

TEST(BetaFit, DropsZerosIfTheLastIsZero) {
  const BetaFit fit = fit_beta_regression(std::vector{0.9, 0.5, 0.1, 0.0}, std::vector{4.0, 2.0, 0.0, 0.0});
  EXPECT_EQ(fit.points, 2);
  EXPECT_NEAR(fit.least_squares_slope, std::numbers::ln2 / 0.4, 1e-14);
  EXPECT_TRUE(contains_all(usage_error_of([] {
                             fit_beta_regression(std::vector{0.9, 0.5, 0.1}, std::vector{4.0, 0.0, 1.0});
                           }),
                           {"point 1 of 3", "-inf"}));
}

TEST(BetaFit, ReportsInvalidArguments) {
  EXPECT_TRUE(contains_all(usage_error_of([] { fit_beta(64, 65, 0); }), {"65", "64"}));
  EXPECT_TRUE(contains_all(usage_error_of([] { fit_beta(64, 1, 0); }), {"1 point", "at least 2"}));
  EXPECT_TRUE(contains_all(usage_error_of([] { fit_beta(64, 60, 0, 7); }), {"from 7", "64"}));
  EXPECT_TRUE(contains_all(usage_error_of([] { fit_beta(64, 5, std::nan("")); }), {"nan"}));
  EXPECT_TRUE(contains_all(usage_error_of([] { fit_beta_to_caps(64, 0, 0); }), {"0 points"}));
  EXPECT_TRUE(contains_all(usage_error_of([] {
                             fit_beta_regression(std::vector{1.0, 0.0}, std::vector{1.0});
                           }),
                           {"2 cosines", "1 values"}));
  EXPECT_TRUE(contains_all(usage_error_of([] {
                             fit_beta_regression(std::vector{0.5, 0.5}, std::vector{1.0, 2.0});
                           }),
                           {"all 2 cosines are 0.5"}));
  EXPECT_TRUE(contains_all(usage_error_of([] {
                             fit_beta_regression(std::vector{0.5, 0.4}, std::vector{1.0, -2.0});
                           }),
                           {"-2"}));
  EXPECT_TRUE(contains_all(usage_error_of([] {
                             fit_beta_regression(std::vector{0.5, std::nan("")}, std::vector{1.0, 2.0});
                           }),
                           {"nan"}));
}

TEST(SoftmaxFit, RecoversTheBetaOfASoftmax) {
  std::vector<double> cosines, logs;
  for (int i = 0; i <= 40; ++i) {
    cosines.push_back(1 - i / 20.0);
    logs.push_back(12.5 * cosines.back() + 300);
  }
  const SoftmaxFit fit = fit_softmax(cosines, logs);
  EXPECT_NEAR(fit.beta, 12.5, 1e-6);
  EXPECT_LT(fit.loss, 1e-16);
}

TEST(SoftmaxFit, MatchesThePublishedOptima) {
  EXPECT_NEAR(fit_softmax_to_circles(64, 5).beta, 43.738346, 2e-4) << "published: found by gradient descent";
  EXPECT_NEAR(fit_softmax_to_circles(64, 5).loss, 1.6557e-4, 1e-8);
  EXPECT_NEAR(fit_softmax_to_caps(64, 9).beta, 34.283520, 2e-4);
  EXPECT_NEAR(fit_softmax_to_caps(64, 9).loss, 2.5344e-5, 1e-9);
}

TEST(SoftmaxFit, IsZeroForTheEntireSpace) {
  EXPECT_EQ(fit_softmax_to_circles(64, 64).beta, 0);
}

TEST(SoftmaxFit, ReportsWhenNoFiniteBetaIsOptimal) {
  EXPECT_TRUE(contains_all(usage_error_of([] { fit_softmax_to_circles(64, 0); }), {"no finite beta"}));
  EXPECT_TRUE(contains_all(usage_error_of([] { fit_softmax_to_caps(64, 0); }), {"all 65"}));
  EXPECT_TRUE(contains_all(usage_error_of([] { fit_softmax_to_caps(64, 99); }), {"99", "64"}));
  EXPECT_TRUE(contains_all(usage_error_of([] {
                             fit_softmax(std::vector{1.0, 0.0}, std::vector{1.0, std::nan("")});
                           }),
                           {"nan"}));
  EXPECT_TRUE(
      contains_all(usage_error_of([] { fit_softmax(std::vector{1.0}, std::vector{1.0}); }), {"1 point"}));
}

} // namespace
} // namespace mneme::theory
