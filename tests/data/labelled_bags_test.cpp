// SPDX-License-Identifier: MIT

#include "mneme/data/labelled_bags.h"

#include <cmath>

#include <gtest/gtest.h>

#include "data/testing.h"
#include "mneme/core/error.h"

namespace mneme::data {
namespace {

/// Greyscale images whose three pixels encode their index; every tenth has label 9.
PatternSet numbered_images(int64_t count) {
  PatternSet images{.patterns = RealPatterns(count, 3), .height = 1, .width = 3, .channels = 1};
  for (int64_t i = 0; i < count; ++i) {
    for (int64_t k = 0; k < 3; ++k) {
      images.patterns[i][size_t(k)] = static_cast<double>((i >> (8 * k)) & 255) / 255;
    }
    images.labels.push_back(i % 10);
  }
  return images;
}

std::vector<int64_t> numbers_of(const LabelledBags& bags, int64_t bag) {
  std::vector<int64_t> numbers;
  for (int64_t i = bags.offsets[size_t(bag)]; i < bags.offsets[size_t(bag) + 1]; ++i) {
    const auto byte = [&](int64_t k) { // of the standardised pixel
      return std::lround(255 * (double{bags.numbers[size_t(i * 3 + k)]} * 0.3081 + 0.1307));
    };
    numbers.push_back(byte(0) + 256 * byte(1) + 65536 * byte(2));
  }
  return numbers;
}

TEST(DigitBags, MatchTheDrawsOfNumpy) {
  // numpy 2.3: r = RandomState(1); per bag int(r.normal(10, 2, 1)), then r.randint(0, 60000, that many)
  const LabelledBags bags = draw_digit_bags(numbered_images(60'000), 0, 60'000, {.num_bags = 5});
  EXPECT_EQ(numbers_of(bags, 0), (std::vector<int64_t>{32511, 50057, 43723, 7813, 52047, 21440, 32912, 20609,
                                                       49100, 7751, 43757, 31228, 36230}));
  EXPECT_EQ(numbers_of(bags, 1),
            (std::vector<int64_t>{32025, 58546, 54548, 21758, 45413, 35730, 51668, 8444}));
  EXPECT_EQ(numbers_of(bags, 2),
            (std::vector<int64_t>{19433, 17137, 26103, 44510, 51040, 33878, 39053, 55273}));
  EXPECT_EQ(numbers_of(bags, 4),
            (std::vector<int64_t>{16277, 34105, 45571, 56260, 11032, 41457, 34380, 19482, 1844}));
  EXPECT_EQ(bags.targets,
            (std::vector<uint8_t>{1, 0, 0, 1, 0})); // 20609 and 39539 end in 9, 3rd bag: 39053 does not
}

TEST(DigitBags, AreDrawnFromTheGivenRange) {
  const LabelledBags bags = draw_digit_bags(numbered_images(100), 60, 65, {.num_bags = 40});
  for (int64_t bag = 0; bag < bags.count(); ++bag) {
    for (const int64_t number : numbers_of(bags, bag)) {
      EXPECT_TRUE(number >= 60 && number < 65);
    }
  }
  EXPECT_EQ(bags.num_positive(), 0);
  const LabelledBags one = draw_digit_bags(numbered_images(100), 69, 70, {.num_bags = 3, .mean_size = -5});
  EXPECT_EQ(one.offsets, (std::vector<int64_t>{0, 1, 2, 3})); // at least one image per bag
  EXPECT_EQ(one.num_positive(), 3);
}

TEST(DigitBags, StandardisePixelsAsPublished) {
  const LabelledBags bags = draw_digit_bags(numbered_images(10), 0, 10, {.num_bags = 1});
  PatternSet black_and_white = numbered_images(1);
  black_and_white.patterns[0][0] = 0;
  black_and_white.patterns[0][1] = 1;
  const LabelledBags standardised = draw_digit_bags(black_and_white, 0, 1, {.num_bags = 1});
  EXPECT_NEAR(standardised.numbers[0], -0.1307 / 0.3081, 1e-6); // float32
  EXPECT_NEAR(standardised.numbers[1], (1 - 0.1307) / 0.3081, 1e-6);
  EXPECT_EQ(bags.instance_shape, (std::vector<int64_t>{1, 1, 3}));
}

TEST(DigitBags, RejectInvalidArguments) {
  PatternSet images = numbered_images(10);
  expect_error<UsageError>([&] { draw_digit_bags(images, 5, 11, {}); }, {"5 to 11", "10 images"});
  expect_error<UsageError>([&] { draw_digit_bags(images, 5, 5, {}); }, {"5 to 5", "10 images"});
  expect_error<UsageError>([&] { draw_digit_bags(images, 0, 10, {.num_bags = 0}); }, {"0 bags of 10"});
  expect_error<UsageError>([&] { draw_digit_bags(images, 0, 10, {.mean_size = std::nan("")}); }, {"nan"});
  expect_error<UsageError>([&] { draw_digit_bags(images, 0, 10, {.size_std = -1}); }, {"-1"});
  images.labels.pop_back();
  expect_error<UsageError>([&] { draw_digit_bags(images, 0, 10, {}); }, {"9 labels for 10 images"});
  images = numbered_images(10);
  images.channels = 3;
  expect_error<UsageError>([&] { draw_digit_bags(images, 0, 10, {}); }, {"3 channels", "grey"});
}

TEST(LabelledBags, StoreBitsAndOneHotCharacters) {
  const BitBags drawn = draw_bit_bags({.num_bags = 6, .num_instances = 3, .num_bits = 8});
  const LabelledBags bits = to_labelled_bags(drawn);
  EXPECT_EQ(bits.count(), 6);
  EXPECT_EQ(bits.bag_size(4), 3);
  EXPECT_EQ(bits.num_positive(), 3);
  EXPECT_EQ(bits.numbers[size_t(7 * 8 + 2)], drawn.instances.get(7, 2) ? 1 : 0);
  const LatchSequences sequences =
      draw_latch_sequences({.num_samples = 5, .num_instances = 4, .num_characters = 6});
  const LabelledBags latch = to_labelled_bags(sequences);
  EXPECT_EQ(latch.instance_shape, (std::vector<int64_t>{6}));
  for (size_t i = 0; i < sequences.characters.size(); ++i) {
    for (int64_t c = 0; c < 6; ++c) {
      EXPECT_EQ(latch.numbers[i * 6 + size_t(c)], sequences.characters[i] == c ? 1 : 0);
    }
  }
  EXPECT_EQ(latch.targets, sequences.targets);
}

TEST(LabelledBags, AreSlicedAndConcatenated) {
  const LabelledBags bags = draw_digit_bags(numbered_images(100), 0, 100, {.num_bags = 7});
  const LabelledBags again = concatenate(slice(bags, 0, 3), slice(bags, 3, 7));
  EXPECT_EQ(again.numbers, bags.numbers);
  EXPECT_EQ(again.offsets, bags.offsets);
  EXPECT_EQ(again.targets, bags.targets);
  EXPECT_EQ(slice(bags, 2, 2).count(), 0);
  expect_error<UsageError>([&] { slice(bags, 3, 8); }, {"3 to 8", "7 bags"});
  expect_error<UsageError>([&] { concatenate(bags, to_labelled_bags(draw_bit_bags({.num_bags = 2}))); },
                           {"[1, 1, 3]", "[8]"});
  const LabelledBags some = select(bags, std::vector<int64_t>{5, 1});
  EXPECT_EQ(some.bag_size(0), bags.bag_size(5));
  EXPECT_EQ(numbers_of(some, 1), numbers_of(bags, 1));
  expect_error<UsageError>([&] { select(bags, std::vector<int64_t>{7}); }, {"no bag 7", "7 bags"});
}

TEST(LabelledBags, HaveHashesThatDoNotDependOnTheOrderOfInstances) {
  const auto hashes = [](std::vector<float> numbers) {
    return bag_hashes(numbers, 2, std::vector<int64_t>{0, 2, 3});
  };
  const std::vector<uint64_t> first = hashes({1, 2, 3, 4, 5, 6});
  ASSERT_EQ(first.size(), 2U);
  EXPECT_EQ(hashes({3, 4, 1, 2, 5, 6}), first);
  EXPECT_NE(hashes({3, 2, 1, 4, 5, 6})[0], first[0]);
  EXPECT_NE(hashes({2, 1, 3, 4, 5, 6})[0], first[0]);
  EXPECT_EQ(bag_hashes(std::vector<float>{0, NAN}, 1, std::vector<int64_t>{0, 2}),
            bag_hashes(std::vector<float>{NAN, -0.0F}, 1, std::vector<int64_t>{0, 2}));
  EXPECT_NE(bag_hashes(std::vector<float>{7, 7}, 1, std::vector<int64_t>{0, 1, 2}),
            bag_hashes(std::vector<float>{7, 7, 7, 7}, 1, std::vector<int64_t>{0, 2, 4}));
}

TEST(LabelledBags, AreStandardized) {
  LabelledBags bags{
      .instance_shape = {2}, .numbers = {1, 0.1F, 3, 0.1F, 5, 0.1F}, .offsets = {0, 1, 3}, .targets = {0, 1}};
  const Standardization found = standardization_of(bags);
  EXPECT_EQ(found.means, (std::vector<float>{3, 0.1F}));
  EXPECT_FLOAT_EQ(found.deviations[0], std::sqrt(8.0F / 3));
  EXPECT_EQ(found.deviations[1], 1) << "a constant number becomes 0";
  standardize(bags, found);
  EXPECT_EQ(bags.numbers[2], 0);
  EXPECT_FLOAT_EQ(bags.numbers[4], 2 / std::sqrt(8.0F / 3));
  EXPECT_EQ(bags.numbers[1], 0);
  EXPECT_THROW(standardize(bags, {.means = {0}, .deviations = {1}}), UsageError);
  EXPECT_THROW(standardization_of({.instance_shape = {1}}), UsageError);
}

TEST(LabelledBags, AreCheckedForConsistency) {
  const LabelledBags bags{
      .instance_shape = {2}, .numbers = {1, 2, 3, 4, 5, 6}, .offsets = {0, 1, 3}, .targets = {0, 1}};
  check(bags);
  const auto refused = [&](const auto& change, std::initializer_list<std::string_view> parts) {
    LabelledBags changed = bags;
    change(changed);
    expect_error<UsageError>([&] { check(changed); }, parts);
  };
  refused([](auto& b) { b.instance_shape = {}; }, {"shape []"});
  refused([](auto& b) { b.instance_shape = {0}; }, {"shape [0]"});
  refused([](auto& b) { b.offsets = {0, 3}; }, {"2 offsets for 2 labels"});
  refused([](auto& b) { b.offsets = {}; }, {"0 offsets", "missing"});
  refused([](auto& b) { b.offsets = {1, 2, 3}; }, {"first offset is 1"});
  refused([](auto& b) { b.offsets = {0, 0, 3}; }, {"bag 0 has 0 instances", "0 and 0"});
  refused([](auto& b) { b.offsets = {0, 5, 3}; }, {"bag 1 has -2 instances"});
  refused([](auto& b) { b.offsets = {0, 1, 4}; }, {"last offset is 4", "6 numbers"});
  refused([](auto& b) { b.numbers.pop_back(); }, {"5 numbers for instances of 2"});
  refused([](auto& b) { b.targets[1] = 2; }, {"label of bag 1 is 2"});
  refused([](auto& b) { b.numbers[3] = std::nanf(""); }, {"number 1 of instance 1 is nan"});
}

} // namespace
} // namespace mneme::data
