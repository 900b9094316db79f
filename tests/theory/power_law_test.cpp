// SPDX-License-Identifier: MIT

#include "mneme/theory/power_law.h"

#include <cmath>
#include <limits>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "core/text_checks.h"
#include "mneme/core/error.h"

namespace mneme::theory {
namespace {

using mneme::testing::expect_contains;

std::string error_of(const std::vector<double>& sizes, const std::vector<double>& losses) {
  try {
    fit_power_law(sizes, losses);
  } catch (const UsageError& error) {
    return error.what();
  }
  return "";
}

TEST(PowerLaw, FindsTheExactLawOfPointsOnIt) {
  const std::vector<double> sizes = {1e3, 5e4, 2e6, 7e7};
  std::vector<double> losses;
  for (const double size : sizes) {
    losses.push_back(std::pow(3.89e11 / size, 0.13));
  }
  const PowerLaw law = fit_power_law(sizes, losses);
  EXPECT_NEAR(law.exponent, 0.13, 1e-13);
  EXPECT_NEAR(law.scale / 3.89e11, 1, 1e-10);
  EXPECT_NEAR(law.exponent_half_width.value(), 0, 1e-12);
  EXPECT_NEAR(loss_at(law, 5e4), losses[1], 1e-12);
  const PowerLaw same = fit_power_law(sizes, losses, PowerLawErrors::losses);
  EXPECT_NEAR(same.exponent, 0.13, 1e-13);
  EXPECT_NEAR(same.exponent_half_width.value(), 0, 1e-12);
}

TEST(PowerLaw, AgreesWithThePublishedFitsOfLeap) {
  // Losses of LEAP and GPT-2 on WikiText-103 over parameters without embeddings. Published, with errors of
  // the losses: 0.1300 and 3.890e11, 0.1207 and 1.043e12; the losses have five digits.
  const std::vector<double> leap_sizes = {49856,   198016,   308960,   1776768, 4229344,
                                          7099136, 16012480, 45838016, 69308416},
                            leap_losses = {8.4424, 5.9899, 5.7929, 5.0307, 4.5404,
                                           4.2183, 3.7589, 3.3048, 3.1656};
  const PowerLaw leap = fit_power_law(leap_sizes, leap_losses, PowerLawErrors::losses);
  EXPECT_NEAR(leap.exponent, 0.1300, 1e-4);
  EXPECT_NEAR(leap.scale, 3.890e11, 0.01e11);
  const std::vector<double> gpt2_sizes = {50112,   198528,  309600,   1779840,
                                          4235616, 7108352, 16029120, 45872064},
                            gpt2_losses = {8.0779, 5.9716, 5.7842, 5.0663, 4.7041, 4.3814, 3.8041, 3.2844};
  const PowerLaw gpt2 = fit_power_law(gpt2_sizes, gpt2_losses, PowerLawErrors::losses);
  EXPECT_NEAR(gpt2.exponent, 0.1207, 1e-4);
  EXPECT_NEAR(gpt2.scale, 1.043e12, 0.005e12);
  // On logarithms the same losses have smaller exponents.
  EXPECT_NEAR(fit_power_law(leap_sizes, leap_losses).exponent, 0.1238, 1e-4);
  EXPECT_NEAR(fit_power_law(gpt2_sizes, gpt2_losses).exponent, 0.1179, 1e-4);
}

double squares_of(const PowerLaw& law, const std::vector<double>& sizes, const std::vector<double>& losses) {
  double squares = 0;
  for (size_t i = 0; i < sizes.size(); ++i) {
    squares += std::pow(losses[i] - loss_at(law, sizes[i]), 2);
  }
  return squares;
}

TEST(PowerLaw, HasLossesWhereItsScaleIsNoDouble) {
  const std::vector<double> sizes = {1e3, 1e4, 1e6}, losses = {3.0, 2.999, 2.998};
  const PowerLaw law = fit_power_law(sizes, losses);
  EXPECT_EQ(law.scale, std::numeric_limits<double>::infinity());
  EXPECT_NEAR(loss_at(law, 1e4), 2.999, 1e-3);
}

TEST(PowerLaw, OfLossesFitsThemAtLeastAsWellAsThatOfLogarithms) {
  const std::vector<double> one = {261.857, 264.267, 1.96276e6, 5.56727e8},
                            one_losses = {0.618792, 0.788316, 1.38095e-06, 4.61217e-10},
                            other = {3.41306, 58.1936, 389576, 1.57711e7, 1.65082e8},
                            other_losses = {1.07619, 1.15669, 0.962604, 0.998774, 1.24};
  for (const auto& [sizes, losses] : {std::pair(one, one_losses), std::pair(other, other_losses)}) {
    const double squares = squares_of(fit_power_law(sizes, losses, PowerLawErrors::losses), sizes, losses);
    EXPECT_LE(squares, squares_of(fit_power_law(sizes, losses), sizes, losses));
  }
}

TEST(PowerLaw, IntervalIsThatOfALinearRegression) {
  // log2(loss) = 0, 1, 1 over log2(size) = 1, 2, 3: slope 1/2, residuals -1/6, 1/3, -1/6, so that the
  // standard error is sqrt(1/6 / 1 / 2) = 0.288675; t of one degree of freedom is 12.7062.
  const PowerLaw law = fit_power_law(std::vector<double>{2, 4, 8}, std::vector<double>{1, 2, 2});
  EXPECT_NEAR(law.exponent, -0.5, 1e-12);
  EXPECT_NEAR(law.exponent_half_width.value(), 12.706204736 * std::sqrt(1.0 / 12), 1e-8);
  EXPECT_FALSE(
      fit_power_law(std::vector<double>{2, 4}, std::vector<double>{2, 1}).exponent_half_width.has_value());
}

TEST(PowerLaw, RefusesWhatHasNoFit) {
  expect_contains(error_of({1, 2}, {1}), {"2 sizes", "1 losses"});
  expect_contains(error_of({3, 3}, {1, 2}), {"all 2 sizes are equal"});
  expect_contains(error_of({}, {}), {"all 0 sizes"});
  expect_contains(error_of({1, 2}, {1, 0}), {"a loss is 0"});
  expect_contains(error_of({1, std::numeric_limits<double>::infinity()}, {1, 2}), {"a size is inf"});
}

} // namespace
} // namespace mneme::theory
