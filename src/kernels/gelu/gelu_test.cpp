// SPDX-License-Identifier: MIT

#include "kernels/gelu/gelu.h"

#include <cmath>
#include <limits>
#include <vector>

#include <gtest/gtest.h>

#include "each_cpu_target.h"

namespace mneme::kernels {
namespace {

struct Results {
  std::vector<double> values, slopes;
};

Results run(const std::vector<double>& inputs, int64_t from, void (*kernel)(const GeluArgs&)) {
  const int64_t count = static_cast<int64_t>(inputs.size()) - from;
  Results results{std::vector<double>(static_cast<size_t>(count)),
                  std::vector<double>(static_cast<size_t>(count))};
  kernel({inputs.data() + from, results.values.data(), results.slopes.data(), count});
  return results;
}

TEST(Gelu, IsWithinItsErrorOfTheReferenceFarOutAndForEveryTail) {
  test::on_each_cpu_target(gelu_target, [] {
    std::vector<double> inputs;
    for (int64_t i = -4000; i <= 4000; ++i) {
      inputs.push_back(static_cast<double>(i) / 97);
    }
    for (const double far : {1e3, 1e200, std::numeric_limits<double>::max()}) {
      inputs.push_back(far);
      inputs.push_back(-far);
    }
    for (const int64_t from : {0, 1, 2, 5, 7990, 8005, 8006, 8007}) { // unaligned, and few left
      const Results ours = run(inputs, from, gelu), plain = run(inputs, from, reference::gelu);
      for (size_t i = 0; i < ours.values.size(); ++i) {
        const double scale = std::max(1.0, std::abs(plain.values[i]));
        ASSERT_NEAR(ours.values[i], plain.values[i], 1e-14 * scale) << inputs[i + static_cast<size_t>(from)];
        ASSERT_NEAR(ours.slopes[i], plain.slopes[i], 1e-14) << inputs[i + static_cast<size_t>(from)];
      }
    }
  });
}

TEST(Gelu, SlopeIsTheDerivativeOfTheValue) {
  test::on_each_cpu_target(gelu_target, [] {
    constexpr double kStep = 1e-5, kCurvature = 1e-9; // the third derivative times kStep^2 / 6, and rounding
    for (double x = -6; x <= 6; x += 0.37) {
      const Results around = run({x - kStep, x, x + kStep}, 0, gelu);
      EXPECT_NEAR((around.values[2] - around.values[0]) / (2 * kStep), around.slopes[1], kCurvature) << x;
    }
  });
}

TEST(Gelu, KeepsNaN) {
  test::on_each_cpu_target(gelu_target, [] {
    const Results results = run(std::vector<double>(9, std::numeric_limits<double>::quiet_NaN()), 0, gelu);
    EXPECT_TRUE(std::isnan(results.values[0]) && std::isnan(results.slopes[0]));
    EXPECT_TRUE(std::isnan(results.values[8]) && std::isnan(results.slopes[8]));
  });
}

} // namespace
} // namespace mneme::kernels
