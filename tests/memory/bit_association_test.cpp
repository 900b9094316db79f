// SPDX-License-Identifier: MIT

/// Compares recall of bits by Hamming distance with three separate steps, which store every score and every
/// weight.
#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "mneme/core/parallel.h"
#include "mneme/core/random.h"
#include "mneme/data/corruption.h"
#include "mneme/data/random_patterns.h"
#include "mneme/memory/associate.h"

namespace mneme {
namespace {

struct NamedSeparation {
  std::string name;
  Separation separation;
  bool needs_distances = false; ///< Hamming or cosine scores
};

std::vector<NamedSeparation> separations(int64_t bits) {
  return {
      {"BestMatch", BestMatch{}},
      {"Radius", Radius{bits * 2 / 5}, true},
      {"Radius of 0", Radius{0}, true},
      {"CircleIntersection", CircleIntersection{bits, bits * 2 / 5}, true},
      {"CapIntersection", CapIntersection{bits, bits * 2 / 5}, true},
      {"Softmax 0", Softmax{0}},
      {"Softmax 0.01", Softmax{0.01}},
      {"Softmax 3", Softmax{3}},
      {"Softmax 40", Softmax{40}},
      {"Softmax of underflowing weights", Softmax{5000}},
      {"Softmax of infinite beta", Softmax{std::numeric_limits<double>::infinity()}},
      {"Sparsemax", Sparsemax{0.5}},
      {"Sparsemax 0", Sparsemax{0}},
      {"Entmax15", Entmax15{2}},
      {"normmax", SimplexWeights{SimplexSeparation::normmax, 4}},
      {"entmax", SimplexWeights{SimplexSeparation::entmax(1.25), 1}},
      {"Polynomial", Polynomial{5}},
      {"Identity", Identity{}},
  };
}

int64_t count_nonzero(std::span<const double> weights) {
  return std::ranges::count_if(weights, [](double weight) { return weight != 0; });
}

/// Compares recall with similarity, separation and projection as separate steps, for every similarity and
/// every separation that accepts its scores.
void expect_equals_separate_steps(const BitPatterns& cues, const BitPatterns& stored,
                                  const BitPatterns& values) {
  const std::vector<std::pair<std::string, Similarity>> similarities = {{"Hamming", Hamming{}},
                                                                        {"Dot", Dot{}},
                                                                        {"Cosine", Cosine{}},
                                                                        {"Euclidean", Euclidean{}},
                                                                        {"Manhattan", Manhattan{}}};
  for (const auto& [similarity_name, choice] : similarities) {
    for (const NamedSeparation& named : separations(stored.bits())) {
      if (named.needs_distances && score_kind(choice) == ScoreKind::other) {
        continue;
      }
      SCOPED_TRACE(similarity_name + ", " + named.name);
      const RealPatterns weights = separate(similarity(cues, stored, choice), named.separation);
      const RealPatterns sums = project(weights, to_bipolar(values), Average{});
      const auto recall = AssociativeMemory<BitPatterns>(stored, {.similarity = choice,
                                                                  .separation = named.separation,
                                                                  .values = values,
                                                                  .update = {.empty_read = EmptyRead::zeros}})
                              .recall(cues);
      for (int64_t q = 0; q < cues.count(); ++q) {
        ASSERT_EQ(recall.num_activated[static_cast<size_t>(q)], count_nonzero(weights[q])) << "cue " << q;
        for (int64_t b = 0; b < values.bits(); ++b) {
          const double sum = sums[q][static_cast<size_t>(b)];
          if (std::abs(sum) > 1e-12) { // a tie depends on rounding
            ASSERT_EQ(recall.readout.get(q, b), sum > 0) << "cue " << q << ", bit " << b << ", sum " << sum;
          }
        }
      }
    }
  }
}

TEST(BitAssociation, EqualsThreeSeparateSteps) {
  const Random random(41);
  for (const int64_t bits : {8, 64, 130}) {
    for (const int64_t count : {1, 300}) {
      SCOPED_TRACE(std::to_string(count) + " patterns of " + std::to_string(bits) + " bits");
      const BitPatterns stored = data::random_bits(count, bits, random.stream(1));
      const BitPatterns cues =
          data::flip_bits(slice(stored, 0, std::min<int64_t>(count, 7)), bits / 10, random.stream(2));
      expect_equals_separate_steps(cues, stored, stored);
      expect_equals_separate_steps(cues, stored, data::random_bits(count, 77, random.stream(3)));
    }
  }
}

TEST(BitAssociation, EqualsThreeSeparateStepsOverManyTiles) {
  const Random random(43);
  const BitPatterns stored = data::random_bits(9'000, 100, random.stream(1));
  const BitPatterns cues = data::flip_bits(slice(stored, 8'000, 8'006), 10, random.stream(2));
  expect_equals_separate_steps(cues, stored, stored);              // many queries
  expect_equals_separate_steps(slice(cues, 0, 1), stored, stored); // few
}

TEST(BitAssociation, AddsAllPatternsWhereTheNearestAreTied) {
  // The two nearest patterns differ in every bit, so that their sums are 0 and the distant patterns decide.
  constexpr int64_t kBits = 128;
  BitPatterns stored = data::random_bits(3000, kBits, Random(47));
  for (int64_t b = 0; b < kBits; ++b) {
    stored.set(0, b, b < kBits / 2);
    stored.set(1, b, b >= kBits / 2);
  }
  BitPatterns cue(1, kBits); // halfway between them
  for (int64_t b = 0; b < kBits; ++b) {
    cue.set(0, b, b % 2 == 0);
  }
  expect_equals_separate_steps(cue, stored, stored);
}

TEST(BitAssociation, TiesOfEqualWeightsAreExact) {
  const BitPatterns some = data::random_bits(150, 100, Random(59));
  BitPatterns stored(300, 100);
  for (int64_t s = 0; s < 150; ++s) {
    for (int64_t b = 0; b < 100; ++b) {
      stored.set(s, b, some.get(s, b));
      stored.set(150 + s, b, !some.get(s, b));
    }
  }
  const auto recall =
      AssociativeMemory<BitPatterns>(stored, {.similarity = Hamming{}, .separation = Softmax{0}})
          .recall(slice(some, 0, 1));
  EXPECT_EQ(recall.readout, BitPatterns(1, 100)); // all zeros
}

/// Sums of many rows are added in groups, and columns of equally many ones and zeros have sums near 0, so
/// that any other order of additions would show.
TEST(BitAssociation, IsIndependentOfTheOtherQueries) {
  constexpr int64_t kHalf = 25'000, kBits = 64;
  const Random random(61);
  const BitPatterns some = data::random_bits(kHalf, kBits, random.stream(1));
  const BitPatterns stored = data::random_bits(2 * kHalf, kBits, random.stream(2));
  BitPatterns values(2 * kHalf, kBits);
  for (int64_t s = 0; s < kHalf; ++s) {
    for (int64_t b = 0; b < kBits; ++b) {
      values.set(s, b, some.get(s, b));
      values.set(kHalf + s, b, !some.get(s, b));
    }
  }
  const BitPatterns cues = data::random_bits(6, kBits, random.stream(3));
  for (const Separation& separation :
       {Separation(Softmax{0.07}), Separation(CircleIntersection{kBits, 25})}) {
    const AssociativeMemory<BitPatterns> memory(
        stored, {.similarity = Cosine{}, .separation = separation, .values = values});
    const auto together = memory.recall(cues);
    for (int64_t q = 0; q < cues.count(); ++q) {
      const auto alone = memory.recall(slice(cues, q, q + 1));
      EXPECT_EQ(hamming_distance(together.readout, q, alone.readout, 0), 0) << q;
    }
  }
}

TEST(BitAssociation, IsIndependentOfTheNumberOfThreads) {
  const Random random(53);
  const BitPatterns stored = data::random_bits(40'000, 192, random.stream(1));
  const BitPatterns cues = data::flip_bits(slice(stored, 39'000, 39'040), 30, random.stream(2));
  const int before = threads();
  for (const NamedSeparation& named : separations(192)) {
    const AssociativeMemory<BitPatterns> memory(stored,
                                                {.similarity = Hamming{}, .separation = named.separation});
    for (const BitPatterns& some : {cues, slice(cues, 0, 1)}) {
      set_threads(1);
      const auto one_thread = memory.recall(some);
      set_threads(4);
      const auto four_threads = memory.recall(some);
      EXPECT_EQ(one_thread.readout, four_threads.readout) << named.name;
      EXPECT_EQ(one_thread.num_activated, four_threads.num_activated) << named.name;
    }
  }
  set_threads(before);
}

TEST(BitAssociation, CountsManyStoredPatternsTileByTile) {
  constexpr int64_t kBits = 40, kValueBits = 70;
  const BitPatterns stored = data::random_bits(120'001, kBits, Random(1)),
                    values = data::random_bits(120'001, kValueBits, Random(2));
  for (const int64_t queries : {2, 13}) {
    const BitPatterns cues = data::flip_bits(slice(stored, 500, 500 + queries), 4, Random(3));
    for (const Separation& separation :
         {Separation(CircleIntersection{kBits, 16}), Separation(Radius{15}), Separation(Radius{20})}) {
      const RealPatterns weights = separate(similarity(cues, stored, Hamming{}), separation);
      const AssociativeMemory<BitPatterns> memory(
          stored,
          {.similarity = Hamming{}, .separation = separation, .projection = Majority{}, .values = values});
      const int before = threads();
      set_threads(1);
      const Recall<BitPatterns> recall = memory.recall(cues);
      set_threads(3);
      EXPECT_EQ(memory.recall(cues).readout, recall.readout);
      set_threads(before);
      for (int64_t q = 0; q < queries; ++q) {
        EXPECT_EQ(recall.num_activated[static_cast<size_t>(q)], count_nonzero(weights[q]));
        for (int64_t b = 0; b < kValueBits; b += 11) { // of both words
          double sum = 0, magnitude = 0;
          for (int64_t s = 0; s < stored.count(); ++s) {
            const double weight = weights[q][static_cast<size_t>(s)];
            sum += values.get(s, b) ? weight : -weight;
            magnitude += weight;
          }
          if (std::abs(sum) > 1e-9 * magnitude) { // else its sign is rounding
            ASSERT_EQ(recall.readout.get(q, b), sum > 0)
                << queries << " queries, query " << q << ", bit " << b;
          }
        }
      }
    }
  }
}

} // namespace
} // namespace mneme
