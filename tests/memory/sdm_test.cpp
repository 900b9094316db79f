// SPDX-License-Identifier: MIT

/// Pattern-based SDM, continuous SDM, and attention as an approximation of them.

#include "memory/samples.h"
#include "mneme/memory/attention.h"
#include "mneme/memory/continuous_sdm.h"
#include "mneme/memory/pattern_sdm.h"

namespace mneme {
namespace {

constexpr UpdateOptions kTenSteps{.update_steps_max = 10};

TEST(PatternSdm, RecallsEveryPatternWithinTheCriticalDistance) {
  const BitPatterns stored = test::random_bits(100, 256, 1);
  for (const int64_t radius : {90, 105}) {
    EXPECT_EQ(AssociativeMemory(stored, pattern_sdm(256, radius))
                  .recall(test::with_flips(stored, 40, 2), kTenSteps)
                  .readout,
              stored);
  }
}

TEST(PatternSdm, WithManyLocationsEqualsInfinitelyMany) {
  const BitPatterns stored = test::random_bits(50, 64, 3), cues = test::with_flips(stored, 9, 4);
  const Recall<BitPatterns> infinite = associate(cues, stored, pattern_sdm(64, 19));
  const Recall<BitPatterns> many = associate(cues, stored, pattern_sdm(64, 19, {.hard_locations = 0x1p64}));
  EXPECT_EQ(infinite.readout, many.readout);
}

TEST(PatternSdm, WithFewLocationsDependsOnTheSeed) {
  const BitPatterns stored = test::random_bits(50, 64, 3), cues = test::with_flips(stored, 12, 4);
  const auto read = [&](uint64_t seed) {
    return associate(cues, stored, pattern_sdm(64, 15, {.hard_locations = 1e5, .seed = seed})).readout;
  };
  EXPECT_EQ(read(1), read(1));
  EXPECT_NE(read(1), read(2));
}

TEST(SdmAttention, OnBitsRecallsTheSamePatternsAsSdm) {
  const BitPatterns stored = test::random_bits(100, 256, 5), cues = test::with_flips(stored, 50, 6);
  EXPECT_EQ(AssociativeMemory(stored, binary_sdm_attention(256, 95)).recall(cues, kTenSteps).readout, stored);
}

double worst_cosine(const RealPatterns& readout, const RealPatterns& stored) {
  double worst = 1;
  for (int64_t i = 0; i < stored.count(); ++i) {
    worst = std::min(worst, cosine(readout, i, stored, i));
  }
  return worst;
}

TEST(ContinuousSdm, AndSdmAttentionRecallNoisyPatternsOnTheSphere) {
  const RealPatterns stored = test::random_sphere(60, 100, 7), noise = test::random_sphere(60, 100, 8);
  RealPatterns cues = stored;
  for (int64_t i = 0; i < cues.count(); ++i) {
    for (size_t j = 0; j < 100; ++j) {
      cues[i][j] += 0.7 * noise[i][j];
    }
  }
  cues = normalised(cues);
  for (const auto& options : {continuous_sdm(100, 29), continuous_binary_sdm(100, 29), sdm_attention(100, 29),
                              sdm_attention(100, 29, BetaFitTarget::cap_intersection)}) {
    EXPECT_GT(worst_cosine(AssociativeMemory(stored, options).recall(cues, kTenSteps).readout, stored),
              0.999);
  }
  // On patterns of length 1, the Transformer's beta is far too small to separate them.
  EXPECT_LT(
      worst_cosine(AssociativeMemory(stored, transformer_attention(100)).recall(cues, kTenSteps).readout,
                   stored),
      0.6);
}

TEST(TransformerAttention, RejectsASizeWithoutABeta) {
  test::expect_contains(test::usage_error([] { (void)transformer_attention(0); }), {"the size is 0"});
  test::expect_contains(test::usage_error([] { (void)transformer_attention(-4); }), {"the size is -4"});
}

} // namespace
} // namespace mneme
