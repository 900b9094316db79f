// SPDX-License-Identifier: MIT

#include "mneme/memory/hopfield_network.h"

#include <cmath>

#include "memory/samples.h"

namespace mneme {
namespace {

constexpr UpdateOptions kTwentySteps{.update_steps_max = 20};

/// Reference: one synchronous update with the explicit weight matrix.
BitPatterns by_weight_matrix(const BitPatterns& cues, const BitPatterns& stored) {
  const RealPatterns p = to_bipolar(stored), q = to_bipolar(cues);
  BitPatterns readout(cues.count(), cues.bits());
  for (int64_t c = 0; c < cues.count(); ++c) {
    for (int64_t i = 0; i < cues.bits(); ++i) {
      double field = 0;
      for (int64_t j = 0; j < cues.bits(); ++j) {
        for (int64_t s = 0; s < stored.count() && j != i; ++s) {
          field += p[s][size_t(i)] * p[s][size_t(j)] * q[c][size_t(j)];
        }
      }
      readout.set(c, i, field > 0);
    }
  }
  return readout;
}

TEST(ClassicalHopfield, EqualsTheWeightMatrixWithZeroDiagonal) {
  const BitPatterns stored = test::random_bits(9, 50, 1), cues = test::random_bits(20, 50, 2);
  EXPECT_EQ(associate(cues, stored, classical_hopfield()).readout, by_weight_matrix(cues, stored));
}

TEST(ClassicalHopfield, RecallsBelowItsCapacityButNotFarAbove) {
  constexpr int64_t kBits = 500;
  const auto recalled = [](int64_t count) {
    const BitPatterns stored = test::random_bits(count, kBits, 3);
    const Recall<BitPatterns> recall =
        AssociativeMemory(stored, classical_hopfield()).recall(test::with_flips(stored, 50, 4), kTwentySteps);
    int64_t exact = 0;
    for (int64_t i = 0; i < count; ++i) {
      exact += hamming_distance(recall.readout, i, stored, i) == 0 ? 1 : 0;
    }
    return double(exact) / double(count);
  };
  EXPECT_EQ(recalled(20), 1.0);
  EXPECT_LT(recalled(2 * static_cast<int64_t>(classical_hopfield_capacity(kBits))), 0.1);
}

TEST(ClassicalHopfield, HasNoCapacityForANegativeNumberOfBits) {
  EXPECT_EQ(classical_hopfield_capacity(0), 0);
  test::expect_contains(test::usage_error([] { (void)classical_hopfield_capacity(-3); }), {"-3 bits"});
}

TEST(ModernHopfield, RetrievesFromAHalfMaskedQuery) {
  const RealPatterns stored = test::random_sphere(200, 64, 5);
  RealPatterns cues = stored;
  for (int64_t i = 0; i < cues.count(); ++i) {
    std::ranges::fill(cues[i].subspan(32), 0.0);
  }
  const Recall<RealPatterns> recall =
      AssociativeMemory(stored, modern_hopfield(60)).recall(cues, kTwentySteps);
  int64_t found = 0;
  for (int64_t i = 0; i < stored.count(); ++i) {
    found += cosine(recall.readout, i, stored, i) > 0.999 ? 1 : 0;
  }
  EXPECT_GE(found, 195);
}

TEST(DenseAssociativeMemory, WeightsAreCubesOfTheScores) {
  const RealPatterns stored(2, 2, {1, 0, 0, 1}), cue(1, 2, {0.5, 1});
  const RealPatterns readout = associate(cue, stored, dense_associative_memory()).readout;
  EXPECT_NEAR(readout[0][0], 1.0 / 9, 1e-15);
  EXPECT_NEAR(readout[0][1], 8.0 / 9, 1e-15);
}

} // namespace
} // namespace mneme
