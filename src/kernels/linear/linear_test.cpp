// SPDX-License-Identifier: MIT

#include "kernels/linear/linear.h"

#include <gtest/gtest.h>

#include "each_cpu_target.h"
#include "kernels/linear_problem.h"

namespace mneme::kernels {
namespace {

TEST(Linear, EqualsTheReferenceForEveryTailAndLayout) {
  test::on_each_cpu_target([] {
    expect_close_for_every_tail<double>(linear, reference::linear);
    expect_close_for_every_tail<float>(linear, reference::linear);
  });
}

/// More than one block of columns, of packed rows and of the inner dimension.
TEST(Linear, EqualsTheReferenceAcrossBlocks) {
  test::on_each_cpu_target([] {
    expect_close_to_reference<float>(13, 514, 259, linear, reference::linear);
    expect_close_to_reference<float>(98, 20, 259, linear, reference::linear);
    expect_close_to_reference<double>(14, 270, 515, linear, reference::linear);
    expect_close_to_reference<float>(1, 37, 517, linear, reference::linear);
    expect_close_to_reference<double>(1, 37, 517, linear, reference::linear);
  });
}

TEST(Linear, OfAnElementDoesNotDependOnTheOtherRowsAndColumns) {
  test::on_each_cpu_target([] {
    for (const int64_t inner : {5, 300}) {
      expect_independent_elements<float>(inner, linear);
      expect_independent_elements<double>(inner, linear);
    }
  });
}

TEST(Linear, PropagatesNanAndInfinity) {
  test::on_each_cpu_target([] { expect_nan_and_infinity_propagate(linear); });
}

} // namespace
} // namespace mneme::kernels
