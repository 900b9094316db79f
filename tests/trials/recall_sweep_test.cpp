// SPDX-License-Identifier: MIT

#include "mneme/trials/recall_sweep.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include <gtest/gtest.h>

#include "mneme/core/interrupt.h"
#include "mneme/core/parallel.h"
#include "mneme/core/random.h"
#include "mneme/data/glyphs.h"
#include "mneme/data/random_patterns.h"
#include "mneme/memory/hopfield_network.h"
#include "trials/messages.h"

namespace mneme::trials {
namespace {

using mneme::testing::contains;

data::PatternSet random_set(int64_t count, int64_t bits, uint64_t seed = 7) {
  RealPatterns patterns = to_bipolar(data::random_bits(count, bits, Random(seed)));
  for (int64_t i = 0; i < count; ++i) {
    std::ranges::transform(patterns[i], patterns[i].begin(), [](double x) { return x > 0 ? 1.0 : 0.0; });
  }
  return {.patterns = patterns, .threshold = 0.5, .source = "random"};
}

/// Arguments of a call of `done`.
struct Call {
  MemoryReport memory;
  std::vector<SweepRow> rows;
  std::vector<SweepExamples> examples;
};

struct Outcome {
  SweepResult result;
  std::vector<Call> calls;
};

Outcome sweep(const data::PatternSet& patterns, const SweepOptions& options) {
  Progress quiet;
  Outcome outcome;
  outcome.result = sweep_recall(patterns, options, quiet,
                                [&](const MemoryReport& memory, const std::vector<SweepRow>& rows,
                                    const std::vector<SweepExamples>& examples) {
                                  outcome.calls.push_back({memory, rows, examples});
                                });
  return outcome;
}

/// Options with few hard locations and trials, for speed.
SweepOptions small(const std::vector<std::string>& memories, std::vector<double> noise = {0.1}) {
  return {.memories = memory_kinds_named(memories),
          .noise = std::move(noise),
          .seeds = 2,
          .parameters = {.hard_locations = 2000}};
}

void expect_equal(const MeanInterval& a, const MeanInterval& b, const std::string& what) {
  EXPECT_EQ(a.mean, b.mean) << what;
  EXPECT_EQ(a.half_width, b.half_width) << what;
}

/// Compares everything except the times.
void expect_equal(const Outcome& a, const Outcome& b) {
  ASSERT_EQ(a.result.rows.size(), b.result.rows.size());
  for (size_t i = 0; i < a.result.rows.size(); ++i) {
    const SweepRow &x = a.result.rows[i], &y = b.result.rows[i];
    EXPECT_EQ(x.memory, y.memory);
    EXPECT_EQ(x.noise, y.noise);
    expect_equal(x.exact, y.exact, x.memory);
    ASSERT_EQ(x.bit_error.has_value(), y.bit_error.has_value());
    if (x.bit_error) {
      expect_equal(*x.bit_error, *y.bit_error, x.memory);
    }
    expect_equal(x.cosine, y.cosine, x.memory);
    expect_equal(x.steps, y.steps, x.memory);
    EXPECT_EQ(x.settled, y.settled) << x.memory;
    EXPECT_EQ(x.unanswered, y.unanswered) << x.memory;
  }
  ASSERT_EQ(a.calls.size(), b.calls.size());
  for (size_t i = 0; i < a.calls.size(); ++i) {
    EXPECT_EQ(a.calls[i].memory.self_recall, b.calls[i].memory.self_recall);
    ASSERT_EQ(a.calls[i].examples.size(), b.calls[i].examples.size());
    for (size_t level = 0; level < a.calls[i].examples.size(); ++level) {
      const SweepExamples &x = a.calls[i].examples[level], &y = b.calls[i].examples[level];
      EXPECT_EQ(x.cues, y.cues) << a.calls[i].memory.kind.name;
      EXPECT_EQ(x.readouts, y.readouts) << a.calls[i].memory.kind.name;
      EXPECT_EQ(x.targets, y.targets) << a.calls[i].memory.kind.name;
      EXPECT_EQ(x.cosines, y.cosines) << a.calls[i].memory.kind.name;
      EXPECT_EQ(x.exact, y.exact) << a.calls[i].memory.kind.name;
    }
  }
}

TEST(SweepRecall, PatternSdmRecallsAllRandomPatternsAtLowNoise) {
  const Outcome outcome = sweep(random_set(40, 256), small({"pattern-sdm"}, {0, 0.05, 0.1}));
  ASSERT_EQ(outcome.result.rows.size(), 3U);
  for (const SweepRow& row : outcome.result.rows) {
    EXPECT_EQ(row.exact.mean, 1) << *row.noise;
    EXPECT_LT(row.exact.half_width, 0.2);
    EXPECT_EQ(row.exact.half_width > 0.0, *row.noise > 0) << "few random cues do not prove 100 %";
    ASSERT_TRUE(row.bit_error);
    EXPECT_EQ(row.bit_error->mean, 0);
    EXPECT_EQ(row.cosine.mean, 1);
    EXPECT_EQ(row.settled, 1);
    EXPECT_EQ(row.unanswered, 0);
  }
  EXPECT_EQ(outcome.result.memories[0].self_recall, 1);
  EXPECT_FALSE(outcome.result.memories[0].beyond_capacity);
}

TEST(SweepRecall, ExactRecallFallsWithNoise) {
  for (const char* memory : {"sdm", "pattern-sdm", "binary-attention", "attention", "hopfield"}) {
    const Outcome outcome = sweep(random_set(16, 256), small({memory}, {0, 0.2, 0.35, 0.5}));
    const std::vector<SweepRow>& rows = outcome.result.rows;
    ASSERT_EQ(rows.size(), 4U);
    EXPECT_GT(rows.front().exact.mean, 0.8) << memory;
    EXPECT_LT(rows.back().exact.mean, 0.3)
        << memory; // with half of the bits flipped, the cue is independent of the pattern
    for (size_t i = 1; i < rows.size(); ++i) {
      EXPECT_LE(rows[i].exact.mean, rows[i - 1].exact.mean) << memory << " at noise " << *rows[i].noise;
    }
  }
}

TEST(SweepRecall, RunsEveryMemoryOnGlyphsAndReportsEachOnce) {
  const data::PatternSet glyphs = data::builtin_glyphs();
  const Outcome outcome = sweep(glyphs, small({"all"}, {0.05, 0.2}));
  ASSERT_EQ(outcome.calls.size(), memory_kinds().size());
  ASSERT_EQ(outcome.result.memories.size(), memory_kinds().size());
  ASSERT_EQ(outcome.result.rows.size(), 2 * memory_kinds().size());
  for (size_t m = 0; m < outcome.calls.size(); ++m) {
    const Call& call = outcome.calls[m];
    const MemoryKind& kind = memory_kinds()[m];
    EXPECT_EQ(call.memory.kind.name, kind.name);
    EXPECT_GE(call.memory.self_recall, 0);
    EXPECT_LE(call.memory.self_recall, 1);
    EXPECT_EQ(call.memory.beyond_capacity, call.memory.self_recall < 0.5);
    ASSERT_EQ(call.rows.size(), 2U);
    ASSERT_EQ(call.examples.size(), 2U);
    for (size_t level = 0; level < 2; ++level) {
      const SweepRow& row = call.rows[level];
      EXPECT_EQ(row.memory, kind.name);
      EXPECT_EQ(row.noise, level == 0 ? 0.05 : 0.2);
      EXPECT_EQ(row.bit_error.has_value(), kind.on_bits) << kind.name;
      EXPECT_TRUE(row.exact.half_width) << kind.name;
      EXPECT_TRUE(row.exact.mean >= 0 && row.exact.mean <= 1) << kind.name;
      EXPECT_TRUE(std::abs(row.cosine.mean) <= 1 + 1e-12) << kind.name;
      EXPECT_TRUE(row.steps.mean >= 1 && row.steps.mean <= 10) << kind.name;
      EXPECT_GT(row.seconds, 0) << kind.name;
      const SweepExamples& examples = call.examples[level];
      EXPECT_EQ(examples.cues.count(), 36) << kind.name;
      EXPECT_EQ(examples.cues.size(), 256) << kind.name;
      EXPECT_EQ(examples.readouts.count(), 36) << kind.name;
      EXPECT_EQ(examples.readouts.size(), 256) << kind.name;
      ASSERT_EQ(examples.targets.size(), 36U) << kind.name;
      ASSERT_EQ(examples.cosines.size(), 36U) << kind.name;
      for (size_t i = 0; i < 36; ++i) {
        EXPECT_EQ(examples.targets[i], static_cast<int64_t>(i)) << kind.name;
      }
    }
  }
  const auto sharpest = std::ranges::find(outcome.result.rows, "modern-hopfield", &SweepRow::memory);
  ASSERT_NE(sharpest, outcome.result.rows.end());
  EXPECT_EQ(sharpest->exact.mean, 1);
}

TEST(SweepRecall, CuesDifferFromPatternsByTheRequestedNoise) {
  const data::PatternSet patterns = random_set(10, 200);
  const Outcome outcome = sweep(patterns, small({"pattern-sdm"}, {0.1, 0.25}));
  for (size_t level = 0; level < 2; ++level) {
    const BitPatterns cues = to_bits(outcome.calls[0].examples[level].cues, 0.5);
    const BitPatterns stored = to_bits(patterns.patterns, 0.5);
    for (int64_t i = 0; i < stored.count(); ++i) {
      EXPECT_EQ(hamming_distance(cues, i, stored, i), level == 0 ? 20 : 50);
    }
  }
}

TEST(SweepRecall, RunsWithEveryKindOfCorruption) {
  for (const Corruption corruption :
       {Corruption::flip, Corruption::cosine, Corruption::mask, Corruption::salt_and_pepper}) {
    SweepOptions options = small({"pattern-sdm", "modern-hopfield"}, {0, 0.25});
    options.corruption = corruption;
    options.parameters.hamming_radius = 75;
    const data::PatternSet glyphs = data::builtin_glyphs();
    const Outcome outcome = sweep(glyphs, options);
    for (const Call& call : outcome.calls) {
      EXPECT_EQ(call.rows[0].exact.mean, 1)
          << call.memory.kind.name; // without noise all corruptions are the same
      EXPECT_NE(call.examples[1].cues, call.examples[0].cues) << call.memory.kind.name;
    }
    if (corruption == Corruption::mask) { // the lower quarter: four rows of 16 pixels
      const RealPatterns& cues = outcome.calls[0].examples[1].cues;
      for (int64_t i = 0; i < cues.count(); ++i) {
        const auto lower = cues[i].subspan(12 * 16);
        EXPECT_TRUE(std::ranges::all_of(lower, [](double x) { return x == 0; }));
        EXPECT_TRUE(std::ranges::equal(cues[i].first(12 * 16), glyphs.patterns[i].first(12 * 16)));
      }
    }
  }
}

TEST(SweepRecall, CentringSubtractsTheMeanForRealMemoriesOnly) {
  SweepOptions centred = small({"pattern-sdm", "attention"}, {0.2});
  centred.parameters.hamming_radius = 75;
  SweepOptions as_they_are = centred;
  as_they_are.centre = false;
  const Outcome with = sweep(data::builtin_glyphs(), centred);
  const Outcome without = sweep(data::builtin_glyphs(), as_they_are);
  EXPECT_EQ(with.calls[0].examples[0].readouts, without.calls[0].examples[0].readouts);
  EXPECT_NE(with.result.rows[1].cosine.mean, without.result.rows[1].cosine.mean);
  // Letters have most of their background in common, so without centring they are all similar.
  EXPECT_GT(with.result.rows[1].exact.mean, without.result.rows[1].exact.mean);
}

class SweepOnThreads : public ::testing::Test {
protected:
  void TearDown() override { set_threads(before_); }
  const int before_ = threads();
};

TEST_F(SweepOnThreads, GivesTheSameOnOneAndFourThreads) {
  for (const data::PatternSet& patterns : {random_set(70, 130), data::builtin_glyphs()}) {
    set_threads(1);
    const Outcome one = sweep(patterns, small({"all"}, {0.1, 0.3}));
    set_threads(4);
    const Outcome four = sweep(patterns, small({"all"}, {0.1, 0.3}));
    expect_equal(one, four);
  }
}

TEST(SweepRecall, CuesDependOnlyOnTheSeed) {
  SweepOptions options = small({"pattern-sdm", "attention"});
  const data::PatternSet patterns = random_set(10, 128);
  const Outcome first = sweep(patterns, options), again = sweep(patterns, options);
  expect_equal(first, again);
  options.seed = 2;
  const Outcome other = sweep(patterns, options);
  for (size_t m = 0; m < 2; ++m) {
    EXPECT_NE(first.calls[m].examples[0].cues, other.calls[m].examples[0].cues);
  }
}

TEST(SweepRecall, CuesDoNotDependOnTheOtherMemories) {
  const data::PatternSet patterns = random_set(10, 128);
  const Outcome alone = sweep(patterns, small({"sdm"}));
  const Outcome second = sweep(patterns, small({"pattern-sdm", "sdm"}));
  EXPECT_EQ(alone.calls[0].examples[0].cues, second.calls[1].examples[0].cues);
  EXPECT_EQ(alone.calls[0].examples[0].readouts, second.calls[1].examples[0].readouts);
}

TEST(SweepRecall, GivenCuesCountIfTheyReachAnyStoredPattern) {
  const data::PatternSet patterns = random_set(12, 256);
  const std::vector<int64_t> order = {5, 11, 0, 5};
  data::PatternSet cues = patterns;
  cues.patterns = RealPatterns(4, 256);
  for (int64_t i = 0; i < 4; ++i) {
    std::ranges::copy(patterns.patterns[order[static_cast<size_t>(i)]], cues.patterns[i].begin());
    for (size_t b = 0; b < 10; ++b) { // a little noise
      cues.patterns[i][b] = 1 - cues.patterns[i][b];
    }
  }
  SweepOptions options = small({"pattern-sdm", "modern-hopfield"}, {0.1, 0.2, 0.3});
  options.cues = cues;
  const Outcome outcome = sweep(patterns, options);
  ASSERT_EQ(outcome.calls.size(), 2U);
  for (const Call& call : outcome.calls) {
    ASSERT_EQ(call.rows.size(), 1U) << "noise levels do not matter to given cues";
    EXPECT_FALSE(call.rows[0].noise);
    EXPECT_EQ(call.rows[0].exact.mean, 1) << call.memory.kind.name;
    EXPECT_FALSE(call.rows[0].exact.half_width) << "given cues are tried once";
    EXPECT_EQ(call.examples[0].targets, order);
  }

  // Cues that activate nothing are returned unchanged and do not count, not even a stored pattern.
  std::ranges::copy(patterns.patterns[3], options.cues->patterns[0].begin());
  options.memories = memory_kinds_named({"sdm"});
  options.parameters.hard_locations = 3;
  options.parameters.hamming_radius = 60;
  const Outcome unanswered = sweep(patterns, options);
  EXPECT_EQ(unanswered.result.rows[0].unanswered, 1);
  EXPECT_EQ(unanswered.result.rows[0].exact.mean, 0);
  EXPECT_EQ(unanswered.calls[0].examples[0].targets[0], 3);
}

TEST(SweepRecall, RecallOfOneOfIdenticalPatternsIsExact) {
  data::PatternSet patterns = random_set(10, 256);
  for (const int64_t copy : {4, 7}) {
    std::ranges::copy(std::as_const(patterns.patterns)[1], patterns.patterns[copy].begin());
  }
  SweepOptions given = small({"pattern-sdm", "modern-hopfield"});
  given.cues = patterns;
  for (const SweepOptions& options : {small({"pattern-sdm", "modern-hopfield"}), given}) {
    for (const Call& call : sweep(patterns, options).calls) {
      EXPECT_EQ(call.memory.distinct, 8) << call.memory.kind.name;
      EXPECT_EQ(call.memory.different, 8) << call.memory.kind.name;
      EXPECT_EQ(call.memory.self_recall, 1) << call.memory.kind.name;
      EXPECT_EQ(call.rows[0].exact.mean, 1) << call.memory.kind.name;
      EXPECT_EQ(call.rows[0].ambiguous, 0) << call.memory.kind.name;
    }
  }
  // With different values, such patterns are different ones.
  SweepOptions with_values = small({"pattern-sdm"});
  with_values.values = random_set(10, 256, 8);
  with_values.parameters.update_steps_max = 1;
  const Call call = sweep(patterns, with_values).calls[0];
  EXPECT_EQ(call.memory.different, 10);
  EXPECT_LE(call.rows[0].exact.mean, 0.7);
}

TEST(SweepRecall, ReportsTheSimilarityOfGivenCuesAndTheirPatterns) {
  const data::PatternSet patterns = random_set(12, 256);
  SweepOptions options = small({"pattern-sdm", "attention"});
  options.cues = patterns;
  for (size_t b = 0; b < 64; ++b) {
    options.cues->patterns[3][b] = 1 - options.cues->patterns[3][b];
  }
  const Outcome outcome = sweep(patterns, options);
  const std::vector<double>& of_bits = outcome.calls[0].examples[0].cue_cosines;
  ASSERT_EQ(of_bits.size(), 12U);
  EXPECT_EQ(of_bits[2], 1);
  EXPECT_EQ(of_bits[3], 0.5) << "a quarter of the bits differs";
  EXPECT_NEAR(*outcome.result.rows[0].cue_cosine, 11.5 / 12, 1e-12);
  EXPECT_NEAR(*outcome.result.rows[1].cue_cosine, 11.5 / 12, 0.01);
  EXPECT_FALSE(sweep(patterns, small({"attention"})).result.rows[0].cue_cosine);
}

TEST(SweepRecall, RecallOfAPatternThatADifferentOneCoincidesWithIsAmbiguous) {
  data::PatternSet patterns = random_set(10, 256);
  for (const int64_t copy : {4, 7}) { // equal as bits, and in direction
    std::ranges::copy(std::as_const(patterns.patterns)[1], patterns.patterns[copy].begin());
    std::ranges::transform(std::as_const(patterns.patterns)[1], patterns.patterns[copy].begin(),
                           [&](double x) { return x * (1 - 1e-3 * static_cast<double>(copy)); });
  }
  const Outcome outcome = sweep(patterns, small({"pattern-sdm", "modern-hopfield"}, {0.1}));
  for (const Call& call : outcome.calls) {
    EXPECT_EQ(call.memory.count, 10);
    EXPECT_EQ(call.memory.distinct, 8) << call.memory.kind.name;
    EXPECT_EQ(call.memory.self_recall, 0.7) << call.memory.kind.name;
    EXPECT_EQ(call.memory.ambiguous, 0.3) << call.memory.kind.name;
    EXPECT_FALSE(call.memory.beyond_capacity);
    EXPECT_EQ(call.rows[0].exact.mean, 0.7) << call.memory.kind.name;
    EXPECT_EQ(call.rows[0].ambiguous, 0.3) << call.memory.kind.name;
    EXPECT_FALSE(call.examples[0].exact[4]);
  }
  SweepOptions given = small({"pattern-sdm", "modern-hopfield"});
  given.cues = patterns;
  const Outcome of_cues = sweep(patterns, given);
  for (const SweepRow& row : of_cues.result.rows) {
    EXPECT_EQ(row.exact.mean, 0.7) << row.memory;
    EXPECT_EQ(row.ambiguous, 0.3) << row.memory;
  }
  const Outcome all_differ = sweep(random_set(10, 256), small({"pattern-sdm", "modern-hopfield"}));
  for (const Call& call : all_differ.calls) {
    EXPECT_EQ(call.memory.distinct, 10);
    EXPECT_EQ(call.rows[0].ambiguous, 0);
  }
}

TEST(SweepRecall, PatternsThatDifferAsNumbersMayCoincideAsBits) {
  data::PatternSet patterns{.patterns = RealPatterns(6, 64), .source = "positive"};
  Random random(3);
  for (int64_t i = 0; i < 6; ++i) {
    std::ranges::generate(patterns.patterns[i], [&] { return 0.05 + 0.9 * random.uniform(); });
  }
  const Outcome outcome = sweep(patterns, small({"hopfield", "pattern-sdm", "modern-hopfield"}));
  for (const Call& call : outcome.calls) {
    EXPECT_EQ(call.memory.distinct, call.memory.kind.on_bits ? 1 : 6) << call.memory.kind.name;
    EXPECT_EQ(call.rows[0].exact.mean, call.memory.kind.on_bits ? 0 : 1) << call.memory.kind.name;
  }
}

/// Rounding errors of the mean must not be amplified by normalisation.
TEST(SweepRecall, EqualPatternsHaveNoDirectionOnceTheirMeanIsSubtracted) {
  std::vector<MeanInterval> cosines;
  for (const int64_t copies : {2, 5, 7, 1000}) {
    data::PatternSet patterns{.patterns = RealPatterns(copies, 64), .source = "equal"};
    for (int64_t i = 0; i < copies; ++i) {
      Random random(11);
      std::ranges::generate(patterns.patterns[i], [&] { return random.uniform(); });
    }
    for (const Corruption corruption : {Corruption::cosine, Corruption::flip}) {
      SweepOptions options = small({"attention", "modern-hopfield", "continuous-sdm", "dense", "hopfield"});
      options.corruption = corruption;
      const Outcome outcome = sweep(patterns, options);
      for (const Call& call : outcome.calls) {
        if (call.memory.kind.on_bits) {
          EXPECT_EQ(call.memory.self_recall, 1) << call.memory.kind.name;
          continue;
        }
        EXPECT_EQ(call.memory.without_direction, copies) << call.memory.kind.name;
        EXPECT_EQ(call.memory.distinct, 1) << call.memory.kind.name;
        EXPECT_EQ(call.rows[0].exact.mean, 0) << call.memory.kind.name;
        EXPECT_EQ(call.rows[0].cosine.mean, 0) << call.memory.kind.name << ", " << copies << " copies";
        EXPECT_FALSE(call.memory.beyond_capacity) << call.memory.kind.name;
      }
      options.centre = false;
      for (const Call& call : sweep(patterns, options).calls) {
        EXPECT_EQ(call.memory.without_direction, 0);
        EXPECT_EQ(call.memory.self_recall, 1) << call.memory.kind.name;
      }
    }
  }
}

TEST(SweepRecall, MemoriesOnBitsNeedNoDirection) {
  data::PatternSet patterns = random_set(4, 64);
  std::ranges::fill(patterns.patterns[2], 0.0);
  SweepOptions options = small({"pattern-sdm", "modern-hopfield"});
  options.corruption = Corruption::cosine;
  options.centre = false;
  options.parameters.beta = 100;
  const Outcome outcome = sweep(patterns, options);
  EXPECT_EQ(outcome.calls[0].memory.self_recall, 1);
  EXPECT_EQ(outcome.calls[1].memory.without_direction, 1);
  EXPECT_EQ(outcome.calls[1].memory.self_recall, 0.75);
}

TEST(SweepRecall, ReportsClassicalHopfieldBeyondItsCapacity) {
  EXPECT_NEAR(classical_hopfield_capacity(100), 13.8, 1e-9);
  const Outcome full = sweep(random_set(60, 100), small({"hopfield", "pattern-sdm"}));
  EXPECT_TRUE(contains(full.result.memories[0].bound, "60 patterns of 100 bits"));
  EXPECT_TRUE(contains(full.result.memories[0].bound,
                       "most random ones without errors only up to about n / (2 ln n) = 11,"));
  EXPECT_TRUE(contains(full.result.memories[0].bound, "0.138 n = 14"));
  EXPECT_TRUE(full.result.memories[0].beyond_capacity);
  EXPECT_LT(full.result.memories[0].self_recall, 0.5);
  EXPECT_EQ(full.result.memories[1].bound, "");
  EXPECT_EQ(full.calls[0].memory.bound, full.result.memories[0].bound);

  const Outcome easy = sweep(random_set(5, 100), small({"hopfield"}));
  EXPECT_EQ(easy.result.memories[0].bound, "");
  EXPECT_FALSE(easy.result.memories[0].beyond_capacity);
}

TEST(SweepRecall, CountsCuesThatActivateNothing) {
  SweepOptions options = small({"sdm"}, {0.5});
  options.parameters.hard_locations = 3;
  options.parameters.hamming_radius = 60; // three locations of 256 bits are all too far away
  const Outcome outcome = sweep(random_set(10, 256), options);
  EXPECT_EQ(outcome.result.rows[0].unanswered, 1);
  EXPECT_EQ(outcome.calls[0].examples[0].readouts, outcome.calls[0].examples[0].cues);
  EXPECT_EQ(outcome.result.memories[0].self_recall, 0) << "what was kept was not recalled";
  EXPECT_TRUE(outcome.result.memories[0].out_of_reach);
  EXPECT_FALSE(sweep(random_set(10, 256), small({"pattern-sdm"})).result.memories[0].out_of_reach);
}

TEST(SweepRecall, ReportsTheParametersThatEachMemoryUsed) {
  const Outcome outcome = sweep(data::builtin_glyphs(), small({"sdm", "pattern-sdm", "attention"}));
  for (const Call& call : outcome.calls) {
    EXPECT_FALSE(call.memory.parameters.settings.empty()) << call.memory.kind.name;
    EXPECT_GT(call.memory.parameters.hamming_radius, 0) << call.memory.kind.name;
  }
  EXPECT_EQ(outcome.calls[0].memory.parameters.hard_locations, 2000);
  EXPECT_EQ(outcome.calls[0].memory.parameters.encoded_bits, 512) << "letters resemble each other";
  EXPECT_EQ(outcome.calls[1].memory.parameters.encoded_bits, 0);
}

/// The best match by the similarity of the memory is recalled, so that a cue cannot be both.
TEST(SweepRecall, CountsNearerPatternsByTheSimilarityOfTheMemory) {
  SweepOptions options = small({"attention"}, {0.2, 0.3, 0.4});
  options.memories.clear();
  for (const char* similarity : {"euclidean", "manhattan", "dot"}) {
    options.memories.push_back(
        composed_memory({.similarity = similarity, .separation = "best-match", .projection = "average"}));
  }
  options.centre = options.normalise = false;
  const Outcome outcome = sweep(data::builtin_glyphs(), options);
  double all = 0;
  for (const Call& call : outcome.calls) {
    for (const SweepRow& row : call.rows) {
      EXPECT_LE(row.misleading, 1 - row.exact.mean + 1e-12) << call.memory.kind.name << " " << *row.noise;
      all += row.misleading;
    }
  }
  EXPECT_GT(all, 0);
}

/// With half of the bits flipped a cue is independent of its pattern, and with none it is equal to it.
TEST(SweepRecall, CountsCuesThatAreNearerToAnotherPattern) {
  const data::PatternSet patterns = random_set(8, 256);
  SweepOptions options = small({"pattern-sdm", "binary-attention", "modern-hopfield"}, {0, 0.5});
  options.parameters.beta = 1000;
  options.seeds = 1;
  const Outcome outcome = sweep(patterns, options);
  const BitPatterns stored = to_bits(patterns.patterns, 0.5);
  const BitPatterns cues = to_bits(outcome.calls[0].examples[1].cues, 0.5);
  int64_t nearer = 0;
  for (int64_t i = 0; i < 8; ++i) {
    bool any = false;
    for (int64_t j = 0; j < 8; ++j) {
      any = any || hamming_distance(cues, i, stored, j) < hamming_distance(cues, i, stored, i);
    }
    nearer += any ? 1 : 0;
  }
  for (const Call& call : outcome.calls) {
    EXPECT_EQ(call.rows[0].misleading, 0) << call.memory.kind.name;
    EXPECT_GT(call.rows[1].misleading, 0) << call.memory.kind.name;
  }
  EXPECT_EQ(outcome.calls[0].rows[1].misleading, static_cast<double>(nearer) / 8);
  EXPECT_EQ(outcome.calls[1].rows[1].misleading, outcome.calls[0].rows[1].misleading);
  options.seeds = 6; // the mean is over all trials: with this beta, all other cues are recalled
  const Outcome of_six_seeds = sweep(patterns, options);
  for (const SweepRow& row : of_six_seeds.calls[2].rows) {
    EXPECT_NEAR(row.misleading, 1 - row.exact.mean, 1e-12);
  }
}

TEST(SweepRecall, CuesDoNotDependOnTheOtherNoiseLevels) {
  const data::PatternSet patterns = random_set(10, 128);
  const Outcome alone = sweep(patterns, small({"attention", "sdm"}, {0.2}));
  const Outcome second = sweep(patterns, small({"attention", "sdm"}, {0.1, 0.2}));
  for (size_t m = 0; m < 2; ++m) {
    EXPECT_EQ(alone.calls[m].examples[0].cues, second.calls[m].examples[1].cues);
    EXPECT_EQ(alone.calls[m].examples[0].readouts, second.calls[m].examples[1].readouts);
  }
}

/// Adds up what is announced and what is done.
class Counted : public Progress {
public:
  void start(const std::string&, int64_t total) override { announced += total; }
  void advance(int64_t steps) override { done += steps; }

  int64_t announced = 0, done = 0;
};

TEST(SweepRecall, AdvancesProgressByPatternsAndCues) {
  Counted progress;
  sweep_recall(random_set(20, 128), small({"pattern-sdm", "sdm", "attention"}, {0.1, 0.2}), progress,
               [](const MemoryReport&, const std::vector<SweepRow>&, const std::vector<SweepExamples>&) {});
  EXPECT_GT(progress.announced, 0);
  EXPECT_EQ(progress.done, progress.announced);
}

TEST(SweepRecall, ManyPatternsAreSampledAsCues) {
  SweepOptions options = small({"pattern-sdm", "attention"});
  EXPECT_EQ(cues_per_trial(random_set(1000, 256), options), 1000);
  const data::PatternSet many = random_set(20'000, 256);
  const int64_t cues = cues_per_trial(many, options);
  EXPECT_GE(cues, 100);
  EXPECT_LT(cues, 10'000);
  options.cues_max = 0;
  EXPECT_EQ(cues_per_trial(many, options), 20'000);

  const data::PatternSet patterns = random_set(60, 256);
  options.cues_max = 20;
  for (const Call& call : sweep(patterns, options).calls) {
    EXPECT_EQ(call.rows[0].cues, 20);
    EXPECT_EQ(call.rows[0].exact.mean, 1) << call.memory.kind.name;
    EXPECT_EQ(call.memory.self_recall, 1) << call.memory.kind.name;
    const SweepExamples& examples = call.examples[0];
    ASSERT_EQ(examples.targets.size(), 20U);
    EXPECT_EQ(examples.targets[7], 21);
    EXPECT_EQ(to_bits(examples.readouts, 0.5), to_bits(select(patterns.patterns, examples.targets), 0.5));
  }
}

/// Many patterns and few cues: only the patterns that are recalled are compared with all others.
TEST(SweepRecall, FewCuesAmongManyPatternsRecallFewPatternsFromThemselves) {
  data::PatternSet patterns{.patterns = data::random_sphere(20'000, 128, Random(5)), .source = "sphere"};
  const auto copy_to = [&](int64_t to, double change) {
    std::ranges::copy(std::as_const(patterns.patterns)[1], patterns.patterns[to].begin());
    patterns.patterns[to][0] += change;
  };
  copy_to(9001, 0);
  copy_to(9003, 1e-3);
  patterns.patterns[9005][3] += 2; // the row of a cue, without others
  SweepOptions options = small({"attention"});
  options.cues = data::PatternSet{.patterns = select(patterns.patterns, std::vector<int64_t>{1, 9005})};
  Counted progress;
  std::vector<SweepRow> rows;
  MemoryReport report;
  sweep_recall(patterns, options, progress,
               [&](const MemoryReport& memory, const std::vector<SweepRow>& of_memory,
                   const std::vector<SweepExamples>&) {
                 report = memory;
                 rows = of_memory;
               });
  EXPECT_EQ(progress.announced, 102) << "100 stored patterns and 2 cues";
  EXPECT_EQ(progress.done, progress.announced);
  EXPECT_FALSE(report.all_compared);
  EXPECT_EQ(report.different, 19'999);
  EXPECT_EQ(report.distinct, 19'998);
  EXPECT_EQ(rows[0].ambiguous, 0.5);
  EXPECT_EQ(rows[0].exact.mean, 0.5);
}

TEST(SweepRecall, RefusesHardLocationsBeyondTheMemoryBeforeAnyRun) {
  SweepOptions options = small({"attention", "sdm"}, {0.1});
  options.parameters.hard_locations = 1'000'000'000'000;
  int64_t runs = 0;
  Counted progress;
  EXPECT_THROW(sweep_recall(random_set(20, 128), options, progress,
                            [&](const MemoryReport&, const std::vector<SweepRow>&,
                                const std::vector<SweepExamples>&) { ++runs; }),
               UsageError);
  EXPECT_EQ(runs, 0);
}

/// Requests an interrupt in the middle of stage `last`.
class Impatient : public Progress {
public:
  explicit Impatient(int last) : last_(last) {}
  void start(const std::string&, int64_t) override { ++stage_; }
  void advance(int64_t) override {
    if (stage_ == last_) {
      request_interrupt();
    }
  }

private:
  int last_, stage_ = 0;
};

class InterruptedSweep : public ::testing::TestWithParam<int> {
protected:
  void TearDown() override { clear_interrupt(); }
};

TEST_P(InterruptedSweep, HasReportedWhatHadEnded) {
  Impatient impatient(GetParam());
  std::vector<std::string> ended;
  EXPECT_THROW(sweep_recall(random_set(20, 128), small({"pattern-sdm", "sdm", "attention"}, {0.1, 0.2}),
                            impatient,
                            [&](const MemoryReport& memory, const std::vector<SweepRow>& rows,
                                const std::vector<SweepExamples>&) {
                              ended.push_back(memory.kind.name);
                              EXPECT_EQ(rows.size(), 2U);
                            }),
               Interrupted);
  const std::vector<std::string> all = {"pattern-sdm", "sdm", "attention"};
  EXPECT_EQ(ended, std::vector<std::string>(all.begin(), all.begin() + GetParam() - 1));
}

INSTANTIATE_TEST_SUITE_P(AtMemory, InterruptedSweep, ::testing::Values(1, 2, 3));

TEST(SweepRecall, RejectsInvalidPatternsAndOptions) {
  const data::PatternSet patterns = random_set(5, 256);
  const auto with = [&](auto change) {
    return [&patterns, change] {
      SweepOptions options = small({"pattern-sdm"});
      change(options);
      sweep(patterns, options);
    };
  };
  expect_usage_error(
      [] { sweep({.patterns = RealPatterns(0, 256), .threshold = 0.5}, small({"pattern-sdm"})); },
      {"0 patterns"});
  expect_usage_error(with([](SweepOptions& options) { options.memories.clear(); }),
                     {"0 memories", "2 seeds", "at least one"});
  expect_usage_error(with([](SweepOptions& options) { options.cues_max = -1; }), {"-1 cues"});
  expect_usage_error(with([](SweepOptions& options) { options.seeds = 0; }),
                     {"1 memories", "0 seeds", "at least one"});
  expect_usage_error(with([](SweepOptions& options) { options.seeds = -4; }), {"-4 seeds"});
  expect_usage_error(with([](SweepOptions& options) { options.noise.clear(); }), {"no noise level", "0.1"});
  expect_usage_error(with([](SweepOptions& options) {
                       options.noise = {0.1, 1.5};
                     }),
                     {"noise of 1.5", "384 of 256 bits", "0 .. 1"});
  expect_usage_error(with([](SweepOptions& options) { options.noise = {-0.25}; }),
                     {"noise of -0.25", "-64 of 256 bits", "0 .. 1"});
  for (const double number :
       {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()}) {
    expect_usage_error(with([number](SweepOptions& options) { options.noise = {number}; }),
                       {number > 0 ? "noise of inf" : "noise of nan", "256 bits", "0 .. 1"});
  }
  expect_usage_error(with([](SweepOptions& options) { options.cues = random_set(2, 100); }),
                     {"100 components", "256"});
  expect_usage_error(
      with([](SweepOptions& options) { options.cues = data::PatternSet{.patterns = RealPatterns(0, 256)}; }),
      {"0 cues"});
  expect_usage_error(with([](SweepOptions& options) { options.parameters.hard_locations = 0; }),
                     {"0 hard locations", "at least 1"});
  expect_usage_error(with([](SweepOptions& options) { options.parameters.update_steps_max = 0; }),
                     {"0 update steps", "at least 1"});
  expect_usage_error(with([](SweepOptions& options) { options.parameters.hamming_radius = 300; }),
                     {"300", "1 .. 255", "256 bits"});
}

TEST(RecallSweep, ValuesEqualToThePatternsChangeNothing) {
  const data::PatternSet patterns = random_set(20, 64);
  SweepOptions options = small({"all"});
  std::erase_if(options.memories, is_classical_hopfield); // leaves self-connections out without values
  options.parameters.update_steps_max = 1;
  const Outcome without = sweep(patterns, options);
  options.values = patterns;
  expect_equal(sweep(patterns, options), without);
}

TEST(RecallSweep, RefusesValuesInSeveralStepsOrOfAnotherNumber) {
  const data::PatternSet patterns = random_set(20, 64);
  SweepOptions options = small({"attention"});
  options.values = patterns;
  expect_usage_error([&] { sweep(patterns, options); }, {"single update step"});
  options.parameters.update_steps_max = 1;
  options.values = random_set(19, 64);
  expect_usage_error([&] { sweep(patterns, options); }, {"19 values for 20 patterns"});
}

} // namespace
} // namespace mneme::trials
