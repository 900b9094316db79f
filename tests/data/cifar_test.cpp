// SPDX-License-Identifier: MIT

#include "mneme/data/cifar.h"

#include "data/testing.h"

namespace mneme::data {
namespace {

constexpr size_t kPlane = 32 * 32;

/// Records whose planes are 10, 20 and 30, except for a red pixel of 255 at row 1, column 2.
Bytes records(std::initializer_list<int> labels) {
  Bytes bytes;
  for (const int label : labels) {
    bytes.big(static_cast<uint64_t>(label), 1);
    for (const uint64_t plane : {10, 20, 30}) {
      for (size_t at = 0; at < kPlane; ++at) {
        bytes.big(plane == 10 && at == 34 ? 255 : plane, 1);
      }
    }
  }
  return bytes;
}

TEST(Cifar, InterleavesPlanesToPixels) {
  const PatternSet set = parse_cifar(records({3, 9}).all(), "test_batch.bin");
  ASSERT_EQ(set.patterns.count(), 2);
  ASSERT_EQ(set.patterns.size(), 3072);
  EXPECT_EQ(set.image_shape(), (ImageShape{32, 32, 3}));
  EXPECT_EQ(set.labels, (std::vector<int64_t>{3, 9}));
  EXPECT_EQ(set.threshold, 0.5);
  for (int64_t i = 0; i < 2; ++i) {
    for (size_t pixel = 0; pixel < kPlane; ++pixel) {
      EXPECT_EQ(set.patterns[i][3 * pixel], (pixel == 34 ? 255.0 : 10.0) / 255);
      EXPECT_EQ(set.patterns[i][3 * pixel + 1], 20.0 / 255);
      EXPECT_EQ(set.patterns[i][3 * pixel + 2], 30.0 / 255);
    }
  }
}

TEST(Cifar, LimitReadsTheFirstRecords) {
  const TemporaryFolder folder;
  const PatternSet set = read_cifar(folder.file("a.bin", records({3, 9, 1}).all()), 2);
  EXPECT_EQ(set.patterns.count(), 2);
  EXPECT_EQ(set.labels, (std::vector<int64_t>{3, 9}));
}

TEST(Cifar, RejectsEveryTruncationOfARecord) {
  const Bytes one = records({3});
  for (size_t length = 1; length < one.size(); ++length) {
    EXPECT_THROW(parse_cifar(one.first(length), "cut"), DataError) << length;
  }
  expect_error<DataError>([&] { parse_cifar(one.first(3000), "cut.bin"); }, {"cut.bin", "3000", "3073"});
  expect_error<DataError>([&] { parse_cifar({}, "none.bin"); }, {"none.bin", "0 patterns"});
}

TEST(Cifar, RejectsALabelAboveNine) {
  expect_error<DataError>(
      [] {
        parse_cifar(records({3, 10}).all(), "c.bin");
      },
      {"c.bin", "record 1", "byte 3073", "label is 10", "0 to 9"});
}

} // namespace
} // namespace mneme::data
