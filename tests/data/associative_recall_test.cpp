// SPDX-License-Identifier: MIT

#include "mneme/data/associative_recall.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "data/testing.h"
#include "mneme/core/parallel.h"

namespace mneme::data {
namespace {

constexpr int32_t kNone = kNoLabel;

std::vector<int32_t> row(const std::vector<int32_t>& all, const AssociativeRecall& recall, int64_t example) {
  const auto begin = all.begin() + example * recall.length;
  return {begin, begin + recall.length};
}

TEST(AssociativeRecall, LaysOutAnExampleAsPublished) {
  // Slots 4 and 1 of 6, for instance: 2 8 4 7 0 0 4 0 0 0 0 0 2 0 0 0 with the labels 7 at the 4, 8 at the 2.
  const AssociativeRecall recall = draw_associative_recall(
      {.num_examples = 10'000, .length = 16, .num_pairs = 2, .vocab_size = 18, .random_fill = false});
  int64_t found = 0;
  for (int64_t i = 0; i < recall.num_examples(); ++i) {
    const std::vector<int32_t> t = row(recall.tokens, recall, i);
    if (t[12] == t[0] && t[6] == t[2]) {
      EXPECT_EQ(t, (std::vector<int32_t>{t[0], t[1], t[2], t[3], 0, 0, t[2], 0, 0, 0, 0, 0, t[0], 0, 0, 0}));
      std::vector<int32_t> labels(16, kNone);
      labels[6] = t[3];
      labels[12] = t[1];
      EXPECT_EQ(row(recall.labels, recall, i), labels);
      ++found;
    }
  }
  EXPECT_NEAR(static_cast<double>(found), 10'000 * 0.0183, 50); // about (1/5) / 2.45 * (1/2) / (2.45 - 1/5)
}

TEST(AssociativeRecall, HasThePublishedLayout) {
  for (const int64_t passes : {1, 2}) {
    const AssociativeRecallOptions options{.num_examples = 200,
                                           .length = 40,
                                           .num_pairs = 5,
                                           .vocab_size = 51,
                                           .num_passes = passes,
                                           .random_fill = false};
    const AssociativeRecall recall = draw_associative_recall(options);
    ASSERT_EQ(recall.num_examples(), 200);
    for (int64_t i = 0; i < 200; ++i) {
      const std::vector<int32_t> tokens = row(recall.tokens, recall, i),
                                 labels = row(recall.labels, recall, i);
      std::map<int32_t, int32_t> value_of;
      std::set<int32_t> values;
      for (size_t at = 0; at < 10; at += 2) {
        EXPECT_TRUE(1 <= tokens[at] && tokens[at] < 25) << tokens[at];
        EXPECT_TRUE(25 <= tokens[at + 1] && tokens[at + 1] < 51) << tokens[at + 1];
        value_of[tokens[at]] = tokens[at + 1];
        values.insert(tokens[at + 1]);
      }
      EXPECT_EQ(value_of.size(), 5U);
      EXPECT_EQ(values.size(), 5U);
      const auto context = static_cast<size_t>(10 * passes);
      for (size_t at = 10; at < context; ++at) {
        EXPECT_EQ(tokens[at], tokens[at - 10]);
      }
      std::set<int32_t> queried;
      for (size_t at = 0; at < tokens.size(); ++at) {
        if (labels[at] != kNone) {
          EXPECT_GE(at, context);
          EXPECT_EQ(at % 2, 0U);
          ASSERT_TRUE(value_of.contains(tokens[at]));
          EXPECT_EQ(labels[at], value_of[tokens[at]]);
          EXPECT_TRUE(queried.insert(tokens[at]).second);
        } else if (at >= context) {
          EXPECT_EQ(tokens[at], 0);
        }
      }
      EXPECT_EQ(queried.size(), 5U);
    }
  }
}

TEST(AssociativeRecall, SlotsAreDrawnWithoutReplacementWithDecreasingProbability) {
  const AssociativeRecallOptions options{
      .num_examples = 50'000, .length = 20, .num_pairs = 2, .vocab_size = 64, .random_fill = false};
  const std::vector<double> p = query_slot_probabilities(options);
  ASSERT_EQ(p.size(), 8U);
  EXPECT_NEAR(p[1] / p[0], std::pow(2.0, -0.99), 1e-15);
  EXPECT_NEAR(p[7] / p[0], std::pow(8.0, -0.99), 1e-15);
  const AssociativeRecall recall = draw_associative_recall(options);
  std::vector<double> first(8), second(8);
  for (int64_t i = 0; i < recall.num_examples(); ++i) {
    const std::vector<int32_t> tokens = row(recall.tokens, recall, i);
    for (size_t slot = 0; slot < 8; ++slot) {
      first[slot] += tokens[4 + 2 * slot] == tokens[0] ? 1 : 0;
      second[slot] += tokens[4 + 2 * slot] == tokens[2] ? 1 : 0;
    }
  }
  for (size_t slot = 0; slot < 8; ++slot) {
    double expected = 0;
    for (size_t other = 0; other < 8; ++other) {
      expected += other == slot ? 0 : p[other] * p[slot] / (1 - p[other]);
    }
    const auto four_deviations = [](double q) { return 4 * std::sqrt(q * (1 - q) / 50'000); };
    EXPECT_NEAR(first[slot] / 50'000, p[slot], four_deviations(p[slot])) << slot;
    EXPECT_NEAR(second[slot] / 50'000, expected, four_deviations(expected)) << slot;
  }
}

TEST(AssociativeRecall, RandomTokensFillThePositionsBetween) {
  AssociativeRecallOptions options{.num_examples = 4000, .length = 30, .num_pairs = 3, .vocab_size = 32};
  const AssociativeRecall filled = draw_associative_recall(options);
  options.random_fill = false;
  const AssociativeRecall zeros = draw_associative_recall(options);
  EXPECT_EQ(filled.labels, zeros.labels);
  std::vector<int64_t> counts(32);
  int64_t total = 0;
  for (size_t at = 0; at < filled.tokens.size(); ++at) {
    if (zeros.tokens[at] != 0) {
      EXPECT_EQ(filled.tokens[at], zeros.tokens[at]);
    } else {
      ++counts[static_cast<size_t>(filled.tokens[at])];
      ++total;
    }
  }
  EXPECT_EQ(total, 4000 * (30 - 9));
  const double mean = static_cast<double>(total) / 32;
  for (const int64_t count : counts) {
    EXPECT_NEAR(static_cast<double>(count), mean, 5 * std::sqrt(mean));
  }
}

TEST(AssociativeRecall, DependsOnTheSeedAlone) {
  AssociativeRecallOptions options{.num_examples = 200};
  const AssociativeRecall all = draw_associative_recall(options);
  const int before = threads();
  set_threads(1);
  EXPECT_EQ(draw_associative_recall(options).tokens, all.tokens);
  set_threads(before);
  options.num_examples = 3;
  const AssociativeRecall some = draw_associative_recall(options);
  EXPECT_TRUE(std::ranges::equal(some.tokens, std::span(all.tokens).first(some.tokens.size())));
  options.seed = 2;
  EXPECT_NE(draw_associative_recall(options).tokens, some.tokens);
}

TEST(AssociativeRecall, FillsTheSequenceWithAsManyPairsAsPossible) {
  const AssociativeRecall recall =
      draw_associative_recall({.num_examples = 5, .length = 64, .num_pairs = 16, .vocab_size = 65});
  EXPECT_EQ(std::ranges::count_if(recall.labels, [](int32_t label) { return label != kNone; }), 5 * 16);
}

TEST(AssociativeRecall, RejectsInvalidOptions) {
  const auto expect_rejected = [](AssociativeRecallOptions options,
                                  std::initializer_list<std::string_view> parts) {
    expect_error<UsageError>([&] { draw_associative_recall(options); }, parts);
    expect_error<UsageError>([&] { query_slot_probabilities(options); }, parts);
  };
  expect_rejected({.num_examples = 0}, {"num_examples is 0"});
  expect_rejected({.length = 0}, {"length is 0"});
  expect_rejected({.length = 63}, {"length is 63", "even", "62 or 64"});
  expect_rejected({.length = 64, .vocab_size = 64}, {"length is 64", "vocab_size is 64"});
  expect_rejected({.vocab_size = int64_t{1} << 31}, {"vocab_size is 2147483648", "2147483647"});
  expect_rejected({.num_pairs = 0}, {"num_pairs is 0"});
  expect_rejected({.length = 64, .num_pairs = 17}, {"num_pairs is 17", "length = 64", "at most 16"});
  expect_rejected({.length = 64, .num_pairs = 11, .num_passes = 2},
                  {"num_pairs is 11", "num_passes is 2", "at most 10"});
  expect_rejected({.num_passes = 0}, {"num_passes is 0"});
  expect_rejected({.power = 0}, {"power is 0", "(0, 1]"});
  expect_rejected({.power = NAN}, {"power is nan"});
  expect_rejected({.num_examples = 4'000'000'000, .length = 1'000'000, .vocab_size = 2'000'000},
                  {"4000000000 lists of 1000000 rows"});
}

} // namespace
} // namespace mneme::data
