// SPDX-License-Identifier: MIT

#include "mneme/data/latch_sequences.h"

#include <algorithm>

#include "data/testing.h"

namespace mneme::data {
namespace {

// The drawn numbers are compared with those of hflayers in tests/golden/hopfield/data_latch_*.

TEST(LatchSequences, FirstCharacterIsTheClassAndTheRestIsNoise) {
  const LatchSequences sequences =
      draw_latch_sequences({.num_samples = 50, .num_instances = 7, .num_characters = 4});
  ASSERT_EQ(sequences.num_samples(), 50);
  for (int64_t sample = 0; sample < 50; ++sample) {
    const auto first = sequences.characters.begin() + sample * 7;
    EXPECT_EQ(*first, sequences.targets[size_t(sample)]);
    EXPECT_TRUE(std::all_of(first + 1, first + 7, [](int64_t c) { return c == 2 || c == 3; })) << sample;
  }
  EXPECT_GT(std::ranges::count(sequences.targets, 1), 10);
  EXPECT_GT(std::ranges::count(sequences.targets, 0), 10);
}

TEST(LatchSequences, SequencesOfOneCharacterAreTheirClass) {
  const LatchSequences sequences =
      draw_latch_sequences({.num_samples = 9, .num_instances = 1, .num_characters = 3});
  EXPECT_TRUE(std::ranges::equal(sequences.characters, sequences.targets));
}

TEST(LatchSequences, RejectsInvalidOptions) {
  const auto expect_rejected = [](LatchOptions options, std::initializer_list<std::string_view> parts) {
    expect_error<UsageError>([&] { draw_latch_sequences(options); }, parts);
  };
  expect_rejected({.num_samples = 0}, {"num_samples is 0"});
  expect_rejected({.num_instances = 0}, {"num_instances is 0"});
  expect_rejected({.num_characters = 2}, {"num_characters is 2", "3"});
  expect_rejected({.num_samples = 1'000'000'000, .num_instances = 1'000'000'000},
                  {"1000000000 lists of 1000000000 rows"});
}

} // namespace
} // namespace mneme::data
