// SPDX-License-Identifier: MIT

#include "mneme/memory/update.h"

#include "memory/samples.h"
#include "mneme/core/interrupt.h"
#include "mneme/memory/associate.h"
#include "mneme/memory/attention.h"
#include "mneme/memory/hopfield_network.h"
#include "mneme/memory/pattern_sdm.h"

namespace mneme {
namespace {

TEST(Update, StopsEachCueWhenItHasConverged) {
  const BitPatterns stored = test::random_bits(10, 256, 1);
  BitPatterns cues = test::with_flips(stored, 30, 2);
  std::ranges::copy(stored[0], cues[0].begin()); // converged from the start
  auto options = pattern_sdm(256, 100);
  options.update.update_steps_max = 10;
  const Recall<BitPatterns> recall = associate(cues, stored, options);
  EXPECT_EQ(recall.readout, stored);
  EXPECT_EQ(recall.steps[0], 1);
  EXPECT_EQ(recall.steps[1], 2);
  EXPECT_EQ(recall.converged, std::vector<uint8_t>(10, 1));
  options.update.stop_together = true;
  EXPECT_EQ(associate(cues, stored, options).steps, std::vector<int64_t>(10, 2));
}

TEST(Update, ReportsACueThatHasNotConverged) {
  const BitPatterns stored = test::random_bits(10, 256, 1);
  auto options = pattern_sdm(256, 100);
  options.update.update_steps_max = 1;
  const Recall<BitPatterns> recall = associate(test::with_flips(stored, 30, 2), stored, options);
  EXPECT_EQ(recall.converged, std::vector<uint8_t>(10, 0));
}

TEST(Update, EmptyReadsFollowTheOption) {
  const BitPatterns stored = test::random_bits(5, 200, 3), far = test::random_bits(4, 200, 4);
  auto options = pattern_sdm(200, 10); // the circles of unrelated patterns do not intersect
  Recall<BitPatterns> recall = associate(far, stored, options);
  EXPECT_EQ(recall.readout, far);
  EXPECT_EQ(recall.num_activated, std::vector<int64_t>(4, 0));
  options.update.empty_read = EmptyRead::zeros;
  EXPECT_EQ(associate(far, stored, options).readout, BitPatterns(4, 200));
  options.update.empty_read = EmptyRead::mean_of_values;
  EXPECT_EQ(associate(far, stored, options).readout,
            project(RealPatterns(4, 5, std::vector<double>(20, 1.0)), stored));
}

TEST(Update, EmptyReadsOfUnnormalisedScoresFollowTheOption) {
  BitPatterns stored(1, 4), cue(1, 4); // 1100 and 1010: the dot product of their bits as -1 and +1 is 0
  stored.set(0, 0, true);
  stored.set(0, 1, true);
  cue.set(0, 0, true);
  cue.set(0, 2, true);
  AssociateOptions<BitPatterns> options{.similarity = Dot{}, .separation = Identity{}};
  const Recall<BitPatterns> kept = associate(cue, stored, options);
  EXPECT_EQ(kept.readout, cue);
  EXPECT_EQ(kept.num_activated[0], 0);
  EXPECT_EQ(associate(cue, BitPatterns(0, 4), options).readout, cue);
  options.update.empty_read = EmptyRead::zeros;
  EXPECT_EQ(associate(cue, stored, options).readout, BitPatterns(1, 4));
  options.update.empty_read = EmptyRead::mean_of_values;
  EXPECT_EQ(associate(cue, stored, options).readout, stored);
  // The weight matrix without its diagonal gives a readout, although the score is 0.
  BitPatterns complement = cue;
  for (int64_t b = 0; b < 4; ++b) {
    complement.flip(0, b);
  }
  EXPECT_EQ(associate(cue, stored, classical_hopfield()).readout, complement);
}

TEST(Update, RealPatternsConvergeByDirectionByDefault) {
  // With one stored pattern every readout is that pattern; the cue has the same direction and half the
  // length.
  const RealPatterns stored(1, 2, {0.6, 0.8}), cue(1, 2, {0.3, 0.4});
  AssociateOptions<RealPatterns> options{
      .similarity = Dot{}, .separation = Softmax{1}, .update = {.update_steps_max = 5}};
  EXPECT_EQ(associate(cue, stored, options).steps[0], 1);
  options.update = published_update(5, false, EmptyRead::keep_query);
  EXPECT_EQ(associate(cue, stored, options).steps[0], 2); // the first step changed a component by 0.4
}

TEST(Update, StopsOnAnInterrupt) {
  const BitPatterns stored = test::random_bits(10, 64, 5);
  request_interrupt();
  EXPECT_THROW(associate(stored, stored, pattern_sdm(64, 20)), Interrupted);
  clear_interrupt();
}

TEST(Update, EmptyReadsOfAHeteroassociativeMemoryAreZeros) {
  const BitPatterns stored = test::random_bits(5, 200, 3), far = test::random_bits(4, 200, 4);
  auto options = pattern_sdm(200, 10);
  options.values = test::random_bits(5, 200, 5);
  EXPECT_EQ(associate(far, stored, options).readout, BitPatterns(4, 200));
  AssociateOptions<RealPatterns> numbers{.separation = Radius{0}, .values = RealPatterns(1, 2, {3, 4})};
  EXPECT_EQ(associate(RealPatterns(1, 2, {1, 0}), RealPatterns(1, 2, {-1, 0}), numbers).readout,
            RealPatterns(1, 2));
}

} // namespace
} // namespace mneme
