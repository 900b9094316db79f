// SPDX-License-Identifier: MIT

#include "mneme/trials/published_recall.h"

#include <algorithm>

#include <gtest/gtest.h>

#include "mneme/data/random_patterns.h"
#include "mneme/memory/attention.h"
#include "trials/messages.h"

namespace mneme::trials {
namespace {

PublishedPatterns sample(int64_t count, int64_t size, uint64_t seed = 4) {
  return published_patterns(data::random_uniform(count, size, -1, 1, Random(seed)), 0);
}

TEST(PublishedCues, HaveExactlyTheRequestedDistance) {
  const PublishedPatterns patterns = sample(30, 64);
  const PublishedPatterns cues = published_cues(patterns, 10, 6, true, Random(1));
  for (int64_t i = 0; i < 10; ++i) {
    EXPECT_EQ(hamming_distance(cues.bits, i, patterns.bits, i), 6);
    EXPECT_NEAR(cosine(cues.reals, i, patterns.reals, i), 1 - 12.0 / 64, 1e-12);
    for (int64_t other = 0; other < 30; ++other) {
      EXPECT_GE(hamming_distance(cues.bits, i, patterns.bits, other), 6);
    }
  }
}

TEST(PublishedCues, RejectADistanceAtWhichOthersAreAlwaysNearer) {
  PublishedPatterns twins = sample(1, 16);
  RealPatterns both(2, 16);
  for (int64_t i = 0; i < 2; ++i) {
    std::ranges::copy(twins.reals[0], both[i].begin());
  }
  both[1][0] = -both[1][0];
  expect_usage_error([&] { published_cues(published_patterns(both, 0), 2, 15, true, Random(1)); },
                     {"15", "100 draws"});
}

TEST(PublishedMemory, EveryAlgorithmRecallsFewPatternsFromThemselves) {
  const PublishedPatterns patterns = sample(20, 64);
  for (const std::string& algorithm : published_algorithms()) {
    const double locations = algorithm == "Binary_Neuron_SDM" ? 20000 : 1e18;
    const int64_t radius = algorithm == "Binary_Neuron_SDM" ? 20 : 13;
    const PublishedMemory memory(algorithm, patterns,
                                 {.hamming_radius = radius, .hard_locations = locations});
    const PublishedRecall recall = memory.recall(published_cues(patterns, 20, 0, true, Random(1)));
    ASSERT_EQ(recall.cosines.size(), 20U);
    EXPECT_GT(*std::ranges::min_element(recall.cosines), 0.99) << algorithm;
    EXPECT_EQ(is_on_bits(algorithm), algorithm.starts_with("Binary"));
  }
}

/// Stopping early at a fixed point returns the same readouts as continuing to the step limit.
TEST(PublishedMemory, StopsAtAFixedPointWithTheSameReadouts) {
  const PublishedPatterns patterns = sample(200, 64);
  const PublishedPatterns cues = published_cues(patterns, 20, 4, true, Random(1));
  const PublishedRecall ours =
      PublishedMemory("Cont_SDM_BFit_Attention", patterns, {.hamming_radius = 21, .hard_locations = 1})
          .recall(cues);
  AssociateOptions<RealPatterns> options = sdm_attention(64, 21);
  options.precision = Precision::float32;
  const Recall<RealPatterns> whole = associate(cues.reals, patterns.reals, [&] {
    options.update = published_update(100, true, EmptyRead::keep_query);
    return options;
  }());
  EXPECT_EQ(ours.steps, 100);
  for (int64_t i = 0; i < 20; ++i) {
    EXPECT_NEAR(ours.cosines[static_cast<size_t>(i)], cosine(whole.readout, i, patterns.reals, i), 2e-5);
  }
}

TEST(PublishedMemory, ListsTheAlgorithmsIfANameIsUnknown) {
  expect_usage_error([] { is_on_bits("SDM"); }, {"\"SDM\"", "Binary_Neuron_SDM", "Cont_SDM"});
}

} // namespace
} // namespace mneme::trials
