// SPDX-License-Identifier: MIT

#include "mneme/memory/dyadic_memory.h"

#include <bit>
#include <cmath>
#include <tuple>
#include <utility>
#include <vector>

#include "memory/samples.h"
#include "mneme/core/parallel.h"
#include "mneme/theory/capacity.h"

namespace mneme {
namespace {

using test::expect_contains;
using test::usage_error;

/// Patterns with `ones` random ones each.
BitPatterns sparse(int64_t count, int64_t bits, int64_t ones, uint64_t seed) {
  BitPatterns patterns(count, bits);
  const Random random(seed);
  for (int64_t i = 0; i < count; ++i) {
    for (const int64_t bit : random.stream(static_cast<uint64_t>(i)).distinct(ones, bits)) {
      patterns.set(i, bit, true);
    }
  }
  return patterns;
}

/// The patterns with one of their ones moved to another bit.
BitPatterns with_a_moved_one(BitPatterns patterns, uint64_t seed) {
  Random random(seed);
  for (int64_t i = 0; i < patterns.count(); ++i) {
    const auto other_bit = [&](bool value) {
      int64_t bit = 0;
      do {
        bit = static_cast<int64_t>(random.below(static_cast<uint64_t>(patterns.bits())));
      } while (patterns.get(i, bit) != value);
      return bit;
    };
    const int64_t from = other_bit(true), to = other_bit(false);
    patterns.flip(i, from);
    patterns.flip(i, to);
  }
  return patterns;
}

double exact_fraction(const BitPatterns& readout, const BitPatterns& expected) {
  double exact = 0;
  for (int64_t i = 0; i < readout.count(); ++i) {
    exact += hamming_distance(readout, i, expected, i) == 0 ? 1 : 0;
  }
  return exact / static_cast<double>(readout.count());
}

std::vector<int64_t> counters_of(const DyadicMemory& memory) {
  std::vector<int64_t> counters;
  for (int64_t j = 1; j < memory.options().bits; ++j) {
    for (int64_t i = 0; i < j; ++i) {
      for (int64_t b = 0; b < memory.options().data_bits; ++b) {
        counters.push_back(memory.counter(i, j, b));
      }
    }
  }
  return counters;
}

TEST(DyadicMemory, EqualsTheDefinition) {
  constexpr int64_t kBits = 30, kDataBits = 21, kOnes = 4;
  const BitPatterns addresses = sparse(200, kBits, 5, 1), data = sparse(200, kDataBits, kOnes, 2),
                    cues = with_a_moved_one(addresses, 3);
  DyadicMemory memory({.bits = kBits, .ones = kOnes, .data_bits = kDataBits});
  memory.write(addresses, data);
  const auto count = [&](int64_t i, int64_t j, int64_t bit) {
    int64_t writes = 0;
    for (int64_t p = 0; p < addresses.count(); ++p) {
      writes += addresses.get(p, i) && addresses.get(p, j) && data.get(p, bit) ? 1 : 0;
    }
    return writes;
  };
  const Recall<BitPatterns> recall = memory.recall(cues, {.empty_read = EmptyRead::zeros});
  for (int64_t c = 0; c < 20; ++c) {
    EXPECT_EQ(recall.num_activated[static_cast<size_t>(c)], 10) << "pairs of 5 ones";
    std::vector<int64_t> sums(kDataBits, 0);
    for (int64_t j = 1; j < kBits; ++j) {
      for (int64_t i = 0; i < j; ++i) {
        for (int64_t b = 0; cues.get(c, i) && cues.get(c, j) && b < kDataBits; ++b) {
          ASSERT_EQ(memory.counter(i, j, b), count(i, j, b));
          sums[static_cast<size_t>(b)] += count(i, j, b);
        }
      }
    }
    for (size_t b = 0; b < kDataBits; ++b) { // one of the 4 largest: fewer than 4 are larger
      const auto larger = std::ranges::count_if(sums, [&](int64_t other) { return other > sums[b]; });
      EXPECT_EQ(recall.readout.get(c, static_cast<int64_t>(b)), sums[b] > 0 && larger < kOnes)
          << c << " " << b;
    }
  }
}

/// (n / p)^3 / 2 random associations are recalled, and not several times as many.
TEST(DyadicMemory, HasTheExpectedCapacity) {
  constexpr int64_t kBits = 256, kOnes = 8, kCues = 1000;
  const auto capacity = static_cast<int64_t>(theory::dyadic_memory_capacity(kBits, kOnes));
  ASSERT_EQ(capacity, 16'384);
  const BitPatterns addresses = sparse(4 * capacity, kBits, kOnes, 4),
                    data = sparse(4 * capacity, kBits, kOnes, 5);
  DyadicMemory memory({.bits = kBits, .ones = kOnes});
  const auto recalled = [&] {
    return exact_fraction(memory.recall(slice(addresses, 0, kCues)).readout, slice(data, 0, kCues));
  };
  memory.write(slice(addresses, 0, capacity), slice(data, 0, capacity));
  EXPECT_GE(recalled(), 0.99);
  memory.write(slice(addresses, capacity, 4 * capacity), slice(data, capacity, 4 * capacity));
  EXPECT_LE(recalled(), 0.1);
  EXPECT_EQ(memory.saturations(), 0);
}

TEST(DyadicMemory, RecallsPatternsFromNoisyCues) {
  constexpr int64_t kBits = 256, kOnes = 8;
  const BitPatterns patterns = sparse(500, kBits, kOnes, 6); // half of (n / p)^2
  DyadicMemory memory({.bits = kBits, .ones = kOnes});
  memory.write(patterns);
  const BitPatterns cues = with_a_moved_one(patterns, 7);
  EXPECT_GE(exact_fraction(memory.recall(cues, {.update_steps_max = 5}).readout, patterns), 0.99);
}

TEST(DyadicMemory, UnwriteReversesWriteExactly) {
  const BitPatterns kept = sparse(300, 40, 5, 8), removed = sparse(200, 40, 5, 9);
  DyadicMemory memory({.bits = 40, .ones = 5}), never({.bits = 40, .ones = 5});
  memory.write(removed);
  memory.write(removed); // twice, and removed twice in one call
  memory.write(kept);
  BitPatterns twice = removed;
  twice.append(removed);
  memory.unwrite(twice);
  never.write(kept);
  EXPECT_EQ(counters_of(memory), counters_of(never));
}

TEST(DyadicMemory, UnwriteRefusesPatternsThatWereNotWritten) {
  const BitPatterns written = sparse(3, 40, 5, 10);
  DyadicMemory memory({.bits = 40, .ones = 5});
  memory.write(written);
  const std::vector<int64_t> before = counters_of(memory);
  BitPatterns wrong = written;
  wrong.append(sparse(1, 40, 5, 11));
  expect_contains(usage_error([&] { memory.unwrite(wrong); }), {"pattern 3", "was not written"});
  wrong = written;
  wrong.append(slice(written, 1, 2));
  expect_contains(usage_error([&] { memory.unwrite(wrong); }), {"pattern 3", "not as often"});
  EXPECT_EQ(counters_of(memory), before);
}

TEST(DyadicMemory, CountersSaturateAndTheLossIsCounted) {
  BitPatterns many(300, 4);
  for (int64_t i = 0; i < many.count(); ++i) {
    many.set(i, 0, true);
    many.set(i, 2, true);
  }
  DyadicMemory memory({.bits = 4, .ones = 2});
  memory.write(many); // one pair, two ones
  EXPECT_EQ(memory.counter(0, 2, 0), 255);
  EXPECT_EQ(memory.counter(0, 2, 1), 0);
  EXPECT_EQ(memory.saturations(), 2 * (300 - 255));
  expect_contains(usage_error([&] { memory.unwrite(slice(many, 0, 1)); }), {"90 additions", "saturation"});
}

TEST(DyadicMemory, IsIndependentOfTheNumberOfThreadsAndCalls) {
  const BitPatterns patterns = sparse(300, 100, 6, 12), cues = with_a_moved_one(patterns, 13);
  const auto run = [&](int count, int64_t patterns_per_call) {
    const int before = threads();
    set_threads(count);
    DyadicMemory memory({.bits = 100, .ones = 6});
    for (int64_t i = 0; i < patterns.count(); i += patterns_per_call) {
      memory.write(slice(patterns, i, i + patterns_per_call));
    }
    Recall<BitPatterns> recall = memory.recall(cues, {.update_steps_max = 3});
    set_threads(before);
    return std::tuple(recall.readout, recall.steps, counters_of(memory));
  };
  const auto expected = run(1, 300);
  EXPECT_EQ(run(4, 300), expected);
  EXPECT_EQ(run(3, 1), expected);
}

TEST(DyadicMemory, KeepsTheQueryWhenNothingIsRead) {
  const BitPatterns cues = sparse(2, 64, 5, 14);
  const DyadicMemory empty({.bits = 64, .ones = 5});
  EXPECT_EQ(empty.recall(cues).readout, cues);
  EXPECT_EQ(empty.recall(cues, {.empty_read = EmptyRead::zeros}).readout, BitPatterns(2, 64));
  EXPECT_EQ(empty.recall(sparse(1, 64, 1, 15)).num_activated, std::vector<int64_t>{0}) << "one 1 has no pair";
}

TEST(DyadicMemory, ReportsInvalidArguments) {
  const auto error_of = [](const DyadicMemoryOptions& options) {
    return usage_error([&] { DyadicMemory memory(options); });
  };
  expect_contains(error_of({.bits = 1, .ones = 1}), {"1 address bits", "2 .. "});
  expect_contains(error_of({.bits = 10, .ones = 1, .data_bits = -1}), {"-1 data bits"});
  expect_contains(error_of({.bits = 10, .ones = 0}), {"10 bits", "0 ones"});
  expect_contains(error_of({.bits = 10, .ones = 4, .data_bits = 3}), {"3 bits", "4 ones"});
  expect_contains(error_of({.bits = 1'000'000, .ones = 4}),
                  {"1000000 address bits", "5e+08 GB", "available"});
  DyadicMemory memory({.bits = 10, .ones = 2, .data_bits = 4});
  expect_contains(usage_error([&] { memory.write(BitPatterns(1, 10)); }), {"10", "4"});
  expect_contains(usage_error([&] { memory.write(sparse(2, 10, 3, 16), BitPatterns(1, 4)); }),
                  {"2 addresses", "1 patterns"});
  expect_contains(usage_error([&] { memory.write(sparse(1, 10, 1, 17), BitPatterns(1, 4)); }),
                  {"pattern 0", "has 1 ones"});
  expect_contains(usage_error([&] { memory.recall(BitPatterns(1, 9)); }), {"9", "10"});
  expect_contains(usage_error([&] { memory.recall(BitPatterns(1, 10), {.update_steps_max = 2}); }),
                  {"4", "10"});
  expect_contains(
      usage_error([&] { memory.recall(BitPatterns(1, 10), {.empty_read = EmptyRead::mean_of_values}); }),
      {"mean_of_values"});
  EXPECT_EQ(memory.counter(8, 9, 3), 0);
  expect_contains(usage_error([&] { (void)memory.counter(3, 3, 0); }), {"pair of bits 3 and 3"});
  expect_contains(usage_error([&] { (void)memory.counter(-1, 3, 0); }), {"pair of bits -1 and 3"});
  expect_contains(usage_error([&] { (void)memory.counter(1, 10, 0); }),
                  {"pair of bits 1 and 10", "less than 10"});
  expect_contains(usage_error([&] { (void)memory.counter(1, 3, 4); }), {"data bit 4", "4 data bits"});
  EXPECT_EQ(DyadicMemory::memory_bytes({.bits = 1000, .ones = 10}), 499'500.0 * 1024);
}

TEST(DyadicMemory, HasNoBitsAfterAMove) {
  const BitPatterns patterns = sparse(5, 100, 6, 1);
  DyadicMemory moved({.bits = 100, .ones = 6});
  moved.write(patterns);
  DyadicMemory taken = std::move(moved);
  EXPECT_EQ(taken.recall(patterns).readout, patterns);
  // NOLINTBEGIN(bugprone-use-after-move): documented
  EXPECT_EQ(moved.options().bits, 0);
  expect_contains(usage_error([&] { moved.write(patterns); }), {"100", "0"});
  expect_contains(usage_error([&] { moved.recall(patterns); }), {"100", "0"});
  expect_contains(usage_error([&] { (void)moved.counter(0, 1, 0); }), {"less than 0"});
  // NOLINTEND(bugprone-use-after-move)
  moved = std::move(taken);
  EXPECT_EQ(moved.recall(patterns).readout, patterns);
}

TEST(DyadicMemory, RefusesToComputeTheMemoryOfTooManyBits) {
  expect_contains(usage_error([] {
                    (void)DyadicMemory::memory_bytes({.bits = 4'000'000'000, .ones = 1, .data_bits = 64});
                  }),
                  {"4000000000 address bits", "1048576"});
}

} // namespace
} // namespace mneme
