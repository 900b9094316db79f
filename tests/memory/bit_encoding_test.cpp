// SPDX-License-Identifier: MIT

#include "mneme/memory/bit_encoding.h"

#include <algorithm>
#include <cmath>

#include <gtest/gtest.h>

#include "memory/samples.h"
#include "mneme/core/parallel.h"
#include "mneme/memory/associate.h"
#include "mneme/memory/neuron_sdm.h"
#include "mneme/memory/pattern_sdm.h"
#include "mneme/theory/space_fraction.h"

namespace mneme {
namespace {

using test::expect_contains;
using test::usage_error;

/// Patterns on a black background: the first half of the bits is 0, and one in five of the others is 1.
BitPatterns sparse_patterns(int64_t count, int64_t bits, uint64_t seed) {
  BitPatterns patterns(count, bits);
  Random random(seed);
  for (int64_t i = 0; i < count; ++i) {
    for (int64_t b = bits / 2; b < bits; ++b) {
      patterns.set(i, b, random.uniform() < 0.2);
    }
  }
  return patterns;
}

/// Mean normalised Hamming distance of two patterns.
double mean_distance(const BitPatterns& patterns) {
  double sum = 0;
  for (int64_t i = 0; i < patterns.count(); ++i) {
    for (int64_t j = 0; j < i; ++j) {
      sum += static_cast<double>(hamming_distance(patterns, i, patterns, j));
    }
  }
  return 2 * sum / static_cast<double>(patterns.count() * (patterns.count() - 1) * patterns.bits());
}

TEST(BitEncoding, SpreadsSimilarPatterns) {
  const BitPatterns patterns = sparse_patterns(60, 300, 1);
  const BitPatterns encoded = BitEncoding(patterns).encode(patterns);
  EXPECT_EQ(encoded.bits(), 512);
  EXPECT_LT(mean_distance(patterns), 0.2);
  EXPECT_GT(mean_distance(encoded), 0.4);
}

TEST(BitEncoding, PreservesNeighboursAndIgnoresConstantBits) {
  const BitPatterns patterns = sparse_patterns(60, 300, 1);
  const BitEncoding encoding(patterns);
  const BitPatterns encoded = encoding.encode(patterns);
  BitPatterns constant_flipped = patterns, near = patterns;
  for (int64_t i = 0; i < patterns.count(); ++i) {
    for (int64_t b = 0; b < 10; ++b) {
      constant_flipped.flip(i, b);
      near.flip(i, 150 + 15 * b);
    }
  }
  EXPECT_EQ(encoding.encode(constant_flipped), encoded) << "constant bits are not inputs";
  const BitPatterns moved = encoding.encode(near);
  for (int64_t i = 0; i < patterns.count(); ++i) {
    for (int64_t j = 0; j < patterns.count(); ++j) {
      if (i != j) {
        EXPECT_LT(hamming_distance(moved, i, encoded, i), hamming_distance(moved, i, encoded, j))
            << i << " " << j;
      }
    }
  }
}

/// With one input, each encoded bit equals one bit of the pattern or its complement.
TEST(BitEncoding, WithOneInputSelectsBitsInProportionToTheirVariance) {
  BitPatterns patterns(10, 3); // fractions of ones 0.5, 0.1 and 0; variances 0.25, 0.09 and 0
  for (int64_t i = 0; i < 5; ++i) {
    patterns.set(i, 0, true);
  }
  patterns.set(7, 1, true);
  const BitEncoding encoding(patterns, {.bits = 4000, .inputs_max = 1});
  EXPECT_EQ(encoding.inputs(), 1);
  const BitPatterns encoded = encoding.encode(patterns);
  int64_t from_bit_0 = 0;
  for (int64_t k = 0; k < encoded.bits(); ++k) {
    const auto follows = [&](int64_t b) {
      const bool same = encoded.get(0, k) == patterns.get(0, b);
      for (int64_t i = 0; i < patterns.count(); ++i) {
        if ((encoded.get(i, k) == patterns.get(i, b)) != same) {
          return false;
        }
      }
      return true;
    };
    ASSERT_TRUE(follows(0) || follows(1)) << k;
    from_bit_0 += follows(0) ? 1 : 0;
  }
  const double expected = 0.25 / (0.25 + 0.09);
  EXPECT_NEAR(static_cast<double>(from_bit_0) / 4000, expected,
              5 * std::sqrt(expected * (1 - expected) / 4000));
}

TEST(BitEncoding, UsesAtMostAsManyInputsAsVary) {
  const BitPatterns patterns = sparse_patterns(40, 300, 3);
  EXPECT_EQ(BitEncoding(patterns, {.inputs_max = 7}).inputs(), 7);
  BitPatterns two(2, 100);
  two.set(0, 4, true);
  two.set(1, 50, true);
  two.set(1, 99, true);
  EXPECT_EQ(BitEncoding(two, {.inputs_max = 7}).inputs(), 3);
}

TEST(BitEncoding, DependsOnTheSeedButNotOnThreads) {
  const BitPatterns patterns = sparse_patterns(50, 200, 4);
  const int before = threads();
  set_threads(1);
  const BitPatterns one = BitEncoding(patterns, {.seed = 9}).encode(patterns);
  set_threads(4);
  EXPECT_EQ(BitEncoding(patterns, {.seed = 9}).encode(patterns), one);
  set_threads(before);
  EXPECT_NE(BitEncoding(patterns, {.seed = 10}).encode(patterns), one);
}

TEST(BitEncoding, ReportsInvalidArguments) {
  const BitPatterns same(3, 20), patterns = sparse_patterns(5, 20, 1);
  expect_contains(usage_error([&] { BitEncoding{same}; }), {"20 bits", "3 training patterns", "differ"});
  expect_contains(usage_error([&] { BitEncoding(patterns, {.bits = 0}); }), {"0 bits", "at least 1"});
  expect_contains(usage_error([&] { BitEncoding(patterns, {.inputs_max = 0}); }), {"at most 0 inputs"});
  expect_contains(usage_error([&] { BitEncoding(patterns, {.bits = int64_t{1} << 62}); }),
                  {"bits", "available"});
  expect_contains(usage_error([&] { BitEncoding(patterns).encode(BitPatterns(1, 21)); }), {"21", "20"});
}

TEST(BitEncoding, LetsHardLocationsSeparateSimilarPatterns) {
  constexpr int64_t kLocations = 20000;
  const BitPatterns patterns = sparse_patterns(12, 256, 6), cues = test::with_flips(patterns, 10, 7);
  const auto recalled = [&](NeuronSdmOptions options) {
    options.bits = 256;
    options.hard_locations = kLocations;
    options.hamming_radius =
        theory::hamming_radius_for_space_fraction(options.encode ? options.encode->bits() : 256, 0.003);
    NeuronSdm memory(options);
    memory.write(patterns);
    const Recall<BitPatterns> recall = memory.recall(cues, {.update_steps_max = 10});
    int64_t exact = 0;
    for (int64_t i = 0; i < patterns.count(); ++i) {
      exact += hamming_distance(recall.readout, i, patterns, i) == 0 ? 1 : 0;
    }
    return exact;
  };
  EXPECT_EQ(recalled({}), 0);
  EXPECT_GE(recalled({.encode = BitEncoding(patterns)}), 11);
}

/// A pattern-based memory with an encoding equals a memory of the encoded patterns that has the patterns as
/// values.
TEST(BitEncoding, IsAppliedToEveryQueryOfAnAssociativeMemory) {
  const BitPatterns patterns = sparse_patterns(30, 256, 8), cues = test::with_flips(patterns, 20, 9);
  const BitEncoding encoding(patterns);
  AssociateOptions<BitPatterns> options = pattern_sdm(encoding.bits(), 180), plain = options;
  options.encode_bits = encoding;
  plain.values = patterns;
  const AssociativeMemory<BitPatterns> memory(patterns, options);
  const AssociativeMemory<BitPatterns> of_encoded(encoding.encode(patterns), plain);
  const BitPatterns once = of_encoded.recall(encoding.encode(cues)).readout;
  EXPECT_EQ(memory.recall(cues, {.update_steps_max = 1}).readout, once);
  EXPECT_EQ(memory.recall(cues, {.update_steps_max = 2}).readout,
            of_encoded.recall(encoding.encode(once)).readout);
  EXPECT_EQ(memory.recall(cues, {.update_steps_max = 10}).readout, patterns);
}

TEST(BitEncoding, CannotBeCombinedWithAnotherEncodingOrRealPatterns) {
  const BitPatterns patterns = sparse_patterns(5, 20, 1);
  const BitEncoding encoding(patterns);
  expect_contains(usage_error([&] {
                    AssociativeMemory<BitPatterns>(patterns,
                                                   {.encode = RealPatterns(3, 20), .encode_bits = encoding});
                  }),
                  {"encode_bits", "no other encoding"});
  expect_contains(
      usage_error([&] { AssociativeMemory<RealPatterns>(to_bipolar(patterns), {.encode_bits = encoding}); }),
      {"encode_bits", "patterns of bits"});
  expect_contains(usage_error([&] {
                    NeuronSdm({.bits = 21, .hard_locations = 5, .hamming_radius = 3, .encode = encoding});
                  }),
                  {"20", "21"});
  expect_contains(usage_error([&] {
                    NeuronSdm({.bits = 20, .hard_locations = 5, .hamming_radius = 513, .encode = encoding});
                  }),
                  {"513", "0 .. 512"});
}

} // namespace
} // namespace mneme
