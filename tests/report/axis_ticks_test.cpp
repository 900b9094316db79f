// SPDX-License-Identifier: MIT

#include "report/axis_ticks.h"

#include <cmath>

#include <gtest/gtest.h>

namespace mneme::report {
namespace {

using Range = std::pair<double, double>;

TEST(TickStep, IsOneTwoOrFiveTimesAPowerOfTen) {
  EXPECT_DOUBLE_EQ(tick_step(10, 8), 1);
  EXPECT_DOUBLE_EQ(tick_step(16, 8), 2);
  EXPECT_DOUBLE_EQ(tick_step(0.04, 8), 0.005);
  EXPECT_DOUBLE_EQ(tick_step(600, 8), 100);
}

TEST(FitAxis, EndsAtTicksOrAtTheValues) {
  const std::vector<double> values = {0.3, 15.2, std::nan("")};
  EXPECT_EQ(fit_axis({}, values, AxisEnds::ticks).axis.range, (Range{0, 16}));
  EXPECT_EQ(fit_axis({}, values, AxisEnds::values).axis.range, (Range{0.3, 15.2}));
  EXPECT_EQ(fit_axis({.range = Range{2, 3}}, values, AxisEnds::ticks).axis.range, (Range{2, 3}));
  EXPECT_FALSE(fit_axis({}, {}, AxisEnds::ticks).axis.range);
}

TEST(FitAxis, LabelsWholeNumbersOnly) {
  const auto ticks = [](double low, double high) {
    return fit_axis({}, std::vector{low, high}, AxisEnds::values).ticks;
  };
  EXPECT_EQ(ticks(0, 2), (std::vector<double>{0, 1, 2}));
  EXPECT_EQ(ticks(1, 5), (std::vector<double>{1, 2, 3, 4, 5}));
  EXPECT_TRUE(ticks(0, 35).empty()); // the drawing library chooses whole numbers by itself
  EXPECT_TRUE(ticks(0, 0.5).empty());
  EXPECT_EQ(fit_axis({}, std::vector{3.0, 3.0}, AxisEnds::ticks).axis.range, (Range{2, 4}));
  EXPECT_TRUE(fit_axis({.range = Range{0, 1}}, std::vector{0.0, 1.0}, AxisEnds::ticks).ticks.empty());
  EXPECT_TRUE(fit_axis({.format = ".0%"}, std::vector{0.0, 1.0}, AxisEnds::ticks).ticks.empty());
}

TEST(FitAxis, StaysWithinTheLimits) {
  const Axis accuracy = fraction_axis("accuracy");
  EXPECT_EQ(fit_axis(accuracy, std::vector{0.412, 1.07}, AxisEnds::ticks).axis.range, (Range{0.4, 1}));
  EXPECT_EQ(fit_axis(accuracy, std::vector{1.0, 1.0}, AxisEnds::ticks).axis.range, (Range{0.9, 1}));
}

TEST(FitAxis, HasEnoughDigitsToDistinguishTicks) {
  const auto format = [](const char* given, double low, double high) {
    return fit_axis({.format = given}, std::vector{low, high}, AxisEnds::ticks).axis.format;
  };
  EXPECT_EQ(format(".0%", 0, 1), ".0%");
  EXPECT_EQ(format(".0%", 0.955, 1), ".1%");
  EXPECT_EQ(format(".0%", 0.9995, 1), ".3%");
  EXPECT_EQ(format(".2f", 0, 1), ".2f");
  EXPECT_EQ(format(".0f", 0, 1), ".1f");
  EXPECT_EQ(format(".0e", 0, 1), ".0e");
  EXPECT_EQ(format("", 0, 0.5), "");
}

TEST(FitAxis, LabelsLogarithmicAxesAtPowersOfTen) {
  const auto ticks = [](double low, double high, AxisEnds ends) {
    return fit_axis({.logarithmic = true}, std::vector{low, high}, ends).ticks;
  };
  EXPECT_EQ(ticks(1, 1000, AxisEnds::ticks), (std::vector<double>{1, 10, 100, 1000}));
  EXPECT_EQ(ticks(50, 200, AxisEnds::values), (std::vector<double>{50, 100, 200}));
  EXPECT_EQ(ticks(3, 4, AxisEnds::ticks), (std::vector<double>{2, 2.5, 3, 3.5, 4, 4.5, 5}));
  EXPECT_LE(ticks(1e-300, 1e300, AxisEnds::ticks).size(), 14U);
  EXPECT_EQ(ticks(1e-20, 1, AxisEnds::ticks).size(), 11U); // every second power
  const FittedAxis fitted = fit_axis({.logarithmic = true}, std::vector{0.02, 40.0}, AxisEnds::ticks);
  EXPECT_EQ(fitted.axis.range, (Range{0.01, 100}));
  EXPECT_EQ(fitted.axis.format, ",~r");
}

} // namespace
} // namespace mneme::report
