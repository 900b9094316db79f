// SPDX-License-Identifier: MIT

#include "mneme/data/bit_bags.h"

#include <cmath>
#include <set>

#include "data/testing.h"

namespace mneme::data {
namespace {

std::vector<bool> bits_of(const BitPatterns& patterns, int64_t row) {
  std::vector<bool> bits;
  for (int64_t bit = 0; bit < patterns.bits(); ++bit) {
    bits.push_back(patterns.get(row, bit));
  }
  return bits;
}

// The drawn numbers are compared with those of hflayers in tests/golden/hopfield/data_bit_pattern_*.

TEST(BitBags, PositiveBagsComeFirstAndOnlyTheyContainSignals) {
  const BitBags bags = draw_bit_bags({.num_bags = 21,
                                      .num_instances = 6,
                                      .num_signals = 5,
                                      .num_signals_per_bag = 3,
                                      .fraction_targets = 0.3,
                                      .num_bits = 6});
  std::set<std::vector<bool>> signals;
  for (int64_t i = 0; i < 5; ++i) {
    signals.insert(bits_of(bags.signals, i));
  }
  EXPECT_EQ(signals.size(), 5U); // all distinct
  EXPECT_FALSE(signals.contains(std::vector<bool>(6, false)));
  ASSERT_EQ(bags.num_bags(), 21);
  for (int64_t bag = 0; bag < 21; ++bag) {
    EXPECT_EQ(bags.targets[size_t(bag)], bag < 7 ? 1 : 0) << bag; // 0.3 * 21 = 6.3, rounded up
    int64_t found = 0;
    for (int64_t row = bag * 6; row < bag * 6 + 6; ++row) {
      const std::vector<bool> bits = bits_of(bags.instances, row);
      EXPECT_NE(bits, std::vector<bool>(6, false)) << row;
      EXPECT_EQ(signals.contains(bits), bags.is_signal[size_t(row)] != 0) << row;
      found += bags.is_signal[size_t(row)];
    }
    EXPECT_EQ(found, bag < 7 ? 3 : 0) << bag;
  }
}

TEST(BitBags, SupportsAllPatternsButOneAsSignals) {
  const BitBags bags = draw_bit_bags({.num_bags = 4, .num_instances = 3, .num_signals = 6, .num_bits = 3});
  EXPECT_EQ(bags.signals.count(), 6); // 7 patterns other than all zeros; noise is always the seventh
  std::set<std::vector<bool>> noise;
  for (int64_t row = 0; row < bags.instances.count(); ++row) {
    if (bags.is_signal[size_t(row)] == 0) {
      noise.insert(bits_of(bags.instances, row));
    }
  }
  EXPECT_EQ(noise.size(), 1U);
}

TEST(BitBags, RejectsInvalidOptions) {
  const auto expect_rejected = [](BitBagOptions options, std::initializer_list<std::string_view> parts) {
    expect_error<UsageError>([&] { draw_bit_bags(options); }, parts);
  };
  expect_rejected({.num_bags = 0}, {"num_bags is 0", "1"});
  expect_rejected({.num_instances = -3}, {"num_instances is -3"});
  expect_rejected({.num_bits = 0}, {"num_bits is 0"});
  expect_rejected({.num_signals = 0}, {"num_signals is 0"});
  expect_rejected({.num_signals = 7, .num_bits = 3}, {"num_signals is 7", "7 patterns"});
  expect_rejected({.num_instances = 2, .num_signals_per_bag = 3},
                  {"num_signals_per_bag is 3", "num_instances = 2"});
  expect_rejected({.fraction_targets = 1}, {"fraction_targets is 1"});
  expect_rejected({.fraction_targets = std::nan("")}, {"fraction_targets is nan"});
  expect_rejected({.num_bags = int64_t{1} << 31, .num_instances = int64_t{1} << 31},
                  {"2147483648 lists of 2147483648 rows"});
}

} // namespace
} // namespace mneme::data
