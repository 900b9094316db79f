// SPDX-License-Identifier: MIT

#include "mneme/core/finite.h"

#include <cmath>
#include <limits>
#include <span>
#include <vector>

#include <gtest/gtest.h>

namespace mneme {
namespace {

template <class T> void expect_finds_every_position() {
  using Limits = std::numeric_limits<T>;
  for (size_t size = 0; size < 70; ++size) {
    std::vector<T> numbers(size, Limits::max());
    EXPECT_TRUE(all_finite(std::span<const T>(numbers))) << size;
    for (size_t i = 0; i < size; ++i) {
      for (const T number : {T(0), -Limits::max(), Limits::denorm_min()}) {
        numbers[i] = number;
        ASSERT_TRUE(all_finite(std::span<const T>(numbers))) << number << " at " << i << " of " << size;
      }
      for (const T number : {Limits::quiet_NaN(), Limits::infinity(), -Limits::infinity()}) {
        numbers[i] = number;
        ASSERT_FALSE(all_finite(std::span<const T>(numbers))) << number << " at " << i << " of " << size;
      }
      numbers[i] = Limits::max();
    }
  }
}

TEST(AllFinite, FindsEveryPosition) {
  expect_finds_every_position<float>();
  expect_finds_every_position<double>();
}

} // namespace
} // namespace mneme
