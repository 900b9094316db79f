// SPDX-License-Identifier: MIT

#include "mneme/theory/one_read_error.h"

#include <cmath>
#include <limits>
#include <utility>
#include <vector>

#include <gtest/gtest.h> // must precede rapidcheck/gtest.h, which does not include it
#include <rapidcheck/gtest.h>

#include "theory/usage_error.h"

namespace mneme::theory {
namespace {

// The full-size experiment: 10 000 patterns in 10^6 hard locations.
constexpr SdmParameters kFullSize{
    .bits = 1000, .hard_locations = 1e6, .hamming_radius = 451, .patterns = 10000};

double bit_error_rate(const SdmParameters& parameters, int64_t distance,
                      Storage storage = Storage::autoassociative) {
  return bit_error_rates_after_read(parameters, std::vector{distance}, storage).at(0);
}

struct Measured {
  int64_t distance;
  double formula;  ///< computed independently, to the given digits
  double measured; ///< wrong bits in a simulation with 200 cues
};

TEST(ReadStatistics, MatchTheFullSizeSimulationOfAutoassociativeStorage) {
  const std::vector<ReadStatistics> reads = read_statistics(kFullSize);
  for (const auto& [distance, formula, measured] :
       {Measured{40, 0.30, 0.39}, Measured{80, 8.72, 9.35}, Measured{120, 42.6, 42.6},
        Measured{160, 102.5, 103.0}, Measured{200, 173.9, 174.6}, Measured{220, 209.4, 211.2},
        Measured{240, 243.1, 245.7}, Measured{260, 274.6, 277.2}, Measured{300, 329.8, 333.6}}) {
    const ReadStatistics& read = reads[static_cast<size_t>(distance)];
    EXPECT_NEAR(read.wrong_bits, formula, distance < 100 ? 0.006 : 0.06) << distance;
    if (distance >= 100) {
      EXPECT_NEAR(read.wrong_bits / measured, 1, 0.08) << distance;
    }
  }
}

TEST(ReadStatistics, MatchTheFullSizeSimulationOfUnrelatedData) {
  const std::vector<ReadStatistics> reads = read_statistics(kFullSize, Storage::heteroassociative);
  for (const auto& [distance, formula, measured] :
       {Measured{40, 0.59, 0.54}, Measured{80, 16.4, 14.9}, Measured{100, 40.1, 39.1},
        Measured{120, 75.6, 71.3}, Measured{160, 167.9, 161.3}, Measured{200, 262.6, 258.7},
        Measured{220, 304.4, 301.5}, Measured{240, 341.2, 339.2}, Measured{260, 372.7, 373.1},
        Measured{300, 421.2, 420.5}}) {
    const ReadStatistics& read = reads[static_cast<size_t>(distance)];
    EXPECT_NEAR(read.wrong_bits, formula, distance < 80 ? 0.006 : 0.06) << distance;
    EXPECT_EQ(read.bias, 0);
    if (distance >= 100) {
      EXPECT_NEAR(read.wrong_bits / measured, 1, 0.08) << distance;
    }
  }
}

TEST(ReadStatistics, ReportTheirComponents) {
  const ReadStatistics read = read_statistics(kFullSize)[200];
  EXPECT_NEAR(read.signal, 103.5, 0.05);
  EXPECT_NEAR(read.bias, 128.6, 0.05);
  EXPECT_NEAR(read.noise_deviation * read.noise_deviation, 103.46 + 9999 * (1.14886 + 1.49299), 0.5);
}

TEST(ReadStatistics, OfASinglePatternAreRandomWhereNoLocationIsShared) {
  const auto reads =
      read_statistics({.bits = 64, .hard_locations = 1e6, .hamming_radius = 19, .patterns = 1});
  EXPECT_LT(reads[0].wrong_bits, 1e-9);
  EXPECT_EQ(reads[64].wrong_bits, 32);
}

// If the noise dominates, a read returns the cue for autoassociative storage and random bits for unrelated
// data.
TEST(ReadStatistics, OfAnOverloadedMemoryReturnTheCue) {
  SdmParameters parameters = kFullSize;
  parameters.patterns = 1e12;
  EXPECT_NEAR(read_statistics(parameters)[200].wrong_bits, 200, 0.5);
  EXPECT_NEAR(read_statistics(parameters, Storage::heteroassociative)[200].wrong_bits, 500, 0.5);
}

RC_GTEST_PROP(ReadStatisticsProperty, ErrorIsNonDecreasingInTheDistanceAndBounded, ()) {
  const int64_t bits = *rc::gen::inRange<int64_t>(1, 300);
  const SdmParameters parameters{.bits = bits,
                                 .hard_locations = std::pow(10.0, *rc::gen::inRange(0, 30)),
                                 .hamming_radius = *rc::gen::inRange<int64_t>(0, bits + 1),
                                 .patterns = std::pow(10.0, *rc::gen::inRange(0, 12))};
  for (const Storage storage : {Storage::autoassociative, Storage::heteroassociative}) {
    double last = 0;
    for (const ReadStatistics& read : read_statistics(parameters, storage)) {
      RC_ASSERT(read.wrong_bits >= last * (1 - 1e-12));
      RC_ASSERT(read.wrong_bits <= static_cast<double>(bits));
      last = read.wrong_bits;
    }
  }
}

struct SmallMemory {
  SdmParameters parameters;
  int64_t distance;
  double simulated; ///< bit error rate in a simulation of many memories, within 1 or 2 %
};

// For these memories the error of g is up to 25 %.
TEST(BitErrorRatesAfterRead, MatchesSimulationsOfSmallMemories) {
  const SmallMemory memories[] = {
      {{.bits = 1000, .hard_locations = 3236, .hamming_radius = 468, .patterns = 10}, 200, 0.00791},
      {{.bits = 100, .hard_locations = 3732, .hamming_radius = 38, .patterns = 50}, 10, 0.00777},
      {{.bits = 64, .hard_locations = 1449, .hamming_radius = 24, .patterns = 20}, 6, 0.00770},
      {{.bits = 64, .hard_locations = 300, .hamming_radius = 20, .patterns = 20},
       6,
       0.1868}, // many empty reads
      {{.bits = 64, .hard_locations = 100, .hamming_radius = 20, .patterns = 20}, 6, 0.1347},
      {{.bits = 256, .hard_locations = 682303, .hamming_radius = 102, .patterns = 500}, 51, 0.01062}};
  for (const auto& [parameters, distance, simulated] : memories) {
    EXPECT_NEAR(bit_error_rate(parameters, distance) / simulated, 1, 0.06) << parameters.bits;
  }
}

// Few patterns share locations with the cue, so that the sum of a bit is far from a normal distribution.
TEST(BitErrorRatesAfterRead, MatchesSimulationsOfReadsWithHardlyAnyOtherPattern) {
  const SmallMemory memories[] = {
      {{.bits = 20, .hard_locations = 131072, .hamming_radius = 2, .patterns = 50}, 6, 0.483},
      {{.bits = 20, .hard_locations = 131072, .hamming_radius = 3, .patterns = 50}, 8, 0.456},
      {{.bits = 24, .hard_locations = 1048576, .hamming_radius = 3, .patterns = 50}, 8, 0.474}};
  for (const auto& [parameters, distance, simulated] : memories) {
    EXPECT_NEAR(bit_error_rate(parameters, distance) / simulated, 1, 0.08) << parameters.bits;
  }
}

TEST(BitErrorRatesAfterRead, ApproachesTheFormulaInLargeMemories) {
  for (const Storage storage : {Storage::autoassociative, Storage::heteroassociative}) {
    const std::vector<ReadStatistics> reads = read_statistics(kFullSize, storage);
    for (const int64_t distance : {100, 200, 300, 500}) {
      EXPECT_NEAR(bit_error_rate(kFullSize, distance, storage) /
                      (reads[static_cast<size_t>(distance)].wrong_bits / 1000),
                  1, 0.08)
          << distance;
    }
  }
}

TEST(BitErrorRatesAfterRead, ReturnsTheCueWhereNoLocationIsActivated) {
  EXPECT_NEAR(bit_error_rate({.bits = 1000, .hard_locations = 1, .hamming_radius = 100, .patterns = 5}, 250),
              0.25, 1e-12);
}

// A single pattern is read correctly if any location is shared. Each of the r locations is shared with
// probability lambda / r, and activated but not shared with p - lambda / r, which results in a tie.
TEST(BitErrorRatesAfterRead, OfOnePatternDependsOnSharedLocationsOnly) {
  const SdmParameters one{.bits = 20, .hard_locations = 6, .hamming_radius = 8, .patterns = 1};
  const double p = 263950.0 / 1048576; // addresses within 8 of 20 bits
  const double shared = read_statistics(one)[5].signal / 6;
  const double nothing = std::pow(1 - p, 6), tie = std::pow(1 - shared, 6) - nothing;
  EXPECT_NEAR(bit_error_rate(one, 5), nothing * 5 / 20 + tie / 2, 1e-12);
}

TEST(BitErrorRatesAfterRead, IsAFractionAtTheLimitsOfItsRange) {
  for (const double locations : {1.0, 7.0, 1e30}) {
    for (const double patterns : {1.0, 2.0, 1e30}) {
      for (const int64_t radius : {0, 1, 10, 32, 63, 64}) {
        for (const int64_t distance : {0, 1, 31, 64}) {
          const double rate = bit_error_rate(
              {.bits = 64, .hard_locations = locations, .hamming_radius = radius, .patterns = patterns},
              distance);
          EXPECT_TRUE(rate >= 0 && rate <= 1)
              << locations << " " << patterns << " " << radius << " " << distance;
        }
      }
    }
  }
}

// With many locations in a small circle, the terms of the binomial probability are huge and almost cancel.
TEST(BitErrorRatesAfterRead, IsPreciseWhereFewOfManyLocationsAreActivated) {
  const SdmParameters memory{.bits = 64, .hard_locations = 0x1p64, .hamming_radius = 4, .patterns = 1024};
  EXPECT_LT(bit_error_rate(memory, 0), 1e-12);
  EXPECT_LT(bit_error_rate(memory, 2), 1e-12);
  for (int64_t bits = 60; bits <= 66; ++bits) {
    for (int64_t radius = 0; radius <= 8; ++radius) {
      for (double locations = 1; locations <= 1e30; locations *= 8) {
        for (const double patterns : {1.0, 3.0, 1024.0}) {
          const SdmParameters any{
              .bits = bits, .hard_locations = locations, .hamming_radius = radius, .patterns = patterns};
          for (const double rate : bit_error_rates_after_read(any, std::vector<int64_t>{0, 2, 30})) {
            ASSERT_TRUE(rate >= 0 && rate <= 1)
                << bits << " " << radius << " " << locations << " " << patterns << ": " << rate;
          }
        }
      }
    }
  }
}

// The number of activated locations is then almost a Poisson variable, whatever the number of locations is.
TEST(BitErrorRatesAfterRead, DependsOnTheExpectedNumberOfActivatedLocationsOnly) {
  for (const int64_t bits : {40, 60, 80}) { // one location is expected within a distance of 0
    const SdmParameters memory{
        .bits = bits, .hard_locations = std::exp2(bits), .hamming_radius = 0, .patterns = 1};
    EXPECT_NEAR(bit_error_rate(memory, bits / 4), std::exp(-1) / 4 + (1 - std::exp(-1)) / 2, 1e-7) << bits;
  }
}

TEST(BitErrorRatesAfterRead, EndsWhereDoublesDoNotResolveTheNumberOfActivatedLocations) {
  const double rate =
      bit_error_rate({.bits = 52, .hard_locations = 1e30, .hamming_radius = 51, .patterns = 10}, 10);
  EXPECT_TRUE(rate >= 0 && rate <= 1) << rate;
}

TEST(BitErrorRatesAfterRead, ReturnsTheCueWhereTheFractionOfTheSpaceUnderflows) {
  SdmParameters parameters = kFullSize;
  for (const int64_t radius : {0, 1, 50, 100}) {
    parameters.hamming_radius = radius;
    for (const int64_t distance : {0, 200}) {
      EXPECT_NEAR(bit_error_rate(parameters, distance), static_cast<double>(distance) / 1000, 1e-9) << radius;
    }
  }
}

TEST(BitErrorRatesAfterRead, ReportsInvalidArguments) {
  EXPECT_TRUE(contains_all(usage_error_of([] { bit_error_rate(kFullSize, 1001); }), {"1001", "1000"}));
  SdmParameters parameters = kFullSize;
  parameters.hard_locations = 1e31;
  EXPECT_TRUE(contains_all(usage_error_of([&] { bit_error_rate(parameters, 1); }), {"1e+31", "1e+30"}));
}

TEST(ReadStatistics, ReportInvalidArguments) {
  SdmParameters parameters = kFullSize;
  parameters.hamming_radius = 1001;
  EXPECT_TRUE(contains_all(usage_error_of([&] { read_statistics(parameters); }), {"1001", "1000"}));
  parameters = kFullSize;
  parameters.hard_locations = 0;
  EXPECT_TRUE(contains_all(usage_error_of([&] { read_statistics(parameters); }), {"hard_locations is 0"}));
  parameters = kFullSize;
  parameters.patterns = std::numeric_limits<double>::infinity();
  EXPECT_TRUE(contains_all(usage_error_of([&] { read_statistics(parameters); }), {"patterns is inf"}));
}

TEST(CapacityAfterRead, HasAboutTheErrorRateOfOneRead) {
  for (const double probability : {0.5, 0.9, 0.99}) {
    SdmParameters parameters{.bits = 256, .hard_locations = 1e5, .hamming_radius = 103};
    parameters.patterns = capacity_after_read(parameters, probability).value();
    // As if the errors of all bits were independent.
    EXPECT_NEAR(std::pow(1 - bit_error_rate(parameters, 0), 256) / probability, 1, 0.05) << probability;
  }
  const SdmParameters tiny{.bits = 64, .hard_locations = 10, .hamming_radius = 2};
  EXPECT_EQ(capacity_after_read(tiny, 0.5), 0) << "most addresses activate no location";
}

TEST(CapacityAfterRead, IsEmptyIfNoNumberOfPatternsIsTooLarge) {
  // So many locations are shared that any cue is returned unchanged.
  EXPECT_FALSE(capacity_after_read({.bits = 64, .hard_locations = 1e4, .hamming_radius = 24}, 0.5));
  EXPECT_TRUE(capacity_after_read({.bits = 64, .hard_locations = 1e4, .hamming_radius = 24}, 0.5,
                                  Storage::heteroassociative));
  EXPECT_TRUE(contains_all(
      usage_error_of([] { capacity_after_read({.bits = 64, .hard_locations = 10, .hamming_radius = 9}, 1); }),
      {"probability is 1"}));
}

} // namespace
} // namespace mneme::theory
