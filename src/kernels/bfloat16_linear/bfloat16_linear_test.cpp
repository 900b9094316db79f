// SPDX-License-Identifier: MIT

#include "kernels/bfloat16_linear/bfloat16_linear.h"

#include <bit>
#include <cmath>
#include <limits>
#include <vector>

#include <gtest/gtest.h>

#include "each_cpu_target.h"
#include "kernels/linear_problem.h"

namespace mneme::kernels {
namespace {

TEST(Bfloat16Linear, EqualsTheReferenceForEveryTailAndLayout) {
  test::on_each_cpu_target(
      [] { expect_close_for_every_tail<float>(bfloat16_linear, reference::bfloat16_linear); });
}

/// More than one block of columns, of packed rows and of the inner dimension.
TEST(Bfloat16Linear, EqualsTheReferenceAcrossBlocks) {
  test::on_each_cpu_target([] {
    expect_close_to_reference<float>(13, 514, 259, bfloat16_linear, reference::bfloat16_linear);
    expect_close_to_reference<float>(196, 20, 259, bfloat16_linear, reference::bfloat16_linear);
    expect_close_to_reference<float>(1, 37, 517, bfloat16_linear, reference::bfloat16_linear);
  });
}

/// An element computed in a tile of its own has the bits that it has among all others.
TEST(Bfloat16Linear, OfAnElementDoesNotDependOnTheOtherRowsAndColumns) {
  test::on_each_cpu_target([] {
    for (const int64_t inner : {5, 300}) {
      expect_independent_elements<float>(inner, bfloat16_linear);
    }
  });
}

TEST(Bfloat16Linear, HasTheSameBitsOnEveryCpuTarget) {
  const Problem<float> problem(25, 131, 301);
  for (const Layout layout : kLayouts) {
    std::vector<float> expected;
    for (const CpuTarget& target : cpu_targets()) {
      if (!target.runnable || target.name == "reference") { // it accumulates in double
        continue;
      }
      const std::string before = cpu_target();
      select_cpu_target(target.name);
      std::vector<float> out;
      bfloat16_linear(problem.args(layout, 0, true, true, out));
      select_cpu_target(before);
      if (expected.empty()) {
        expected = out;
      }
      EXPECT_EQ(out, expected) << target.name << ", layout " << int(layout);
    }
  }
}

TEST(Bfloat16Linear, RoundsToTheNearestAndTiesToEven) {
  test::on_each_cpu_target([] {
    constexpr float kInfinity = std::numeric_limits<float>::infinity();
    // One is 0x3F800000; the next bfloat16 is 1 + 2^-7.
    const std::vector<float> x = {1 + 0x1p-8F, 1 + 0x1p-8F + 0x1p-20F, 1 + 3 * 0x1p-8F,
                                  1 - 0x1p-9F, -(1 + 3 * 0x1p-8F),     std::numeric_limits<float>::max()},
                             rounded = {1, 1 + 0x1p-7F, 1 + 0x1p-6F, 1, -(1 + 0x1p-6F), kInfinity};
    const float one = 1;
    std::vector<float> out(x.size());
    bfloat16_linear({.a = x.data(),
                     .a_row = 1,
                     .a_inner = 1,
                     .b = &one,
                     .b_inner = 1,
                     .b_column = 1,
                     .out = out.data(),
                     .out_row = 1,
                     .rows = static_cast<int64_t>(x.size()),
                     .columns = 1,
                     .inner = 1});
    EXPECT_EQ(out, rounded);
  });
}

TEST(Bfloat16Linear, PropagatesNanAndInfinity) {
  test::on_each_cpu_target([] { expect_nan_and_infinity_propagate(bfloat16_linear); });
}

} // namespace
} // namespace mneme::kernels
