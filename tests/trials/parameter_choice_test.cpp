// SPDX-License-Identifier: MIT

#include "mneme/trials/parameter_choice.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include <gtest/gtest.h>

#include "core/text_checks.h"
#include "mneme/core/parallel.h"
#include "mneme/core/random.h"
#include "mneme/data/corruption.h"
#include "mneme/data/glyphs.h"
#include "mneme/data/random_patterns.h"
#include "mneme/memory/attention.h"
#include "mneme/memory/similarity.h"
#include "mneme/theory/beta_fit.h"
#include "trials/messages.h"

namespace mneme::trials {
namespace {

constexpr uint64_t kSeed = 5;

BitPatterns letters() {
  return to_bits(data::builtin_glyphs().patterns, 0.5);
}

/// Bits that are 1 with a small probability, so that patterns are similar to each other.
BitPatterns sparse_bits(int64_t count, int64_t bits, double ones, uint64_t seed) {
  BitPatterns patterns(count, bits);
  Random random(seed);
  for (int64_t i = 0; i < count; ++i) {
    for (int64_t b = 0; b < bits; ++b) {
      patterns.set(i, b, random.uniform() < ones);
    }
  }
  return patterns;
}

struct Sides {
  BitPatterns bits;
  RealPatterns reals;

  explicit Sides(BitPatterns patterns) : bits(std::move(patterns)), reals(normalised(to_bipolar(bits))) {}
  MemoryParameters parameters_for(const std::string& name, const ParameterChoices& choices = {}) const {
    return ParameterChooser(bits, reals, choices, kSeed).parameters_for(memory_kinds_named({name})[0]);
  }
};

/// Fraction of patterns that a memory recalls from noisy cues.
double recalled(const Sides& sides, const std::string& name, double noise,
                const ParameterChoices& choices = {}) {
  const MemoryKind kind = memory_kinds_named({name})[0];
  const auto flips = std::llround(noise * static_cast<double>(sides.bits.bits()));
  const BitPatterns cues = data::flip_bits(sides.bits, flips, Random(17));
  const BitPatterns readout = build(kind, sides.bits, sides.parameters_for(name, choices), 23)(cues).readout;
  int64_t exact = 0;
  for (int64_t i = 0; i < cues.count(); ++i) {
    exact += hamming_distance(readout, i, sides.bits, i) == 0 ? 1 : 0;
  }
  return static_cast<double>(exact) / static_cast<double>(cues.count());
}

/// A single pattern, or one far from all others, tolerates the maximum noise: 40 % of the bits.
TEST(ChooseRadius, ReachesTheMaximumNoise) {
  for (const int64_t count : {1, 5}) {
    const BitPatterns patterns = data::random_bits(count, 1000, Random(1));
    const RadiusChoice choice = choose_radius(patterns, kSeed);
    EXPECT_GE(choice.hamming_radius, 250) << count << ": the smallest one is 200";
    EXPECT_LE(choice.hamming_radius, 400) << count;
    EXPECT_GE(choice.noise, 0.396) << count;
    const RadiusChoice of_equal = choose_radius(patterns, kSeed, RadiusWeights::equal);
    EXPECT_GE(of_equal.hamming_radius, 400) << count;
    EXPECT_LE(of_equal.hamming_radius, 406) << count << ": as fine as radii are tried";
    EXPECT_DOUBLE_EQ(of_equal.noise, 0.4) << count;
  }
}

/// Recall does not end at the limit of the choice: a larger radius would recall hardly more.
TEST(ChooseRadius, HasAMarginForFarPatterns) {
  const Sides sides(data::random_bits(10, 2000, Random(3)));
  EXPECT_EQ(recalled(sides, "pattern-sdm", 0.44), 1);
  const Sides more(data::random_bits(100, 256, Random(3)));
  EXPECT_GT(recalled(more, "pattern-sdm", 0.42),
            recalled(more, "pattern-sdm", 0.42, {.hamming_radius = 80}) - 0.1);
}

TEST(ChooseRadius, ChoosesSmallerCirclesForSimilarPatterns) {
  const RadiusChoice far = choose_radius(data::random_bits(300, 64, Random(2)), kSeed);
  const RadiusChoice near = choose_radius(sparse_bits(300, 64, 0.1, 3), kSeed);
  EXPECT_LT(near.hamming_radius, far.hamming_radius);
  EXPECT_LT(near.noise, far.noise);
  EXPECT_GT(near.beta_min, far.beta_min);
}

/// No other radius recalls clearly more at any noise level.
TEST(ChooseRadius, IsNearlyOptimal) {
  const Sides sides(sparse_bits(150, 120, 0.2, 4));
  const auto total = [&](const ParameterChoices& choices) {
    double sum = 0;
    for (const double noise : {0.05, 0.1, 0.2, 0.3}) {
      sum += recalled(sides, "pattern-sdm", noise, choices);
    }
    return sum / 4;
  };
  const double chosen = total({});
  for (int64_t radius = 6; radius <= 60; radius += 3) {
    EXPECT_LE(total({.hamming_radius = radius}), chosen + 0.02) << radius;
  }
}

TEST(ChooseRadius, IgnoresCoincidingPatterns) {
  const BitPatterns once = data::random_bits(20, 128, Random(6));
  BitPatterns twice(40, 128);
  for (int64_t i = 0; i < 40; ++i) {
    std::ranges::copy(once[i % 20], twice[i].begin());
  }
  const RadiusChoice of_once = choose_radius(once, kSeed), of_twice = choose_radius(twice, kSeed);
  EXPECT_NEAR(static_cast<double>(of_twice.hamming_radius), static_cast<double>(of_once.hamming_radius), 3);
  EXPECT_GT(of_twice.noise, 0.3);
}

/// With beta_min all but 5 % of the real patterns keep a cosine that counts as exact after an update.
TEST(ChooseRadius, BetaMinMakesPatternsFixedPoints) {
  const RealPatterns stored = data::random_sphere(300, 8, Random(7));
  const double beta = choose_radius(stored, kSeed).beta_min;
  const MemoryKind attention = memory_kinds_named({"attention"})[0];
  const auto stay = [&](double tried) {
    const RealPatterns readout =
        build(attention, stored, {.beta = tried, .update_steps_max = 1})(stored).readout;
    int64_t count = 0;
    for (int64_t i = 0; i < stored.count(); ++i) {
      count += cosine(readout, i, stored, i) >= kExactCosine ? 1 : 0;
    }
    return static_cast<double>(count) / 300;
  };
  EXPECT_GT(stay(beta), 0.97);
  EXPECT_LT(stay(beta / 6), 0.8);
}

TEST(ChooseRadius, WorksForEveryValidSize) {
  for (const int64_t size : {4, 5, 8, 63, 64, 65, 1000}) {
    for (const int64_t count : {1, 2, 200}) {
      for (const RadiusChoice& choice : {choose_radius(data::random_bits(count, size, Random(8)), kSeed),
                                         choose_radius(data::random_sphere(count, size, Random(8)), kSeed)}) {
        EXPECT_GE(choice.hamming_radius, 1) << size << " " << count;
        EXPECT_LE(choice.hamming_radius, size / 2) << size << " " << count;
        EXPECT_TRUE(choice.noise >= 0 && choice.noise <= 0.5) << size << " " << count;
        EXPECT_TRUE(std::isfinite(choice.beta_min)) << size << " " << count;
      }
    }
  }
  expect_usage_error([] { choose_radius(BitPatterns(0, 64), kSeed); }, {"0 patterns", "at least 1"});
  expect_usage_error([] { choose_radius(RealPatterns(2, 3), kSeed); }, {"3 components", "at least 4"});
}

TEST(ChooseLocations, EncodesOnlySimilarPatterns) {
  const LocationChoice of_letters = choose_locations(letters(), 1e5, kSeed);
  EXPECT_EQ(of_letters.encoded_bits, 512);
  EXPECT_GT(of_letters.expected_accuracy, 0.99);
  const LocationChoice random = choose_locations(data::random_bits(100, 256, Random(9)), 1e5, kSeed);
  EXPECT_EQ(random.encoded_bits, 0);
  EXPECT_GT(random.expected_accuracy, 0.999);
  EXPECT_EQ(choose_locations(data::random_bits(1, 256, Random(9)), 1e5, kSeed).encoded_bits, 0)
      << "no bit varies over one pattern";
}

TEST(ChooseLocations, PredictsTheAccuracyAfterOneRead) {
  for (const Sides& sides : {Sides(letters()), Sides(data::random_bits(400, 128, Random(10)))}) {
    const int64_t bits = sides.bits.bits();
    MemoryParameters parameters = sides.parameters_for("sdm", {.hard_locations = 20000});
    parameters.update_steps_max = 1;
    const BitPatterns cues =
        data::flip_bits(sides.bits, std::llround(0.1 * static_cast<double>(bits)), Random(11));
    const BitPatterns readout =
        build(memory_kinds_named({"sdm"})[0], sides.bits, parameters, 12)(cues).readout;
    int64_t wrong = 0;
    for (int64_t i = 0; i < cues.count(); ++i) {
      wrong += hamming_distance(readout, i, sides.bits, i);
    }
    const double measured = static_cast<double>(wrong) / static_cast<double>(cues.count() * bits);
    const double predicted = 1 - choose_locations(sides.bits, 20000, kSeed).expected_accuracy;
    EXPECT_NEAR(measured, predicted, 0.35 * predicted + 0.002);
  }
}

TEST(ChooseLocations, AllowsSdmToRecallTheLetters) {
  const Sides sides(letters());
  EXPECT_GT(recalled(sides, "sdm", 0.1), 0.85);
  EXPECT_LT(recalled(sides, "sdm", 0.1, {.hamming_radius = 105}), 0.3)
      << "the best radius for random patterns";
  EXPECT_GT(recalled(sides, "pattern-sdm-finite", 0.1), 0.95);
}

TEST(ChooseLocations, WorksForAnyNumberOfLocations) {
  for (const double locations : {1.0, 3.0, 200.0, 1e12}) {
    for (const int64_t bits : {4, 9, 300}) {
      const LocationChoice choice =
          choose_locations(data::random_bits(6, bits, Random(13)), locations, kSeed);
      EXPECT_GE(choice.hamming_radius, 1) << locations << " " << bits;
      EXPECT_LT(choice.hamming_radius, choice.encoded_bits > 0 ? choice.encoded_bits : bits);
      EXPECT_TRUE(choice.expected_accuracy >= 0 && choice.expected_accuracy <= 1) << locations << " " << bits;
    }
  }
}

TEST(ParameterChooser, DoesNotDependOnTheNumberOfThreads) {
  const int before = threads();
  const Sides sides(sparse_bits(1500, 100, 0.2, 14)); // more than the sample size
  std::vector<MemoryParameters> chosen;
  for (const int count : {1, 4}) {
    set_threads(count);
    for (const MemoryKind& kind : memory_kinds()) {
      chosen.push_back(sides.parameters_for(kind.name));
    }
  }
  set_threads(before);
  for (size_t i = 0; i < memory_kinds().size(); ++i) {
    const MemoryParameters &one = chosen[i], &four = chosen[i + memory_kinds().size()];
    EXPECT_EQ(one.hamming_radius, four.hamming_radius) << memory_kinds()[i].name;
    EXPECT_EQ(one.encoded_bits, four.encoded_bits) << memory_kinds()[i].name;
    EXPECT_EQ(one.selected_coordinates, four.selected_coordinates) << memory_kinds()[i].name;
    EXPECT_EQ(one.beta, four.beta) << memory_kinds()[i].name;
  }
}

TEST(ParameterChooser, FitsBetaToTheRadius) {
  const Sides sides(letters());
  const int64_t radius = choose_radius(sides.bits, kSeed).hamming_radius;
  const MemoryParameters attention = sides.parameters_for("binary-attention");
  EXPECT_EQ(attention.hamming_radius, radius);
  EXPECT_DOUBLE_EQ(attention.beta, theory::fit_beta(256, radius, std::log(1e6)).beta);
  const MemoryParameters narrow = sides.parameters_for("attention", {.hamming_radius = 20});
  EXPECT_DOUBLE_EQ(narrow.beta, theory::fit_beta(256, 20, std::log(1e6)).beta);
}

/// With few components no radius is small enough.
TEST(ParameterChooser, UsesBetaMinIfTheFittedBetaIsTooSmall) {
  const RealPatterns reals = data::random_sphere(100, 5, Random(15));
  const BitPatterns bits = to_bits(reals, 0);
  const MemoryParameters parameters =
      ParameterChooser(bits, reals, {}, kSeed).parameters_for(memory_kinds_named({"attention"})[0]);
  const double beta_min =
      choose_radius(reals, kSeed).beta_min; // increased, since the first update is not enough
  EXPECT_GE(parameters.beta, beta_min);
  EXPECT_LT(parameters.beta, 2 * beta_min);
  ASSERT_EQ(parameters.settings.size(), 1U);
  EXPECT_EQ(parameters.settings[0].origin, "minimum at which 99 % of the patterns are fixed points");
}

/// Two pairs of similar patterns: the displacement of the first update is small enough, but grows in the
/// next.
TEST(ParameterChooser, BetaMinKeepsPatternsInRepeatedUpdates) {
  const int64_t ones[5][3] = {{3, 6, -1}, {1, 4, 6}, {1, 2, 3}, {1, 4, -1}, {3, 4, 6}};
  RealPatterns numbers(5, 7);
  for (int64_t i = 0; i < 5; ++i) {
    for (const int64_t at : ones[i]) {
      if (at >= 0) {
        numbers[i][static_cast<size_t>(at)] = 1;
      }
    }
  }
  RealPatterns centred = numbers;
  for (size_t j = 0; j < 7; ++j) {
    double mean = 0;
    for (int64_t i = 0; i < 5; ++i) {
      mean += numbers[i][j] / 5;
    }
    for (int64_t i = 0; i < 5; ++i) {
      centred[i][j] -= mean;
    }
  }
  const RealPatterns reals = normalised(centred);
  const BitPatterns bits = to_bits(numbers, 0.5);
  const MemoryParameters parameters =
      ParameterChooser(bits, reals, {}, kSeed).parameters_for(memory_kinds_named({"attention"})[0]);
  EXPECT_EQ(parameters.settings.at(0).origin, "minimum at which 99 % of the patterns are fixed points");
  AssociateOptions<RealPatterns> options = cosine_attention(parameters.beta);
  options.update.update_steps_max = 10;
  const RealPatterns readouts = associate(reals, reals, options).readout;
  for (int64_t i = 0; i < 5; ++i) {
    EXPECT_GE(cosine(readouts, i, reals, i), kExactCosine) << i;
  }
  EXPECT_LT(parameters.beta, 2 * choose_radius(reals, kSeed).beta_min);
}

TEST(ParameterChooser, SharpensSoftmaxIfOneUpdateMustRecall) {
  const Sides sides(data::random_bits(100, 64, Random(17)));
  const double beta_min = choose_radius(sides.reals, kSeed).beta_min;
  const MemoryParameters iterated = sides.parameters_for("attention"),
                         average = sides.parameters_for("modern-hopfield"),
                         once = sides.parameters_for("attention", {.update_steps_max = 1});
  EXPECT_LT(iterated.beta, 2 * beta_min);
  EXPECT_DOUBLE_EQ(average.beta, beta_min / 0.3);
  EXPECT_DOUBLE_EQ(once.beta, 5 * beta_min);
  EXPECT_TRUE(
      average.settings.at(0).origin.ends_with("because readouts that are not normalised become shorter"))
      << average.settings[0].origin;
  EXPECT_TRUE(once.settings.at(0).origin.ends_with("because there is one update"));
}

TEST(ParameterChooser, KeepsGivenParameters) {
  const Sides sides(letters());
  const ParameterChoices choices{.hamming_radius = 90,
                                 .beta = 3.5,
                                 .degree = 2.5,
                                 .hard_locations = 7,
                                 .selected_coordinates = 9,
                                 .update_steps_max = 4};
  for (const MemoryKind& kind : memory_kinds()) {
    const MemoryParameters parameters = sides.parameters_for(kind.name, choices);
    EXPECT_EQ(parameters.hamming_radius, kind.uses.hamming_radius ? 90 : 0) << kind.name;
    EXPECT_EQ(parameters.beta, kind.uses.beta ? 3.5 : 0) << kind.name;
    EXPECT_EQ(parameters.degree, kind.uses.degree ? 2.5 : 0) << kind.name;
    EXPECT_EQ(parameters.selected_coordinates, kind.uses.selected_coordinates ? 9 : 0) << kind.name;
    EXPECT_EQ(parameters.encoded_bits, 0) << kind.name;
    EXPECT_EQ(parameters.update_steps_max, 4) << kind.name;
    for (const MemorySetting& setting : parameters.settings) {
      EXPECT_EQ(setting.origin, kind.name == "pattern-sdm-finite" && setting.name == "hard_locations"
                                    ? "expected numbers, sampled"
                                    : "")
          << kind.name;
    }
  }
  EXPECT_EQ(sides.parameters_for("sdm", choices).hard_locations, 7);
}

TEST(ParameterChooser, AppliesBetaToEveryMemoryThatUsesIt) {
  const Sides sides(data::random_bits(5, 64, Random(16)));
  EXPECT_DOUBLE_EQ(sides.parameters_for("transformer").beta, 1.0 / 8);
  EXPECT_GT(sides.parameters_for("modern-hopfield").beta, sides.parameters_for("attention").beta);
  const RealPatterns cue = data::random_sphere(1, 64, Random(4));
  for (const MemoryKind& kind : memory_kinds()) {
    if (!kind.on_bits) { // here beta affects recall
      const auto readout = [&](const ParameterChoices& choices) {
        return build(kind, sides.reals, sides.parameters_for(kind.name, choices))(cue).readout;
      };
      EXPECT_EQ(readout({.beta = 2.5}) != readout({}), kind.uses.beta) << kind.name;
    }
  }
}

TEST(ParameterChooser, ReportsTheParametersOfEachMemoryAndTheirOrigin) {
  const Sides sides(letters());
  const auto text = [&](const std::string& name, const ParameterChoices& choices) {
    std::string all;
    for (const MemorySetting& setting : sides.parameters_for(name, choices).settings) {
      all += setting.name + "=" + std::to_string(static_cast<int64_t>(setting.value)) + "[" + setting.origin +
             "]";
    }
    return all;
  };
  const ParameterChoices given{.hamming_radius = 20, .hard_locations = 7};
  EXPECT_EQ(text("sdm", given), "hamming_radius=20[]hard_locations=7[]");
  EXPECT_EQ(text("pattern-sdm", given), "hamming_radius=20[]");
  EXPECT_EQ(text("hopfield", given), "");
  EXPECT_TRUE(mneme::testing::contains(text("dense", given), "[at least as sharp as softmax with beta "));
  EXPECT_EQ(text("transformer", given), "beta=0[1 / sqrt(size)]");
  EXPECT_TRUE(mneme::testing::contains(text("attention", given), "[fitted to the Hamming radius 20]"));
  EXPECT_TRUE(
      mneme::testing::contains(text("attention", {.hamming_radius = 1}), "[fitted to the Hamming radius 2]"))
      << "the smallest radius with a fit";
  EXPECT_EQ(text("pattern-sdm", {.hamming_radius = 1}), "hamming_radius=1[]");
  EXPECT_TRUE(mneme::testing::contains(
      text("pattern-sdm", {}), "[patterns outweigh all others up to at least 40 % noise, at mean distances]"))
      << text("pattern-sdm", {});
  EXPECT_TRUE(mneme::testing::contains(text("sdm", {}), "% of bits right after one read]encoded_bits=512[]"))
      << text("sdm", {});
}

TEST(ParameterChooser, ChoosesSelectedCoordinatesThatRecall) {
  EXPECT_GT(recalled(Sides(letters()), "selected-sdm", 0.1), 0.85);
  const Sides random(data::random_bits(60, 256, Random(17)));
  EXPECT_GT(recalled(random, "selected-sdm", 0.1), 0.95);
  EXPECT_EQ(random.parameters_for("selected-sdm").encoded_bits, 0);
  // 20 of 200 bits are 1. A cue of 20 flipped bits loses 2 of them and gains 18.
  const Sides sparse(sparse_bits(100, 200, 0.1, 18));
  const MemoryParameters parameters = sparse.parameters_for("hyperplane-sdm");
  EXPECT_EQ(parameters.encoded_bits, 0);
  EXPECT_LT(parameters.selected_coordinates, sparse.parameters_for("selected-sdm").selected_coordinates)
      << "fewer addresses are 1 in a coordinate than have a random value there";
  EXPECT_GT(recalled(sparse, "hyperplane-sdm", 0.02), 0.9);
}

TEST(RequireValid, RejectsSelectedCoordinatesOutOfRange) {
  for (const int64_t coordinates : {-1, 0, 257}) {
    expect_usage_error([&] { require_valid(ParameterChoices{.selected_coordinates = coordinates}, 256); },
                       {std::to_string(coordinates) + " selected coordinates", "1 .. 256"});
  }
}

TEST(RequireValid, RejectsARadiusOutOfRange) {
  for (const int64_t radius : {-1, 0, 256, 300}) {
    expect_usage_error([&] { require_valid(ParameterChoices{.hamming_radius = radius}, 256); },
                       {"radius is " + std::to_string(radius), "1 .. 255", "256 bits"});
  }
}

TEST(RequireValid, RejectsOtherNumbersOutOfRange) {
  expect_usage_error([] { require_valid(ParameterChoices{.beta = -0.5}, 256); },
                     {"beta is -0.5", "from 0 to"});
  expect_usage_error(
      [] { require_valid(ParameterChoices{.beta = std::numeric_limits<double>::quiet_NaN()}, 256); },
      {"beta is nan", "from 0 to"});
  expect_usage_error([] { require_valid(ParameterChoices{.hard_locations = 0}, 256); },
                     {"0 hard locations", "at least 1"});
  expect_usage_error([] { require_valid(ParameterChoices{.update_steps_max = -3}, 256); },
                     {"-3 update steps", "at least 1"});
  expect_usage_error([] { require_valid({}, 3); }, {"3 components", "at least 4"});
}

} // namespace
} // namespace mneme::trials
