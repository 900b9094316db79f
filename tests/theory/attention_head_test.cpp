// SPDX-License-Identifier: MIT

#include "mneme/theory/attention_head.h"

#include <cmath>
#include <limits>

#include <gtest/gtest.h>

#include "mneme/core/error.h"
#include "mneme/theory/beta_fit.h"

namespace mneme::theory {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

TEST(AttentionHead, MeasuresARowByItsDefinitions) {
  const std::vector<float> scores = {std::log(5.0F), std::log(4.0F), -kInfinity, std::log(1.0F)},
                           cosines = {0.5F, 0.25F, 0.9F, -0.5F};
  const AttentionRow row = attention_row(scores, cosines);
  EXPECT_EQ(row.keys, 3);
  EXPECT_NEAR(row.beta, std::log(5.0), 1e-6);
  EXPECT_NEAR(row.min_score, 0, 1e-12);
  EXPECT_EQ(row.keys_90, 2); // 0.5 + 0.4
  EXPECT_NEAR(row.entropy, -(0.5 * std::log(0.5) + 0.4 * std::log(0.4) + 0.1 * std::log(0.1)), 1e-6);
}

TEST(AttentionHead, RecoversTheBetaOfSoftmaxOfCosines) {
  std::vector<float> scores, cosines;
  for (int i = 0; i < 20; ++i) {
    cosines.push_back(std::sin(static_cast<float>(i)));
    scores.push_back(12.5F * cosines.back() - 3);
  }
  const AttentionRow row = attention_row(scores, cosines);
  EXPECT_NEAR(row.regressed_beta, 12.5, 1e-5);
  EXPECT_NEAR(row.r_squared, 1, 1e-6);
}

TEST(AttentionHead, HasNoSlopeForASingleKey) {
  const std::vector<float> score = {-2}, cosine = {1};
  const AttentionRow row = attention_row(score, cosine);
  EXPECT_TRUE(std::isnan(row.regressed_beta));
  EXPECT_EQ(row.beta, -2); // a maximum may be negative
  EXPECT_EQ(row.keys_90, 1);
  EXPECT_EQ(row.entropy, 0);
  EXPECT_FALSE(std::signbit(row.entropy));
}

TEST(AttentionHead, HasNoSlopeWhereCosinesDifferByRoundingOnly) {
  const std::vector<float> scores = {4.0F, 4.0000005F, 3.9999998F, 4.0F};
  for (const float cosine : {0.3F, 1.0F, -0.9F, 1e-4F}) {
    const std::vector<float> cosines = {cosine, cosine + 1e-7F, cosine - 2e-7F, cosine};
    const AttentionRow row = attention_row(scores, cosines);
    EXPECT_TRUE(std::isnan(row.regressed_beta)) << cosine;
    EXPECT_TRUE(std::isnan(row.r_squared)) << cosine;
  }
  EXPECT_NEAR(attention_row(std::vector<float>{1, 2}, std::vector<float>{0.5F, 0.50001F}).regressed_beta, 1e5,
              1e3);
}

TEST(AttentionHead, RejectsRowsThatCannotBeRead) {
  const std::vector<float> two = {1, 2}, one = {1}, none = {-kInfinity}, nan = {std::nanf("")},
                           inf = {kInfinity};
  EXPECT_THROW(attention_row(two, one), UsageError);
  EXPECT_THROW(attention_row({}, {}), UsageError);
  EXPECT_THROW(attention_row(none, one), UsageError);
  EXPECT_THROW(attention_row(nan, one), UsageError);
  EXPECT_THROW(attention_row(inf, one), UsageError);
}

TEST(AttentionHead, ClassifiesFixedPoints) {
  EXPECT_EQ(fixed_point(60, 100), FixedPoint::global);
  EXPECT_EQ(fixed_point(50, 100), FixedPoint::metastable);
  EXPECT_EQ(fixed_point(10, 100), FixedPoint::metastable);
  EXPECT_EQ(fixed_point(9, 100), FixedPoint::single);
  EXPECT_EQ(fixed_point(1, 4), FixedPoint::single);
  EXPECT_EQ(fixed_point(1, 1), FixedPoint::single);
  EXPECT_EQ(fixed_point(2, 3), FixedPoint::global);
  EXPECT_EQ(name_of(FixedPoint::metastable), "metastable");
}

TEST(AttentionHead, InvertsTheFittedBeta) {
  for (const int64_t bits : {8, 9, 12, 64, 128}) {
    for (int64_t radius = 2; radius <= bits / 2; ++radius) {
      const std::optional<double> found = equivalent_hamming_radius(fit_beta(bits, radius, 0).beta, bits);
      ASSERT_TRUE(found) << bits << " bits, " << radius;
      EXPECT_NEAR(*found, static_cast<double>(radius), 1e-9) << bits;
    }
  }
  for (const auto& [beta, radius] : {std::pair(10.1, 15), {15.9, 11}, {35.5, 5}}) { // the published lines
    const std::optional<double> found = equivalent_hamming_radius(beta, 64);
    ASSERT_TRUE(found) << beta;
    EXPECT_NEAR(*found, radius, 0.05);
  }
  EXPECT_FALSE(equivalent_hamming_radius(0, 64));
  EXPECT_FALSE(equivalent_hamming_radius(1e6, 64));
  EXPECT_THROW(equivalent_hamming_radius(5, 7), UsageError);
}

} // namespace
} // namespace mneme::theory
