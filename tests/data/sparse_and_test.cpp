// SPDX-License-Identifier: MIT

#include "mneme/data/sparse_and.h"

#include <algorithm>
#include <cmath>
#include <set>

#include <gtest/gtest.h>

#include "trials/messages.h"

namespace mneme::data {
namespace {

using trials::expect_usage_error;

TEST(SparseAnd, IsTrueIfAllRelevantBitsAreOne) {
  const SparseAnd function{.context_length = 4, .relevant = {0, 2}};
  BitPatterns inputs(16, 4);
  for (int64_t sample = 0; sample < 16; ++sample) {
    for (int64_t bit = 0; bit < 4; ++bit) {
      inputs.set(sample, bit, ((sample >> bit) & 1) != 0);
    }
    EXPECT_EQ(function(inputs, sample), (sample & 0b0101) == 0b0101) << sample;
  }
}

TEST(SparseAnd, RuleTokenSelectsTheRelevantBits) {
  const SparseAnd function{.context_length = 4, .relevant = {0}, .relevant_under_rule = {1}};
  BitPatterns inputs(16, 4);
  for (int64_t sample = 0; sample < 16; ++sample) {
    for (int64_t bit = 0; bit < 4; ++bit) {
      inputs.set(sample, bit, ((sample >> bit) & 1) != 0);
    }
    EXPECT_EQ(function(inputs, sample), ((sample >> (sample >> 3)) & 1) != 0) << sample;
  }
}

TEST(SparseAnd, PicksRelevantBitsUniformly) {
  std::vector<int64_t> times(8);
  constexpr int64_t kDraws = 4000;
  for (uint64_t draw = 0; draw < kDraws; ++draw) {
    const SparseAnd function = pick_sparse_and(9, 2, true, Random(5).stream(draw));
    std::set<int64_t> places(function.relevant.begin(), function.relevant.end());
    places.insert(function.relevant_under_rule.begin(), function.relevant_under_rule.end());
    ASSERT_EQ(places.size(), 4U);   // all distinct, and the two sets are disjoint
    ASSERT_LT(*places.rbegin(), 8); // not the rule token
    ASSERT_TRUE(std::ranges::is_sorted(function.relevant));
    for (const int64_t bit : function.relevant) {
      ++times[static_cast<size_t>(bit)];
    }
  }
  for (const int64_t count : times) {
    EXPECT_NEAR(static_cast<double>(count), kDraws / 4.0, 5 * std::sqrt(kDraws * 0.25 * 0.75));
  }
}

TEST(SparseAnd, SamplesAreBalancedWithCorrectLabelsAndThePublishedProbability) {
  for (const bool with_rule : {false, true}) {
    const SparseAnd function = pick_sparse_and(17, with_rule ? 2 : 3, with_rule, Random(1));
    const LabelledBits samples = draw_samples(function, 2000, Random(2));
    EXPECT_TRUE(samples.passed);
    EXPECT_GE(samples.fraction_true(), with_rule ? 0.45 : 0.4);
    EXPECT_LE(samples.fraction_true(), with_rule ? 0.55 : 0.6);
    int64_t ones = 0;
    for (int64_t sample = 0; sample < 2000; ++sample) {
      EXPECT_EQ(samples.labels[static_cast<size_t>(sample)], function(samples.inputs, sample) ? 1 : 0);
      for (int64_t bit = 0; bit < 16; ++bit) {
        ones += samples.inputs.get(sample, bit) ? 1 : 0;
      }
    }
    const double expected = with_rule ? std::sqrt(0.5) : std::cbrt(0.5);
    EXPECT_NEAR(static_cast<double>(ones) / 32000, expected,
                5 * std::sqrt(expected * (1 - expected) / 32000));
  }
}

TEST(SparseAnd, RejectsSamplesWithASecondHypothesis) {
  // With five samples of twelve bits, two bits are often equal by chance.
  for (uint64_t draw = 0; draw < 50; ++draw) {
    const SparseAnd function = pick_sparse_and(12, 2, false, Random(draw));
    const LabelledBits samples = draw_samples(function, 5, Random(draw).stream(1));
    for (const int64_t bit : function.relevant) {
      for (int64_t other = 0; other < 12; ++other) {
        if (std::ranges::find(function.relevant, other) == function.relevant.end()) {
          bool differ = false;
          for (int64_t sample = 0; sample < 5; ++sample) {
            differ = differ || samples.inputs.get(sample, bit) != samples.inputs.get(sample, other);
          }
          EXPECT_TRUE(differ) << "bits " << bit << " and " << other << " of draw " << draw;
        }
      }
    }
  }
}

TEST(SparseAnd, AcceptsTheLastTryOnlyIfRequested) {
  // Four bits of probability (1/2)^(1/2) are all 1 in a quarter of the samples, never in 45 %.
  const SparseAnd function = pick_sparse_and(17, 4, true, Random(1));
  expect_usage_error([&] { draw_samples(function, 200, Random(1)); },
                     {"100 batches of 200 samples", "0.45 to 0.55", "s = 4", "0.25", "0.8409"});
  const LabelledBits last = draw_samples(function, 200, Random(1), {.accept_last_try = true});
  EXPECT_FALSE(last.passed);
  EXPECT_EQ(last.tries, 100);
  EXPECT_NEAR(last.fraction_true(), 0.25, 5 * std::sqrt(0.25 * 0.75 / 200));
  EXPECT_TRUE(draw_samples(function, 200, Random(1), {.probability_of_one = std::pow(0.5, 0.25)}).passed);
}

TEST(SparseAnd, RejectsInvalidArguments) {
  expect_usage_error([] { pick_sparse_and(5, 6, false, Random(1)); }, {"s = 6", "T = 5"});
  expect_usage_error([] { pick_sparse_and(8, 4, true, Random(1)); },
                     {"2 s = 8", "T - 1 = 7", "decrease s to 3"});
  expect_usage_error([] { pick_sparse_and(8, 0, true, Random(1)); }, {"is 0", "at least 1"});
  expect_usage_error([] { pick_sparse_and(1, 2, true, Random(1)); },
                     {"T = 1", "at least 3", "Increase T to 5"});
  expect_usage_error([] { pick_sparse_and(-3, 1, true, Random(1)); }, {"2 s = 2", "T - 1 = -4"});
  const SparseAnd function = pick_sparse_and(8, 2, false, Random(1));
  expect_usage_error([&] { draw_samples(function, 0, Random(1)); }, {"0 samples", "at least 1"});
  expect_usage_error([&] { draw_samples(function, 9, Random(1), {.probability_of_one = 1.5}); },
                     {"1.5", "from 0 to 1"});
}

} // namespace
} // namespace mneme::data
