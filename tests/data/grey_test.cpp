// SPDX-License-Identifier: MIT

#include "mneme/data/grey.h"

#include <gtest/gtest.h>

#include "mneme/core/error.h"

namespace mneme::data {
namespace {

TEST(Grey, LumaHasThePublishedWeights) {
  EXPECT_DOUBLE_EQ(luma(1, 0, 0), 0.299);
  EXPECT_DOUBLE_EQ(luma(0, 1, 0), 0.587);
  EXPECT_DOUBLE_EQ(luma(0, 0, 1), 0.114);
  for (const double grey : {0.0, 0.1, 1.0 / 3, 1.0}) {
    EXPECT_EQ(luma(grey, grey, grey), grey);
  }
}

TEST(Grey, ConvertsEachPixel) {
  const PatternSet colours{.patterns = RealPatterns(2, 6, {1, 0, 0, 0.5, 0.5, 0.5, 0, 1, 0, 0, 0, 1}),
                           .height = 1,
                           .width = 2,
                           .channels = 3,
                           .labels = {7, 8}};
  const PatternSet grey = to_grey(colours);
  EXPECT_EQ(grey.patterns, RealPatterns(2, 2, {0.299, 0.5, 0.587, 0.114}));
  EXPECT_EQ(grey.channels, 1);
  EXPECT_EQ(grey.width, 2);
  EXPECT_EQ(grey.labels, colours.labels);
  EXPECT_EQ(to_grey(grey).patterns, grey.patterns);
}

TEST(Grey, RejectsPatternsThatAreNotImages) {
  EXPECT_THROW(to_grey({.patterns = RealPatterns(1, 3, {1, 2, 3})}), UsageError);
  EXPECT_THROW(to_grey({.patterns = RealPatterns(1, 2, {1, 2}), .height = 1, .width = 1, .channels = 2}),
               UsageError);
}

} // namespace
} // namespace mneme::data
