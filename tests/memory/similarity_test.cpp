// SPDX-License-Identifier: MIT

#include "mneme/memory/similarity.h"

#include <cmath>
#include <limits>

#include "memory/samples.h"

namespace mneme {
namespace {

using test::expect_contains;
using test::usage_error;

TEST(Similarity, OfBitsEqualsThatOfBipolarPatterns) {
  const BitPatterns queries = test::random_bits(5, 70, 1), stored = test::random_bits(9, 70, 2);
  const RealPatterns real_queries = to_bipolar(queries), real_stored = to_bipolar(stored);
  for (const Similarity& choice : {Similarity(Hamming{}), Similarity(Dot{}), Similarity(Cosine{}),
                                   Similarity(Euclidean{}), Similarity(Manhattan{})}) {
    const Scores bits = similarity(queries, stored, choice),
                 reals = similarity(real_queries, real_stored, choice);
    EXPECT_EQ(bits.kind, reals.kind);
    for (int64_t q = 0; q < 5; ++q) {
      for (size_t s = 0; s < 9; ++s) {
        EXPECT_NEAR(bits.values[q][s], reals.values[q][s], 1e-12) << "similarity " << choice.index();
      }
    }
  }
}

TEST(Similarity, IsMaximalForThePatternItself) {
  const BitPatterns bits = test::random_bits(20, 128, 3);
  const RealPatterns reals = test::random_sphere(20, 30, 4);
  for (const Similarity& choice : {Similarity(Hamming{}), Similarity(Dot{}), Similarity(Cosine{}),
                                   Similarity(Euclidean{}), Similarity(Manhattan{})}) {
    const RealPatterns of_bits = similarity(bits, bits, choice).values,
                       of_reals = similarity(reals, reals, choice).values;
    for (int64_t i = 0; i < 20; ++i) {
      EXPECT_EQ(std::ranges::max_element(of_bits[i]) - of_bits[i].begin(), i);
      EXPECT_EQ(std::ranges::max_element(of_reals[i]) - of_reals[i].begin(), i);
    }
  }
}

TEST(Similarity, MatchesTheFormula) {
  const RealPatterns query(1, 2, {3, 4}), stored(1, 2, {0, 2});
  const auto score = [&](const Similarity& choice) { return similarity(query, stored, choice).values[0][0]; };
  EXPECT_DOUBLE_EQ(score(Dot{}), 8);
  EXPECT_DOUBLE_EQ(score(Cosine{}), 0.8);
  EXPECT_DOUBLE_EQ(score(Euclidean{}), -13);
  EXPECT_DOUBLE_EQ(score(Manhattan{}), -5);
  EXPECT_DOUBLE_EQ(score(Hamming{}), 0); // floor(2 (1 - 0.8) / 2)
}

TEST(Similarity, ErrorNamesBothSizes) {
  const std::string message = usage_error([] { similarity(RealPatterns(1, 3), RealPatterns(2, 4), Dot{}); });
  expect_contains(message, {"3", "4", "a query", "a stored pattern"});
}

TEST(Similarity, RejectsNaN) {
  const RealPatterns query(1, 2, {0, std::numeric_limits<double>::quiet_NaN()});
  expect_contains(usage_error([&] { similarity(query, RealPatterns(1, 2), Dot{}); }),
                  {"query 0", "nan", "component 1"});
}

} // namespace
} // namespace mneme
