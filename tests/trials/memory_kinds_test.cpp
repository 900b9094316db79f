// SPDX-License-Identifier: MIT

#include "mneme/trials/memory_kinds.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include <gtest/gtest.h>

#include "mneme/core/random.h"
#include "mneme/data/random_patterns.h"
#include "mneme/theory/beta_fit.h"
#include "mneme/theory/space_fraction.h"
#include "trials/messages.h"

namespace mneme::trials {
namespace {

std::vector<std::string> names_of(const std::vector<MemoryKind>& kinds) {
  std::vector<std::string> names;
  for (const MemoryKind& kind : kinds) {
    names.push_back(kind.name);
  }
  return names;
}

using Names = std::vector<std::string>;

TEST(MemoryKinds, AreToldApartByNameAndTitle) {
  std::set<std::string> names, titles;
  for (const MemoryKind& kind : memory_kinds()) {
    names.insert(kind.name);
    titles.insert(kind.title);
    EXPECT_NE(kind.steps.find("->"), std::string::npos) << kind.name;
  }
  EXPECT_EQ(names.size(), memory_kinds().size());
  EXPECT_EQ(titles.size(), memory_kinds().size());
}

TEST(MemoryKinds, AreAllMeantByAll) {
  EXPECT_EQ(names_of(memory_kinds_named({"all"})), names_of(memory_kinds()));
}

TEST(MemoryKinds, KeepTheOrderInWhichTheyWereNamed) {
  EXPECT_EQ(names_of(memory_kinds_named({"hopfield", "sdm", "attention"})),
            (Names{"hopfield", "sdm", "attention"}));
  const Names dense_first = names_of(memory_kinds_named({"dense", "all"}));
  EXPECT_EQ(dense_first.front(), "dense");
  EXPECT_EQ(dense_first.size(), memory_kinds().size());
}

TEST(MemoryKinds, AreTakenOnceHoweverOftenTheyAreNamed) {
  EXPECT_EQ(names_of(memory_kinds_named({"sdm", "hopfield", "sdm"})), (Names{"sdm", "hopfield"}));
  EXPECT_EQ(names_of(memory_kinds_named({"all", "sdm", "all"})), names_of(memory_kinds()));
}

TEST(MemoryKinds, AreAllListedWhenANameIsUnknown) {
  for (const char* wrong : {"nonsense", "", "SDM", "sdm "}) {
    expect_usage_error(
        [&] {
          memory_kinds_named({"sdm", wrong});
        },
        {"\"" + std::string(wrong) + "\"", "all"});
    for (const MemoryKind& kind : memory_kinds()) {
      expect_usage_error([&] { memory_kinds_named({wrong}); }, {kind.name});
    }
  }
}

TEST(ParametersFor, ChooseTheBestSignalToNoiseRatioAndFitBetaToIt) {
  const MemoryParameters parameters = parameters_for(256, 100, {});
  const int64_t best = theory::hamming_radius_for_signal_to_noise(256, 100, 1e6);
  EXPECT_EQ(parameters.hamming_radius, best);
  EXPECT_EQ(parameters.location_radius, best);
  EXPECT_DOUBLE_EQ(parameters.beta, theory::fit_beta(256, best, std::log(1e6)).beta);
}

TEST(ParametersFor, KeepWhatWasChosen) {
  const MemoryParameters parameters = parameters_for(
      64, 10,
      {.hamming_radius = 20, .location_radius = 24, .beta = 3.5, .hard_locations = 7, .update_steps_max = 4});
  EXPECT_EQ(parameters.hamming_radius, 20);
  EXPECT_EQ(parameters.location_radius, 24);
  EXPECT_EQ(parameters.beta, 3.5);
  EXPECT_EQ(parameters.hard_locations, 7);
  EXPECT_EQ(parameters.update_steps_max, 4);
  // A radius alone moves the fit, not the radius of finitely many locations.
  const MemoryParameters narrow = parameters_for(64, 10, {.hamming_radius = 10});
  EXPECT_EQ(narrow.location_radius, theory::hamming_radius_for_signal_to_noise(64, 10, 1e6));
  EXPECT_DOUBLE_EQ(narrow.beta, theory::fit_beta(64, 10, std::log(1e6)).beta);
}

TEST(ParametersFor, GiveBetaToEveryMemoryThatHasOne) {
  const MemoryParameters own = parameters_for(64, 10, {});
  EXPECT_DOUBLE_EQ(own.transformer_beta, 1.0 / 8);
  EXPECT_DOUBLE_EQ(own.hopfield_beta, 8);
  const ParameterChoices choices{.beta = 3.5};
  const MemoryParameters given = parameters_for(64, 10, choices);
  const RealPatterns stored = data::random_sphere(5, 64, Random(3));
  for (const MemoryKind& kind : memory_kinds()) {
    const std::vector<MemorySetting> settings = settings_of(kind, choices, given);
    const auto beta = std::ranges::find(settings, "beta", &MemorySetting::name);
    ASSERT_EQ(beta != settings.end(), kind.uses.beta) << kind.name;
    if (kind.uses.beta) {
      EXPECT_EQ(beta->value, 3.5) << kind.name;
      EXPECT_EQ(beta->origin, "") << kind.name;
    }
    if (!kind.on_bits) { // and it decides what is recalled
      const RealPatterns cue = data::random_sphere(1, 64, Random(4));
      const bool moved = build(kind, stored, given)(cue).readout != build(kind, stored, own)(cue).readout;
      EXPECT_EQ(moved, kind.uses.beta) << kind.name;
    }
  }
}

TEST(SettingsOf, NameWhatEachMemoryUsesAndWhereItComesFrom) {
  const ParameterChoices choices{.hamming_radius = 20, .location_radius = 24, .hard_locations = 7};
  const MemoryParameters parameters = parameters_for(64, 10, choices);
  const auto text = [&](const std::string& name) {
    std::string all;
    for (const MemorySetting& setting : settings_of(memory_kinds_named({name})[0], choices, parameters)) {
      all += setting.name + "=" + std::to_string(static_cast<int64_t>(setting.value)) + "[" + setting.origin +
             "]";
    }
    return all;
  };
  EXPECT_EQ(text("sdm"), "hamming_radius=24[]hard_locations=7[]");
  EXPECT_EQ(text("pattern-sdm"), "hamming_radius=20[]");
  EXPECT_EQ(text("hopfield"), "");
  EXPECT_EQ(text("dense"), "degree=3[]");
  EXPECT_TRUE(mneme::testing::contains(text("attention"), "[fitted to the Hamming radius 20]"));
  EXPECT_EQ(text("transformer"), "beta=0[1 / sqrt(size)]");
  EXPECT_EQ(text("modern-hopfield"), "beta=8[sqrt(size)]");
}

TEST(ParametersFor, WorkForEverySizeThatIsNotTooSmall) {
  for (const int64_t size : {4, 5, 8, 63, 64, 65, 1000}) {
    for (const int64_t count : {1, 2, 100000}) {
      const MemoryParameters parameters = parameters_for(size, count, {});
      EXPECT_GE(parameters.hamming_radius, 2) << size;
      EXPECT_LE(parameters.hamming_radius, size - 1) << size;
      EXPECT_TRUE(std::isfinite(parameters.beta)) << size;
    }
  }
}

TEST(ParametersFor, RefuseARadiusOutsideThePatterns) {
  for (const int64_t radius : {-1, 0, 1, 256, 300}) {
    const std::string given = std::to_string(radius);
    expect_usage_error([&] { parameters_for(256, 10, {.hamming_radius = radius}); },
                       {"radius is " + given, "2 .. 255", "256 bits"});
    expect_usage_error([&] { parameters_for(256, 10, {.location_radius = radius}); },
                       {"radius is " + given, "2 .. 255", "256 bits"});
  }
}

TEST(ParametersFor, RefuseOtherNumbersOutOfRange) {
  expect_usage_error([] { parameters_for(256, 10, {.beta = -0.5}); }, {"beta is -0.5", "at least 0"});
  expect_usage_error([] { parameters_for(256, 10, {.beta = std::numeric_limits<double>::quiet_NaN()}); },
                     {"beta is nan", "at least 0"});
  expect_usage_error([] { parameters_for(256, 10, {.hard_locations = 0}); },
                     {"0 hard locations", "at least 1"});
  expect_usage_error([] { parameters_for(256, 10, {.update_steps_max = -3}); },
                     {"-3 update steps", "at least 1"});
  expect_usage_error([] { parameters_for(3, 10, {}); }, {"3 components", "at least 4"});
}

TEST(Build, RefusesPatternsOfTheOtherSort) {
  const BitPatterns bits = data::random_bits(3, 64, Random(1));
  const RealPatterns reals = data::random_sphere(3, 64, Random(1));
  const MemoryParameters parameters = parameters_for(64, 3, {});
  for (const MemoryKind& kind : memory_kinds()) {
    if (kind.on_bits) {
      expect_usage_error([&] { build(kind, reals, parameters); }, {kind.name, "does not store real"});
    } else {
      expect_usage_error([&] { build(kind, bits, parameters, 1); }, {kind.name, "does not store bits"});
    }
  }
}

} // namespace
} // namespace mneme::trials
