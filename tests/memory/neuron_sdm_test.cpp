// SPDX-License-Identifier: MIT

#include "mneme/memory/neuron_sdm.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <tuple>
#include <utility>

#include "memory/samples.h"
#include "mneme/core/interrupt.h"
#include "mneme/core/parallel.h"
#include "mneme/theory/selected_coordinates.h"
#include "mneme/theory/space_fraction.h"

namespace mneme {
namespace {

using test::expect_contains;
using test::usage_error;

/// Reference: the definition of a read, one bit at a time.
BitPatterns reference_read(const BitPatterns& addresses, const BitPatterns& written_at,
                           const BitPatterns& data, const BitPatterns& cues, int64_t radius) {
  BitPatterns readout(cues.count(), data.bits());
  for (int64_t c = 0; c < cues.count(); ++c) {
    for (int64_t b = 0; b < data.bits(); ++b) {
      int64_t sum = 0;
      for (int64_t k = 0; k < addresses.count(); ++k) {
        if (hamming_distance(addresses, k, cues, c) > radius) {
          continue;
        }
        for (int64_t p = 0; p < data.count(); ++p) {
          if (hamming_distance(addresses, k, written_at, p) <= radius) {
            sum += data.get(p, b) ? 1 : -1;
          }
        }
      }
      readout.set(c, b, sum > 0);
    }
  }
  return readout;
}

TEST(NeuronSdm, EqualsTheReference) {
  const BitPatterns addresses = test::random_bits(1500, 40, 1), patterns = test::random_bits(70, 40, 2),
                    data = test::random_bits(70, 13, 3);
  const BitPatterns cues = test::with_flips(patterns, 4, 4);
  NeuronSdm memory({.bits = 40, .hard_locations = 0, .hamming_radius = 14, .data_bits = 13}, addresses);
  memory.write(patterns, data);
  EXPECT_EQ(memory.recall(cues, {.empty_read = EmptyRead::zeros}).readout,
            reference_read(addresses, patterns, data, cues, 14));
}

TEST(NeuronSdm, RecallsEveryPatternBelowCapacity) {
  constexpr int64_t kBits = 256, kLocations = 30000;
  const BitPatterns patterns = test::random_bits(60, kBits, 5);
  NeuronSdm memory({.bits = kBits, .hard_locations = kLocations, .hamming_radius = 107, .seed = 7});
  memory.write(patterns);
  const Recall<BitPatterns> recall =
      memory.recall(test::with_flips(patterns, 25, 6), {.update_steps_max = 10});
  EXPECT_EQ(recall.readout, patterns);
  EXPECT_EQ(recall.converged, std::vector<uint8_t>(60, 1));
}

TEST(NeuronSdm, ActivatesTheExpectedNumberOfLocations) {
  constexpr int64_t kBits = 1000, kLocations = 50000, kCues = 50;
  const NeuronSdm memory(
      {.bits = kBits, .hard_locations = kLocations, .hamming_radius = 460, .data_bits = 1});
  BitPatterns cues = test::random_bits(kCues, kBits, 8);
  const std::vector<int64_t> activated = memory.recall(cues).num_activated;
  const double mean = double(std::accumulate(activated.begin(), activated.end(), int64_t{0})) / kCues;
  const double expected = kLocations * theory::space_fraction(kBits, 460);
  EXPECT_NEAR(mean, expected, 5 * std::sqrt(expected / kCues));
}

TEST(NeuronSdm, WriteCountsThePatternsThatActivateNoLocation) {
  const BitPatterns patterns = test::random_bits(3000, 100, 11);
  for (const NeuronSdmOptions& options :
       {NeuronSdmOptions{.bits = 100, .hard_locations = 900, .hamming_radius = 34},
        NeuronSdmOptions{
            .bits = 100, .hard_locations = 900, .hamming_radius = 0, .selected_coordinates = 9}}) {
    NeuronSdm memory(options);
    const std::vector<int64_t> activated = memory.recall(patterns).num_activated;
    const int64_t without = std::ranges::count(activated, 0);
    EXPECT_GT(without, 100);
    EXPECT_LT(without, 2900);
    EXPECT_EQ(memory.write(patterns), without);
  }
}

TEST(NeuronSdm, IsIndependentOfTheNumberOfThreads) {
  const BitPatterns patterns = test::random_bits(150, 100, 9), cues = test::with_flips(patterns, 20, 10);
  const auto run = [&](int count) {
    const int before = threads();
    set_threads(count);
    NeuronSdm memory({.bits = 100, .hard_locations = 5000, .hamming_radius = 40});
    memory.write(patterns);
    Recall<BitPatterns> recall = memory.recall(cues, {.update_steps_max = 3});
    set_threads(before);
    return std::pair(recall.readout, memory.counters(17));
  };
  EXPECT_EQ(run(1), run(4));
}

TEST(NeuronSdm, CountersSaturateAndTheLossIsCounted) {
  BitPatterns address(1, 8);
  NeuronSdm memory({.bits = 8, .hard_locations = 0, .hamming_radius = 0}, address);
  BitPatterns many(40000, 8);
  memory.write(many); // all bits are 0, so each write decrements all 8 counters
  EXPECT_EQ(memory.counters(0), std::vector<int16_t>(8, std::numeric_limits<int16_t>::min()));
  EXPECT_EQ(memory.writes(0), 40000);
  EXPECT_EQ(memory.saturations(), 8 * (40000 - 32768));
}

TEST(NeuronSdm, KeepsTheQueryWhenNoLocationIsActivated) {
  const BitPatterns addresses(3, 64);
  NeuronSdm memory({.bits = 64, .hard_locations = 3, .hamming_radius = 2}, addresses);
  const BitPatterns cues = test::random_bits(2, 64, 11);
  const Recall<BitPatterns> recall = memory.recall(cues);
  EXPECT_EQ(recall.readout, cues);
  EXPECT_EQ(recall.num_activated, (std::vector<int64_t>{0, 0}));
  EXPECT_EQ(memory.recall(cues, {.empty_read = EmptyRead::zeros}).readout, BitPatterns(2, 64));
}

TEST(NeuronSdm, ReportsInvalidArguments) {
  expect_contains(usage_error([] { NeuronSdm({.bits = 10, .hard_locations = 5, .hamming_radius = 11}); }),
                  {"11", "0 .. 10"});
  expect_contains(usage_error([] { NeuronSdm({.bits = 0, .hard_locations = 5, .hamming_radius = 0}); }),
                  {"5 hard locations of 0"});
  expect_contains(usage_error([] {
                    NeuronSdm({.bits = 10, .hard_locations = 5, .hamming_radius = 3}, BitPatterns(4, 10));
                  }),
                  {"5", "4"});
  NeuronSdm memory({.bits = 10, .hard_locations = 5, .hamming_radius = 3, .data_bits = 4});
  expect_contains(usage_error([&] { memory.write(BitPatterns(1, 10)); }), {"10", "4"});
  expect_contains(usage_error([&] { memory.write(BitPatterns(2, 10), BitPatterns(1, 4)); }),
                  {"2 addresses", "1 patterns"});
  expect_contains(usage_error([&] { memory.recall(BitPatterns(1, 9)); }), {"9", "10"});
  expect_contains(usage_error([&] { (void)memory.counters(5); }), {"hard location 5", "there are 5"});
  expect_contains(usage_error([&] { (void)memory.writes(-1); }), {"hard location -1", "there are 5"});
  expect_contains(usage_error([&] { (void)memory.selected(5); }), {"hard location 5", "there are 5"});
  expect_contains(usage_error([&] { memory.recall(BitPatterns(1, 10), {.update_steps_max = 2}); }),
                  {"4", "10"});
}

/// All counters and numbers of writes, location by location.
std::vector<int64_t> state_of(const NeuronSdm& memory) {
  std::vector<int64_t> state;
  for (int64_t location = 0; location < memory.options().hard_locations; ++location) {
    const std::vector<int16_t> counters = memory.counters(location);
    state.push_back(memory.writes(location));
    state.insert(state.end(), counters.begin(), counters.end());
  }
  return state;
}

TEST(NeuronSdm, UnwriteReversesWriteExactly) {
  const BitPatterns kept = test::random_bits(70, 64, 21), removed = test::random_bits(90, 64, 22);
  const NeuronSdmOptions options{.bits = 64, .hard_locations = 3000, .hamming_radius = 24, .seed = 3};
  NeuronSdm memory(options), never(options);
  memory.write(removed);
  memory.write(kept);
  memory.unwrite(removed);
  never.write(kept);
  EXPECT_EQ(state_of(memory), state_of(never));
}

TEST(NeuronSdm, UnwriteRefusesPatternsThatWereNotWritten) {
  NeuronSdm memory({.bits = 64, .hard_locations = 500, .hamming_radius = 30, .seed = 3});
  memory.write(test::random_bits(2, 64, 23));
  const std::vector<int64_t> before = state_of(memory);
  expect_contains(usage_error([&] { memory.unwrite(test::random_bits(3, 64, 24)); }),
                  {"hard location", "writes", "Subtract only patterns that were written"});
  EXPECT_EQ(state_of(memory), before);
}

TEST(NeuronSdm, UnwriteRefusesSaturatedCounters) {
  NeuronSdm memory({.bits = 8, .hard_locations = 0, .hamming_radius = 0}, BitPatterns(1, 8));
  memory.write(BitPatterns(33000, 8));
  ASSERT_GT(memory.saturations(), 0);
  expect_contains(usage_error([&] { memory.unwrite(BitPatterns(1, 8)); }), {"lost to saturation"});
}

TEST(NeuronSdm, RestoresSavedCounters) {
  const NeuronSdmOptions options{.bits = 64, .hard_locations = 300, .hamming_radius = 28, .seed = 3};
  NeuronSdm memory(options), restored(options);
  memory.write(test::random_bits(40, 64, 25));
  for (int64_t location = 0; location < 300; ++location) {
    restored.restore(location, memory.counters(location), memory.writes(location));
  }
  EXPECT_EQ(state_of(restored), state_of(memory));
  expect_contains(usage_error([&] { restored.restore(300, memory.counters(0), 40); }), {"300", "64"});
  expect_contains(usage_error([&] { restored.restore(0, std::vector<int16_t>(64, 5), 4); }), {"4", "5"});
}

TEST(NeuronSdm, DoesNotDependOnHowPatternsAreDividedIntoCalls) {
  const BitPatterns patterns = test::random_bits(300, 64, 31), cues = test::with_flips(patterns, 9, 32);
  const NeuronSdmOptions options{.bits = 64, .hard_locations = 5000, .hamming_radius = 26, .seed = 3};
  NeuronSdm at_once(options), one_by_one(options);
  at_once.write(patterns);
  for (int64_t i = 0; i < patterns.count(); ++i) {
    one_by_one.write(slice(patterns, i, i + 1));
  }
  EXPECT_EQ(state_of(at_once), state_of(one_by_one));
  const Recall<BitPatterns> together = at_once.recall(cues);
  for (int64_t i = 0; i < cues.count(); i += 37) {
    const Recall<BitPatterns> alone = at_once.recall(slice(cues, i, i + 1));
    EXPECT_EQ(alone.readout, slice(together.readout, i, i + 1));
    EXPECT_EQ(alone.num_activated[0], together.num_activated[static_cast<size_t>(i)]);
  }
}

TEST(NeuronSdm, ReadsCountersThatFillTheirBits) {
  // 3 locations with the same address: 2 hold -32768, 1 holds 32767, which sums of 16 bits could not hold.
  NeuronSdm memory({.bits = 8, .hard_locations = 0, .hamming_radius = 0}, BitPatterns(3, 8));
  memory.restore(0, std::vector<int16_t>(8, std::numeric_limits<int16_t>::min()), 40000);
  memory.restore(1, std::vector<int16_t>(8, std::numeric_limits<int16_t>::min()), 40000);
  memory.restore(2, std::vector<int16_t>(8, std::numeric_limits<int16_t>::max()), 40000);
  const BitPatterns cue(1, 8);
  EXPECT_EQ(memory.recall(cue).readout, BitPatterns(1, 8)); // -32769 is not above 0
  memory.restore(1, std::vector<int16_t>(8, 2), 40000);
  BitPatterns ones(1, 8);
  for (int64_t b = 0; b < 8; ++b) {
    ones.set(0, b, true);
  }
  EXPECT_EQ(memory.recall(cue).readout, ones); // -32768 + 2 + 32767 = 1
}

TEST(NeuronSdm, ReadsMoreLocationsThanAChunkHasAtTheSameAddress) {
  constexpr int64_t kLocations = 70'000; // of 2^16 per chunk, all of which are activated
  const BitPatterns patterns = test::random_bits(3, 20, 33);
  BitPatterns addresses(kLocations, 20);
  for (int64_t k = 0; k < kLocations; ++k) {
    std::ranges::copy(patterns[0], addresses[k].begin());
  }
  NeuronSdm memory({.bits = 20, .hard_locations = 0, .hamming_radius = 0}, addresses);
  memory.write(patterns);
  const Recall<BitPatterns> recall = memory.recall(patterns, {.empty_read = EmptyRead::zeros});
  EXPECT_EQ(recall.num_activated, (std::vector<int64_t>{kLocations, 0, 0}));
  EXPECT_EQ(slice(recall.readout, 0, 1), slice(patterns, 0, 1));
  EXPECT_EQ(memory.writes(kLocations - 1), 1);
}

TEST(NeuronSdm, RefusesMoreMemoryThanThereIs) {
  const NeuronSdmOptions options{.bits = 1000, .hard_locations = 1'000'000'000'000, .hamming_radius = 451};
  EXPECT_EQ(NeuronSdm::memory_bytes(options), 1e12 * (1024 / 8 + 2 * 1024 + 8));
  expect_contains(usage_error([&] { NeuronSdm memory(options); }),
                  {"1000000000000 hard locations", "2.18e+06 GB", "is available", "Use at most"});
}

/// True if a hard location with selected coordinates is activated, by the definition.
bool is_activated(const NeuronSdm& memory, int64_t location, const BitPatterns& addresses, int64_t address) {
  int64_t differing = 0;
  for (const int32_t selected : memory.selected(location)) {
    differing += addresses.get(address, selected / 2) != (selected % 2 == 1) ? 1 : 0;
  }
  return differing <= memory.options().hamming_radius;
}

/// The designs: selected coordinates without and with a radius, and the hyperplane design.
std::vector<NeuronSdmOptions> designs(int64_t bits, int64_t hard_locations) {
  const NeuronSdmOptions selected{
      .bits = bits, .hard_locations = hard_locations, .hamming_radius = 0, .selected_coordinates = 5};
  NeuronSdmOptions with_radius = selected, hyperplane = selected;
  with_radius.selected_coordinates = 20;
  with_radius.hamming_radius = 6;
  hyperplane.selected_coordinates = 3;
  hyperplane.assigned_values = AssignedValues::ones;
  return {selected, with_radius, hyperplane};
}

TEST(NeuronSdm, ActivatesBySelectedCoordinatesAsDefined) {
  // More than one group of 64 queries, and a last group that is not full.
  const BitPatterns patterns = test::random_bits(150, 70, 41), data = test::random_bits(150, 13, 42);
  const BitPatterns cues = test::with_flips(patterns, 6, 43);
  for (NeuronSdmOptions options : designs(70, 1500)) {
    options.data_bits = 13;
    NeuronSdm memory(options);
    memory.write(patterns, data);
    std::vector<int64_t> sums(static_cast<size_t>(cues.count() * 13), 0), activated(150, 0);
    for (int64_t k = 0; k < options.hard_locations; ++k) {
      std::vector<int16_t> counters(13, 0);
      int64_t writes = 0;
      for (int64_t p = 0; p < patterns.count(); ++p) {
        if (is_activated(memory, k, patterns, p)) {
          ++writes;
          for (int64_t b = 0; b < 13; ++b) {
            counters[static_cast<size_t>(b)] += data.get(p, b) ? 1 : -1;
          }
        }
      }
      ASSERT_EQ(memory.counters(k), counters) << k;
      ASSERT_EQ(memory.writes(k), writes) << k;
      for (int64_t c = 0; c < cues.count(); ++c) {
        if (is_activated(memory, k, cues, c)) {
          ++activated[static_cast<size_t>(c)];
          for (int64_t b = 0; b < 13; ++b) {
            sums[static_cast<size_t>(13 * c + b)] += counters[static_cast<size_t>(b)];
          }
        }
      }
    }
    const Recall<BitPatterns> recall = memory.recall(cues, {.empty_read = EmptyRead::zeros});
    EXPECT_EQ(recall.num_activated, activated);
    for (int64_t c = 0; c < cues.count(); ++c) {
      for (int64_t b = 0; b < 13; ++b) {
        EXPECT_EQ(recall.readout.get(c, b), sums[static_cast<size_t>(13 * c + b)] > 0);
      }
    }
  }
}

TEST(NeuronSdm, SelectsDistinctCoordinatesWithTheRequestedValues) {
  const std::vector<NeuronSdmOptions> all = designs(70, 2000);
  const NeuronSdm memory(all[0]), hyperplane(all[2]);
  int64_t ones = 0;
  std::vector<int64_t> uses(70, 0);
  for (int64_t k = 0; k < 2000; ++k) {
    ASSERT_EQ(memory.selected(k).size(), 5U);
    for (size_t i = 0; i < 5; ++i) {
      const int32_t selected = memory.selected(k)[i];
      ++uses.at(static_cast<size_t>(selected / 2));
      ones += selected % 2;
      EXPECT_TRUE(i == 0 || selected / 2 > memory.selected(k)[i - 1] / 2);
    }
    for (const int32_t selected : hyperplane.selected(k)) {
      EXPECT_EQ(selected % 2, 1);
    }
  }
  EXPECT_NEAR(double(ones), 5000, 5 * std::sqrt(2500));
  for (const int64_t of_coordinate : uses) {
    EXPECT_NEAR(double(of_coordinate), 10000.0 / 70, 5 * std::sqrt(10000.0 / 70));
  }
}

/// Mean number of hard locations that both addresses of a pair activate.
double mean_shared(const NeuronSdmOptions& options, const BitPatterns& first, const BitPatterns& second) {
  const NeuronSdm memory(options);
  double sum = 0;
  for (int64_t i = 0; i < first.count(); ++i) {
    for (int64_t k = 0; k < options.hard_locations; ++k) {
      sum += is_activated(memory, k, first, i) && is_activated(memory, k, second, i) ? 1 : 0;
    }
  }
  return sum / static_cast<double>(first.count());
}

TEST(NeuronSdm, SharesTheExpectedNumberOfSelectedLocations) {
  constexpr int64_t kPairs = 25, kLocations = 20'000;
  const BitPatterns addresses = test::random_bits(kPairs, 200, 44);
  for (const NeuronSdmOptions& options : designs(200, kLocations)) {
    if (options.assigned_values == AssignedValues::ones) {
      continue;
    }
    const std::vector<double> expected = theory::selected_coordinate_locations(
        200, kLocations, options.selected_coordinates, options.hamming_radius);
    for (const int64_t distance : {0, 20, 60}) {
      const double lambda = expected[static_cast<size_t>(distance)];
      EXPECT_NEAR(mean_shared(options, addresses, test::with_flips(addresses, distance, 45)), lambda,
                  5 * std::sqrt(lambda / kPairs))
          << distance;
    }
  }
}

TEST(NeuronSdm, SharesTheExpectedNumberOfLocationsOfTheHyperplaneDesign) {
  constexpr int64_t kPairs = 25, kLocations = 20'000, kOnes = 40, kCommon = 30;
  BitPatterns first(kPairs, 200), second(kPairs, 200);
  Random random(46);
  for (int64_t i = 0; i < kPairs; ++i) {
    const std::vector<int64_t> bits = random.distinct(2 * kOnes - kCommon, 200);
    for (int64_t b = 0; b < std::ssize(bits); ++b) {
      first.set(i, bits[static_cast<size_t>(b)], b < kOnes);
      second.set(i, bits[static_cast<size_t>(b)], b >= kOnes - kCommon);
    }
  }
  const NeuronSdmOptions options = designs(200, kLocations)[2];
  const std::vector<double> expected = theory::hyperplane_locations(200, kLocations, 3);
  EXPECT_NEAR(mean_shared(options, first, first), expected[kOnes], 5 * std::sqrt(expected[kOnes] / kPairs));
  EXPECT_NEAR(mean_shared(options, first, second), expected[kCommon],
              5 * std::sqrt(expected[kCommon] / kPairs));
}

TEST(NeuronSdm, MakesTheExpectedErrorsWithSelectedCoordinates) {
  constexpr int64_t kBits = 256, kLocations = 20'000, kPatterns = 1200, kDistance = 25;
  const BitPatterns addresses = test::random_bits(kPatterns, kBits, 47),
                    data = test::random_bits(kPatterns, kBits, 48);
  NeuronSdm memory(
      {.bits = kBits, .hard_locations = kLocations, .hamming_radius = 0, .selected_coordinates = 8});
  memory.write(addresses, data);
  const BitPatterns readout = memory.recall(test::with_flips(addresses, kDistance, 49)).readout;
  double wrong = 0;
  for (int64_t i = 0; i < kPatterns; ++i) {
    wrong += static_cast<double>(hamming_distance(readout, i, data, i)) / (kPatterns * kBits);
  }
  // Data are unrelated to addresses: signal lambda(D), noise lambda(D) + m (E lambda + E lambda^2), with
  // means over the distance of random addresses.
  const std::vector<double> lambda = theory::selected_coordinate_locations(kBits, kLocations, 8);
  double mean = 0, mean_square = 0;
  for (int64_t v = 0; v <= kBits; ++v) {
    const double log_count = std::lgamma(kBits + 1.0) - std::lgamma(v + 1.0) - std::lgamma(kBits - v + 1.0);
    const double probability = std::exp(log_count - kBits * std::log(2.0));
    const double of_distance = lambda[static_cast<size_t>(v)];
    mean += probability * of_distance;
    mean_square += probability * of_distance * of_distance;
  }
  EXPECT_NEAR(mean, kLocations / 65536.0, 1e-6) << "r p^2";
  const double signal = lambda[kDistance], noise = std::sqrt(signal + (kPatterns - 1) * (mean + mean_square));
  const double expected = 0.5 * std::erfc(signal / noise / std::sqrt(2.0));
  EXPECT_GT(expected, 0.03);
  EXPECT_NEAR(wrong / expected, 1, 0.1);
}

TEST(NeuronSdm, RecallsEveryPatternWithSelectedCoordinates) {
  constexpr int64_t kBits = 256;
  const BitPatterns patterns = test::random_bits(60, kBits, 50);
  NeuronSdm memory({.bits = kBits, .hard_locations = 30'000, .hamming_radius = 0, .selected_coordinates = 8});
  memory.write(patterns);
  EXPECT_EQ(memory.recall(test::with_flips(patterns, 25, 51), {.update_steps_max = 10}).readout, patterns);
}

TEST(NeuronSdm, RecallsSparseAddressesWithTheHyperplaneDesign) {
  constexpr int64_t kBits = 1000, kOnes = 100, kPatterns = 100;
  BitPatterns addresses(kPatterns, kBits), cues(kPatterns, kBits);
  Random random(52);
  for (int64_t i = 0; i < kPatterns; ++i) {
    const std::vector<int64_t> ones = random.distinct(kOnes, kBits);
    for (int64_t b = 0; b < kOnes; ++b) {
      addresses.set(i, ones[static_cast<size_t>(b)], true);
      cues.set(i, ones[static_cast<size_t>(b)], b < kOnes - 10); // 10 of 100 ones are missing
    }
  }
  const BitPatterns data = test::random_bits(kPatterns, kBits, 53);
  NeuronSdm memory({.bits = kBits,
                    .hard_locations = 100'000,
                    .hamming_radius = 0,
                    .selected_coordinates = 3,
                    .assigned_values = AssignedValues::ones});
  memory.write(addresses, data);
  EXPECT_EQ(memory.recall(cues).readout, data);
}

TEST(NeuronSdm, DesignsWithSelectedCoordinatesDoNotDependOnThreadsOrCalls) {
  const BitPatterns patterns = test::random_bits(150, 100, 54), cues = test::with_flips(patterns, 20, 55);
  for (const NeuronSdmOptions& options : designs(100, 5000)) {
    const auto run = [&](int count, int64_t patterns_per_call) {
      const int before = threads();
      set_threads(count);
      NeuronSdm memory(options);
      for (int64_t i = 0; i < patterns.count(); i += patterns_per_call) {
        memory.write(slice(patterns, i, i + patterns_per_call));
      }
      const Recall<BitPatterns> recall = memory.recall(cues, {.update_steps_max = 3});
      set_threads(before);
      return std::tuple(recall.readout, recall.num_activated, state_of(memory));
    };
    const auto expected = run(1, 150);
    EXPECT_EQ(run(4, 150), expected);
    EXPECT_EQ(run(3, 50), expected);
    EXPECT_EQ(run(2, 1), expected);
  }
}

TEST(NeuronSdm, UnwriteReversesWritesToSelectedCoordinates) {
  const BitPatterns kept = test::random_bits(70, 64, 56), removed = test::random_bits(90, 64, 57);
  for (const NeuronSdmOptions& options : designs(64, 3000)) {
    NeuronSdm memory(options), never(options);
    memory.write(removed);
    memory.write(kept);
    memory.unwrite(removed);
    never.write(kept);
    EXPECT_EQ(state_of(memory), state_of(never));
    expect_contains(usage_error([&] { never.unwrite(removed); }), {"Subtract only patterns"});
  }
}

TEST(NeuronSdm, ActivatesMoreSelectedLocationsThanExpected) {
  // All bits of the address are 1, so it activates every location of the hyperplane design, of which an
  // eighth is expected.
  BitPatterns ones(1, 64);
  std::ranges::fill(ones[0], ~uint64_t{0});
  NeuronSdm memory(designs(64, 5000)[2]);
  memory.write(ones);
  const Recall<BitPatterns> recall = memory.recall(ones);
  EXPECT_EQ(recall.num_activated, std::vector<int64_t>{5000});
  EXPECT_EQ(recall.readout, ones);
  EXPECT_EQ(memory.writes(4999), 1);
}

TEST(NeuronSdm, ReportsInvalidSelectedCoordinates) {
  const auto error_of = [](const NeuronSdmOptions& options) {
    return usage_error([&] { NeuronSdm memory(options); });
  };
  const NeuronSdmOptions good{
      .bits = 10, .hard_locations = 5, .hamming_radius = 0, .selected_coordinates = 4};
  NeuronSdmOptions wrong = good;
  wrong.selected_coordinates = 11;
  expect_contains(error_of(wrong), {"11 selected coordinates", "10 bits"});
  wrong.selected_coordinates = -1;
  expect_contains(error_of(wrong), {"-1 selected coordinates"});
  wrong = good;
  wrong.hamming_radius = 5;
  expect_contains(error_of(wrong), {"radius is 5", "0 .. 4 (selected coordinates)"});
  wrong.selected_coordinates = 0;
  wrong.assigned_values = AssignedValues::ones;
  expect_contains(error_of(wrong), {"AssignedValues::ones", "no effect"});
  expect_contains(usage_error([&] { NeuronSdm memory(good, BitPatterns(5, 10)); }),
                  {"given addresses", "selected coordinates"});
  EXPECT_EQ(NeuronSdm::memory_bytes(good), 5 * (4 * 4 + 2 * 64 + 8));
}

TEST(NeuronSdm, HasNoLocationsAfterAMove) {
  const BitPatterns patterns = test::random_bits(5, 64, 1);
  const NeuronSdmOptions options{.bits = 64, .hard_locations = 1000, .hamming_radius = 24};
  NeuronSdm moved(options);
  moved.write(patterns);
  const BitPatterns readout = moved.recall(patterns).readout;
  NeuronSdm taken = std::move(moved);
  EXPECT_EQ(taken.recall(patterns).readout, readout);
  // NOLINTBEGIN(bugprone-use-after-move): documented
  EXPECT_EQ(moved.options().hard_locations, 0);
  EXPECT_EQ(moved.addresses().count(), 0);
  expect_contains(usage_error([&] { moved.write(patterns); }), {"64", "0"});
  expect_contains(usage_error([&] { moved.unwrite(patterns); }), {"64", "0"});
  expect_contains(usage_error([&] { moved.recall(patterns); }), {"64", "0"});
  expect_contains(usage_error([&] { (void)moved.writes(0); }), {"there are 0"});
  expect_contains(usage_error([&] { (void)moved.counters(0); }), {"there are 0"});
  // NOLINTEND(bugprone-use-after-move)
  moved = std::move(taken);
  EXPECT_EQ(moved.recall(patterns).readout, readout);
}

TEST(NeuronSdm, CompletesAWriteThatIsInterrupted) {
  const BitPatterns patterns = test::random_bits(5, 64, 1);
  NeuronSdm memory({.bits = 64, .hard_locations = 5000, .hamming_radius = 24}), same(memory.options());
  same.write(patterns);
  request_interrupt();
  memory.write(patterns);
  clear_interrupt();
  for (int64_t location = 0; location < 5000; ++location) {
    ASSERT_EQ(memory.writes(location), same.writes(location));
    ASSERT_EQ(memory.counters(location), same.counters(location));
  }
}

TEST(NeuronSdm, LimitsTheBitsThatLocationsCompare) {
  expect_contains(
      usage_error([] { NeuronSdm memory({.bits = 10'000'001, .hard_locations = 1, .hamming_radius = 1}); }),
      {"NeuronSdm", "10000001", "10000000"});
}

} // namespace
} // namespace mneme
