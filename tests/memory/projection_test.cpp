// SPDX-License-Identifier: MIT

#include "mneme/memory/projection.h"

#include <cmath>

#include "memory/samples.h"

namespace mneme {
namespace {

TEST(Projection, AveragesRealValues) {
  const RealPatterns readout = project(RealPatterns(1, 2, {0.25, 0.75}), RealPatterns(2, 2, {4, 0, 0, 8}));
  EXPECT_EQ(readout, RealPatterns(1, 2, {1, 6}));
}

TEST(Projection, MajorityOfBitsIsZeroOnATie) {
  BitPatterns values(3, 3);
  values.set(0, 0, true); // ones : zeros by weight: bit 0 1.5 : 1.5, bit 1 1.5 : 1.5, bit 2 0 : 3
  values.set(1, 0, true);
  values.set(2, 1, true);
  const BitPatterns readout = project(RealPatterns(1, 3, {1.0, 0.5, 1.5}), values);
  EXPECT_FALSE(readout.get(0, 0));
  EXPECT_FALSE(readout.get(0, 1));
  EXPECT_FALSE(readout.get(0, 2));
  EXPECT_TRUE(project(RealPatterns(1, 3, {1.0, 0.6, 1.5}), values).get(0, 0));
}

TEST(Projection, MajorityOfBitsEqualsTheSignOfTheBipolarSum) {
  const BitPatterns values = test::random_bits(131, 77, 5);
  const RealPatterns weights = test::random_sphere(40, 131, 6);
  const BitPatterns bits = project(weights, values);
  const RealPatterns signs = project(weights, to_bipolar(values), Majority{});
  EXPECT_EQ(bits, to_bits(signs, 0));
}

TEST(Projection, NormalisesToLengthOne) {
  const RealPatterns readout = project(RealPatterns(1, 1, {2.0}), RealPatterns(1, 2, {3, 4}), Normalise{});
  EXPECT_DOUBLE_EQ(readout[0][0], 0.6);
  EXPECT_DOUBLE_EQ(readout[0][1], 0.8);
}

TEST(Projection, ErrorNamesBothCounts) {
  test::expect_contains(test::usage_error([] { project(RealPatterns(1, 2), RealPatterns(3, 1)); }),
                        {"2 stored", "3"});
}

TEST(Projection, RejectsAveragesOfBits) {
  test::expect_contains(test::usage_error([] { project(RealPatterns(1, 2), BitPatterns(2, 4), Average{}); }),
                        {"Majority", "to_bipolar"});
}

} // namespace
} // namespace mneme
