// SPDX-License-Identifier: MIT

#include "mneme/memory/associate.h"

#include <cmath>
#include <algorithm>
#include <limits>
#include <memory>
#include <utility>

#include "memory/samples.h"
#include "mneme/core/parallel.h"
#include "mneme/memory/attention.h"
#include "mneme/memory/pattern_sdm.h"

namespace mneme {
namespace {

using test::expect_contains;
using test::usage_error;

void expect_near(const RealPatterns& a, const RealPatterns& b, double tolerance) {
  ASSERT_EQ(a.count(), b.count());
  ASSERT_EQ(a.size(), b.size());
  for (int64_t i = 0; i < a.count(); ++i) {
    for (size_t j = 0; j < a[i].size(); ++j) {
      ASSERT_NEAR(a[i][j], b[i][j], tolerance) << "pattern " << i << ", component " << j;
    }
  }
}

const std::vector<Separation> kSeparations = {Softmax{4},    Sparsemax{2}, Entmax15{2},
                                              Polynomial{3}, Identity{},   BestMatch{}};
const std::vector<Similarity> kSimilarities = {Hamming{}, Dot{}, Cosine{}, Euclidean{}, Manhattan{}};

TEST(Associate, EqualsSimilaritySeparationProjection) {
  const RealPatterns cues = test::random_sphere(37, 20, 1), stored = test::random_sphere(70, 20, 2);
  const BitPatterns bit_cues = test::random_bits(37, 100, 3), bit_stored = test::random_bits(70, 100, 4);
  for (const Similarity& measure : kSimilarities) {
    for (const Separation& separation : kSeparations) {
      SCOPED_TRACE("similarity " + std::to_string(measure.index()) + ", separation " +
                   std::to_string(separation.index()));
      const Recall<RealPatterns> reals = associate(
          cues, stored,
          {.similarity = measure, .separation = separation, .update = {.empty_read = EmptyRead::zeros}});
      expect_near(reals.readout, project(separate(similarity(cues, stored, measure), separation), stored),
                  1e-12);
      const Recall<BitPatterns> bits = associate(
          bit_cues, bit_stored,
          {.similarity = measure, .separation = separation, .update = {.empty_read = EmptyRead::zeros}});
      const RealPatterns votes =
          project(separate(similarity(bit_cues, bit_stored, measure), separation), to_bipolar(bit_stored));
      for (int64_t q = 0; q < votes.count(); ++q) {
        for (int64_t b = 0; b < votes.size(); ++b) {
          if (const double vote = votes[q][size_t(b)]; std::abs(vote) > 1e-12) { // a tie depends on rounding
            ASSERT_EQ(bits.readout.get(q, b), vote > 0);
          }
        }
      }
    }
  }
}

TEST(Associate, ConvergesToTheBestMatchForLargeBeta) {
  const RealPatterns cues = test::random_sphere(20, 16, 5), stored = test::random_sphere(50, 16, 6);
  const RealPatterns best = associate(cues, stored, {.similarity = Dot{}, .separation = BestMatch{}}).readout;
  expect_near(associate(cues, stored, {.similarity = Dot{}, .separation = Softmax{1e5}}).readout, best,
              1e-12);
  expect_near(associate(cues, stored,
                        {.similarity = Dot{}, .separation = Softmax{std::numeric_limits<double>::infinity()}})
                  .readout,
              best, 0);
}

TEST(Associate, IsIndependentOfTheOrderOfStoredPatterns) {
  const BitPatterns stored = test::random_bits(60, 128, 7), cues = test::with_flips(stored, 20, 8);
  BitPatterns reversed(60, 128);
  for (int64_t i = 0; i < 60; ++i) {
    std::ranges::copy(stored[i], reversed[59 - i].begin());
  }
  const auto options = pattern_sdm(128, 40);
  EXPECT_EQ(associate(cues, stored, options).readout, associate(cues, reversed, options).readout);
}

TEST(Associate, IsIndependentOfTheNumberOfThreads) {
  const RealPatterns stored = test::random_sphere(100, 30, 9), cues = test::random_sphere(200, 30, 10);
  auto options = sdm_attention(30, 8);
  options.update.update_steps_max = 5;
  const int before = threads();
  set_threads(1);
  const Recall<RealPatterns> one_thread = associate(cues, stored, options);
  set_threads(4);
  const Recall<RealPatterns> four_threads = associate(cues, stored, options);
  set_threads(before);
  EXPECT_EQ(one_thread.readout, four_threads.readout);
  EXPECT_EQ(one_thread.steps, four_threads.steps);
}

TEST(Associate, IsIndependentOfTheOtherCues) {
  const RealPatterns stored = test::random_sphere(40, 12, 11), cues = test::random_sphere(70, 12, 12);
  auto options = sdm_attention(12, 4);
  options.update.update_steps_max = 6;
  const AssociativeMemory<RealPatterns> memory(stored, options);
  const Recall<RealPatterns> all = memory.recall(cues);
  for (int64_t i = 0; i < cues.count(); ++i) {
    const Recall<RealPatterns> alone = memory.recall(slice(cues, i, i + 1));
    EXPECT_TRUE(std::ranges::equal(alone.readout[0], all.readout[i])) << "cue " << i;
    EXPECT_EQ(alone.steps[0], all.steps[size_t(i)]);
  }
}

/// A cue whose weights are almost all 0 has the same bits among cues that have many weights.
TEST(Associate, IsIndependentOfTheOtherCuesWhereFewWeightsAreNotZero) {
  const RealPatterns stored = test::random_sphere(400, 24, 13);
  RealPatterns cues = test::random_sphere(60, 24, 14);
  for (int64_t i = 0; i < cues.count(); i += 2) { // large scores: a softmax with few weights
    std::ranges::transform(cues[i], cues[i].begin(), [](double x) { return 100 * x; });
  }
  for (const Precision precision : {Precision::float32, Precision::float64}) {
    for (const Separation& separation :
         {Separation(BestMatch{}), Separation(Softmax{20}), Separation(Sparsemax{5})}) {
      const AssociativeMemory<RealPatterns> memory(
          stored, {.similarity = Dot{}, .separation = separation, .precision = precision});
      const RealPatterns all = memory.recall(cues).readout;
      for (int64_t i = 0; i < cues.count(); ++i) {
        EXPECT_TRUE(std::ranges::equal(memory.recall(slice(cues, i, i + 1)).readout[0], all[i]))
            << "cue " << i << ", separation " << separation.index();
      }
    }
  }
}

TEST(Associate, Float32IsCloseToFloat64) {
  const RealPatterns stored = test::random_sphere(90, 33, 24), cues = test::random_sphere(50, 33, 25);
  for (const Similarity& measure : {Similarity(Dot{}), Similarity(Cosine{}), Similarity(Euclidean{})}) {
    for (const Separation& separation : kSeparations) {
      SCOPED_TRACE("similarity " + std::to_string(measure.index()) + ", separation " +
                   std::to_string(separation.index()));
      AssociateOptions<RealPatterns> options{.similarity = measure, .separation = separation};
      const RealPatterns exact = associate(cues, stored, options).readout;
      options.precision = Precision::float32;
      expect_near(associate(cues, stored, options).readout, exact,
                  std::holds_alternative<Identity>(separation) ? 2e-4 : 2e-5);
    }
  }
  const BitPatterns bits = test::random_bits(40, 256, 26), noisy = test::with_flips(bits, 60, 27);
  AssociateOptions<BitPatterns> options =
      pattern_sdm(256, 100, {.hard_locations = 0x1p200}); // counts beyond the range of float
  options.precision = Precision::float32;
  EXPECT_EQ(AssociativeMemory(bits, options).recall(noisy, {.update_steps_max = 5}).readout, bits);
}

/// Cosines of signs are rounded to the Hamming distances that the bits have.
TEST(Associate, SignsHaveTheDistancesOfTheirBits) {
  for (const int64_t bits : {7, 20, 64, 1000, 10'007}) {
    const BitPatterns stored = test::random_bits(30, bits, 61),
                      cues = test::with_flips(slice(stored, 0, 9), bits / 3, 62);
    for (const Similarity& measure : {Similarity(Hamming{}), Similarity(Cosine{})}) {
      for (const int64_t at : {0, 11, 29}) { // radii at which some pattern is on the circle
        const int64_t radius = hamming_distance(cues, 1, stored, at);
        for (const Separation& separation :
             {Separation(Radius{radius}),
              Separation(CircleIntersection{.bits = bits, .hamming_radius = radius})}) {
          const AssociativeMemory<RealPatterns> memory(to_bipolar(stored),
                                                       {.similarity = measure, .separation = separation});
          const RealPatterns of_signs =
              memory.recall(to_bipolar(cues), {.empty_read = EmptyRead::zeros}).readout;
          const RealPatterns of_bits = project(separate(similarity(cues, stored, Hamming{}), separation),
                                               to_bipolar(stored), Average{});
          expect_near(of_signs, of_bits, 1e-12);
        }
      }
    }
  }
}

TEST(Associate, EqualQueriesHaveEqualReadouts) {
  const BitPatterns stored = test::random_bits(20, 96, 28),
                    few = test::with_flips(slice(stored, 0, 3), 20, 29);
  BitPatterns cues(300, 96);
  for (int64_t i = 0; i < cues.count(); ++i) {
    std::ranges::copy(few[i % 3], cues[i].begin());
  }
  const AssociativeMemory<BitPatterns> memory(stored, pattern_sdm(96, 30));
  const Recall<BitPatterns> all = memory.recall(cues, {.update_steps_max = 4}),
                            three = memory.recall(few, {.update_steps_max = 4});
  for (int64_t i = 0; i < cues.count(); ++i) {
    EXPECT_TRUE(std::ranges::equal(all.readout[i], three.readout[i % 3])) << "cue " << i;
    EXPECT_EQ(all.num_activated[size_t(i)], three.num_activated[size_t(i % 3)]);
  }
}

TEST(Associate, ReturnsTheValueOfTheBestMatch) {
  const BitPatterns stored = test::random_bits(30, 256, 13), values = test::random_bits(30, 40, 14);
  const Recall<BitPatterns> recall =
      associate(test::with_flips(stored, 50, 15), stored,
                {.similarity = Hamming{}, .separation = BestMatch{}, .values = values});
  EXPECT_EQ(recall.readout, values);
  EXPECT_EQ(recall.num_activated, std::vector<int64_t>(30, 1));
}

TEST(Associate, EncodesStoredPatternsAndQueries) {
  const RealPatterns stored = test::random_sphere(25, 10, 16), cues = test::random_sphere(9, 10, 17),
                     matrix = test::random_sphere(4, 10, 18);
  const RealPatterns encoded_stored = similarity(stored, matrix, Dot{}).values,
                     encoded_cues = similarity(cues, matrix, Dot{}).values;
  for (const Similarity& measure : kSimilarities) {
    const RealPatterns encoded =
        associate(cues, stored, {.similarity = measure, .separation = Softmax{3}, .encode = matrix}).readout;
    const RealPatterns expected =
        associate(encoded_cues, encoded_stored,
                  {.similarity = measure, .separation = Softmax{3}, .values = stored})
            .readout;
    expect_near(encoded, expected, 1e-12);
  }
}

TEST(Associate, EncodesBitsAsMinusOneAndPlusOne) {
  const BitPatterns stored = test::random_bits(20, 64, 19), cues = test::with_flips(stored, 6, 20);
  const RealPatterns matrix = test::random_sphere(32, 64, 21);
  const Recall<BitPatterns> recall =
      associate(cues, stored, {.similarity = Cosine{}, .separation = BestMatch{}, .encode = matrix});
  EXPECT_EQ(recall.readout, stored);
}

TEST(Associate, ReportsInvalidArguments) {
  const RealPatterns two(2, 3);
  expect_contains(usage_error([&] { associate(RealPatterns(1, 4), two, {}); }), {"a cue has 4", "3"});
  expect_contains(usage_error([&] { associate(RealPatterns(1, 3), two, {.values = RealPatterns(5, 1)}); }),
                  {"2 stored", "5 values"});
  expect_contains(usage_error([&] { associate(RealPatterns(1, 3), two, {.encode = RealPatterns(5, 7)}); }),
                  {"7", "3"});
  expect_contains(usage_error([&] {
                    associate(RealPatterns(1, 3), two,
                              {.values = RealPatterns(2, 5), .update = {.update_steps_max = 2}});
                  }),
                  {"5", "3", "update_steps_max = 1"});
  expect_contains(
      usage_error([&] { associate(RealPatterns(1, 3), two, {.update = {.update_steps_max = 0}}); }),
      {"0", "at least 1"});
  expect_contains(usage_error([&] {
                    associate(RealPatterns(1, 3),
                              RealPatterns(1, 3, {1, std::numeric_limits<double>::infinity(), 0}), {});
                  }),
                  {"stored pattern 0", "inf", "component 1"});
}

/// An overflow must neither produce NaN nor make different scores equal; the error names the patterns and the
/// arithmetic.
TEST(Associate, RejectsScoresThatOverflow) {
  const RealPatterns stored(2, 2, {1, 0, 1e200, 1e200}), cue(1, 2, {1e200, 1e200});
  for (const Separation& separation :
       {Separation(Softmax{1}), Separation(Sparsemax{1}), Separation(Entmax15{1}), Separation(Polynomial{3}),
        Separation(Identity{}), Separation(BestMatch{})}) {
    expect_contains(
        usage_error([&] { associate(cue, stored, {.similarity = Dot{}, .separation = separation}); }),
        {"query 0", "stored pattern 1", "double", "common factor"});
  }
  expect_contains(usage_error([&] {
                    associate(cue, RealPatterns(1, 2, {-1e200, 0}), {.similarity = Euclidean{}});
                  }),
                  {"query 0", "stored pattern 0", "overflows double"});
  expect_contains(usage_error([&] { similarity(cue, stored, Dot{}); }), {"query 0", "stored pattern 1"});

  const RealPatterns wide(1, 2, {1e30, 1e30});
  for (const Separation& separation : {Separation(Softmax{1}), Separation(BestMatch{})}) {
    const AssociateOptions<RealPatterns> in_float{
        .similarity = Dot{}, .separation = separation, .precision = Precision::float32};
    expect_contains(usage_error([&] { associate(wide, wide, in_float); }),
                    {"query 0", "stored pattern 0", "float"});
    EXPECT_EQ(associate(wide, wide, {.similarity = Dot{}, .separation = separation}).readout, wide);
  }
  // beta multiplies differences of scores, so a large one overflows to weights of 0.
  const AssociateOptions<RealPatterns> steep{
      .similarity = Dot{}, .separation = Softmax{1e300}, .precision = Precision::float32};
  EXPECT_EQ(associate(RealPatterns(1, 1, {1}), RealPatterns(2, 1, {1, 2}), steep).readout,
            RealPatterns(1, 1, {2}));
}

/// A small weight counts where its value is large, and where the values of large weights are 0.
TEST(Associate, KeepsSmallWeightsOfLargeValues) {
  const AssociateOptions<RealPatterns> softmax{
      .similarity = Dot{}, .separation = Softmax{1}, .values = RealPatterns(2, 1, {1, 1e30})};
  const double expected = 1 + 1e30 * std::exp(-50.0);
  EXPECT_NEAR(associate(RealPatterns(1, 1, {1}), RealPatterns(2, 1, {50, 0}), softmax).readout[0][0] /
                  expected,
              1, 1e-12);

  const RealPatterns stored(2, 2, {0, 0, 3, 4});
  const AssociateOptions<RealPatterns> euclidean{.similarity = Euclidean{}, .separation = Softmax{2}};
  const RealPatterns cue(1, 2, {0.5, -0.3});
  const RealPatterns weights = separate(similarity(cue, stored, Euclidean{}), Softmax{2});
  const RealPatterns readout = associate(cue, stored, euclidean).readout;
  EXPECT_NEAR(readout[0][0] / (3 * weights[0][1]), 1, 1e-12);
  EXPECT_NEAR(readout[0][1] / (4 * weights[0][1]), 1, 1e-12);
}

TEST(Associate, Float32AgreesWithFloat64ForLongPatterns) {
  const RealPatterns stored = test::random_sphere(50, 12'000, 71);
  RealPatterns cue(1, 12'000);
  std::ranges::copy(stored[3], cue[0].begin());
  for (const Similarity& choice : {Similarity(Dot{}), Similarity(Euclidean{}), Similarity(Manhattan{})}) {
    const auto readout = [&](Precision precision) {
      return associate(cue, stored, {.similarity = choice, .separation = Softmax{1}, .precision = precision})
          .readout;
    };
    const RealPatterns narrow = readout(Precision::float32), wide = readout(Precision::float64);
    for (size_t i = 0; i < 12'000; ++i) {
      ASSERT_NEAR(narrow[0][i], wide[0][i], 1e-6) << i;
    }
  }
}

TEST(Associate, Float32DiffersInProportionToBetaAndTheScores) {
  const RealPatterns stored = test::random_sphere(200, 64, 72), cues = test::random_sphere(100, 64, 73);
  for (const Similarity& measure :
       {Similarity(Dot{}), Similarity(Cosine{}), Similarity(Euclidean{}), Similarity(Manhattan{})}) {
    const Scores scores = similarity(cues, stored, measure);
    double largest = 0;
    for (int64_t i = 0; i < cues.count(); ++i) {
      for (const double score : scores.values[i]) {
        largest = std::max(largest, std::abs(score));
      }
    }
    for (const double beta : {1.0, 10.0, 48.0, 200.0}) {
      for (const Separation& separation :
           {Separation(Softmax{beta}), Separation(Sparsemax{beta}), Separation(Entmax15{beta})}) {
        AssociateOptions<RealPatterns> options{.similarity = measure, .separation = separation};
        const RealPatterns exact = associate(cues, stored, options).readout;
        options.precision = Precision::float32;
        SCOPED_TRACE("similarity " + std::to_string(measure.index()) + ", beta " + std::to_string(beta));
        expect_near(associate(cues, stored, options).readout, exact, 1e-6 * (1 + beta * largest));
      }
    }
  }
}

TEST(Associate, RejectsReadoutsThatOverflow) {
  const RealPatterns ones(3, 2, {1, 1, 1, 1, 1, 1}), values(3, 1, {1.5e308, 1.5e308, 1.5e308});
  for (const Separation& separation : {Separation(Polynomial{3}), Separation(Identity{})}) {
    expect_contains(usage_error([&] {
                      associate(RealPatterns(1, 2, {1, 1}), ones,
                                {.similarity = Dot{}, .separation = separation, .values = values});
                    }),
                    {"readout of query 0", "overflows double"});
  }
}

TEST(Associate, CosineSupportsPatternsOfAnyNorm) {
  for (const double length : {1e-300, 1e-200, 1.0, 1e200, 1e300}) {
    const RealPatterns stored(2, 2, {length, 0, 0, length}), cue(1, 2, {length, 0.2 * length});
    const Recall<RealPatterns> recall =
        associate(cue, stored, {.separation = Softmax{2}, .update = {.update_steps_max = 100}});
    const Recall<RealPatterns> of_length_1 =
        associate(RealPatterns(1, 2, {1, 0.2}), RealPatterns(2, 2, {1, 0, 0, 1}),
                  {.separation = Softmax{2}, .update = {.update_steps_max = 100}});
    EXPECT_EQ(recall.steps, of_length_1.steps) << length;
    EXPECT_NEAR(recall.readout[0][0] / length, of_length_1.readout[0][0], 1e-12) << length;
  }
}

TEST(Associate, KeepsTheQueriesWithoutStoredPatterns) {
  const BitPatterns cues = test::random_bits(3, 20, 22);
  const Recall<BitPatterns> recall = associate(cues, BitPatterns(0, 20), {});
  EXPECT_EQ(recall.readout, cues);
  EXPECT_EQ(recall.num_activated, std::vector<int64_t>(3, 0));
  const RealPatterns reals = test::random_sphere(3, 20, 23);
  EXPECT_EQ(associate(reals, RealPatterns(0, 20), {.separation = Softmax{1}}).readout, reals);
}

// NOLINTBEGIN(bugprone-use-after-move,performance-move-const-arg): a move copies
TEST(AssociativeMemory, CanBeUsedAfterAMove) {
  const BitPatterns stored = test::random_bits(20, 90, 26);
  AssociativeMemory<BitPatterns> memory(stored, {.similarity = Hamming{}});
  const AssociativeMemory<BitPatterns> moved = std::move(memory);
  EXPECT_EQ(memory.stored(), stored);
  EXPECT_EQ(memory.recall(stored).readout, moved.recall(stored).readout);
}
// NOLINTEND(bugprone-use-after-move,performance-move-const-arg)

TEST(Associate, SharesStoredPatternsWithoutACopy) {
  const auto stored = std::make_shared<const BitPatterns>(test::random_bits(50, 90, 24));
  const BitPatterns cues = test::with_flips(*stored, 9, 25);
  const AssociativeMemory<BitPatterns> memory(stored, {.similarity = Hamming{}});
  EXPECT_EQ(memory.stored().data(), stored->data());
  EXPECT_EQ(memory.recall(cues).readout, associate(cues, *stored, {.similarity = Hamming{}}).readout);
  expect_contains(
      usage_error([] { AssociativeMemory<BitPatterns>(std::shared_ptr<const BitPatterns>(), {}); }),
      {"null"});
}

} // namespace
} // namespace mneme
