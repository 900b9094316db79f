// SPDX-License-Identifier: MIT

#include "kernels/cross_entropy/cross_entropy.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include <gtest/gtest.h>

#include "each_cpu_target.h"
#include "mneme/core/random.h"

namespace mneme::kernels {
namespace {

template <class T> using Kernel = void (*)(const CrossEntropyArgs<T>&);

template <class T> struct Results {
  std::vector<T> gradient;
  std::vector<double> losses;
};

template <class T>
Results<T> run(std::vector<T> logits, const std::vector<int64_t>& targets, bool gradient,
               Kernel<T> kernel = cross_entropy) {
  const auto rows = static_cast<int64_t>(targets.size());
  std::vector<double> losses(targets.size(), 77);
  kernel({logits.data(), targets.data(), losses.data(), rows,
          rows == 0 ? 1 : static_cast<int64_t>(logits.size()) / rows, gradient});
  return {logits, losses};
}

template <class T> constexpr double kError = sizeof(T) == 8 ? 1e-14 : 1e-6; // the bound of cross_entropy.h

/// Logits [rows, words] with this standard deviation, and a target for each row.
template <class T>
std::pair<std::vector<T>, std::vector<int64_t>> problem(int64_t rows, int64_t words, double spread) {
  Random random(17);
  std::vector<T> logits(static_cast<size_t>(rows * words));
  std::ranges::generate(logits, [&] { return static_cast<T>(spread * random.normal()); });
  std::vector<int64_t> targets(static_cast<size_t>(rows));
  std::ranges::generate(targets,
                        [&] { return static_cast<int64_t>(random.below(static_cast<uint64_t>(words))); });
  return {logits, targets};
}

template <class T> void expect_like_reference() {
  for (const int64_t rows : {0, 1, 3}) {
    for (const int64_t words : {1, 2, 7, 8, 9, 16, 33, 257, 8192}) {
      for (const double spread : {0.1, 3.0, 300.0}) {
        const auto [logits, targets] = problem<T>(rows, words, spread);
        const Results<T> actual = run<T>(logits, targets, true),
                         expected = run<T>(logits, targets, true, reference::cross_entropy),
                         forward = run<T>(logits, targets, false);
        const double scale = std::max(1.0, 5 * spread); // of the largest logit
        for (size_t row = 0; row < targets.size(); ++row) {
          ASSERT_NEAR(actual.losses[row], expected.losses[row], kError<T> * scale) << words << " words";
          ASSERT_EQ(forward.losses[row], actual.losses[row]);
        }
        for (size_t i = 0; i < logits.size(); ++i) {
          ASSERT_NEAR(actual.gradient[i], expected.gradient[i], kError<T>) << words << " words";
        }
      }
    }
  }
}

template <class T> void expect_nan_for_rows_without_a_loss() {
  const T nan = std::numeric_limits<T>::quiet_NaN(), infinity = std::numeric_limits<T>::infinity();
  for (const T bad : {nan, infinity}) {
    for (size_t at = 0; at < 19; ++at) {
      std::vector<T> logits(38, T{1});
      logits[at] = bad;
      const Results<T> results = run<T>(logits, {3, 3}, true);
      EXPECT_TRUE(std::isnan(results.losses[0])) << at;
      EXPECT_TRUE(std::isnan(results.gradient[at])) << at;
      EXPECT_NEAR(results.losses[1], std::log(19.0), kError<T>) << "the other row";
    }
  }
  EXPECT_TRUE(std::isnan(run<T>(std::vector<T>(5, -infinity), {0}, true).losses[0]));
  const Results<T> impossible = run<T>({T{0}, -infinity, T{0}}, {1}, true);
  EXPECT_EQ(impossible.losses[0], std::numeric_limits<double>::infinity());
  EXPECT_EQ(impossible.gradient, (std::vector<T>{T(0.5), T(-1), T(0.5)}));
}

TEST(CrossEntropy, MatchesTheReference) {
  test::on_each_cpu_target([] {
    expect_like_reference<double>();
    expect_like_reference<float>();
  });
}

TEST(CrossEntropy, IsNanOnlyWhereTheLossIsUndefined) {
  test::on_each_cpu_target([] {
    expect_nan_for_rows_without_a_loss<double>();
    expect_nan_for_rows_without_a_loss<float>();
  });
}

TEST(CrossEntropy, GradientMatchesFiniteDifferences) {
  test::on_each_cpu_target([] {
    const auto [logits, targets] = problem<double>(1, 21, 2);
    const Results<double> results = run<double>(logits, targets, true);
    constexpr double kStep = 1e-5;
    for (size_t i = 0; i < logits.size(); ++i) {
      std::vector<double> above = logits, below = logits;
      above[i] += kStep;
      below[i] -= kStep;
      const double slope =
          (run<double>(above, targets, false).losses[0] - run<double>(below, targets, false).losses[0]) /
          (2 * kStep);
      EXPECT_NEAR(slope, results.gradient[i], 1e-9) << i;
    }
  });
}

} // namespace
} // namespace mneme::kernels
