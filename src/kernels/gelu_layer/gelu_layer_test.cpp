// SPDX-License-Identifier: MIT

#include "kernels/gelu_layer/gelu_layer.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include <gtest/gtest.h>

#include "each_cpu_target.h"
#include "mneme/core/random.h"

namespace mneme::kernels {
namespace {

struct Layer {
  int64_t samples = 0, width = 0, units = 0;
  std::vector<double> inputs, weights, bias;
};

struct Results {
  std::vector<double> values, slopes;
};

Results run(const Layer& layer, void (*kernel)(const GeluLayerArgs&)) {
  Results results;
  results.values.resize(static_cast<size_t>(layer.samples * layer.units));
  results.slopes.resize(results.values.size());
  kernel({layer.inputs.data(), layer.weights.data(), layer.bias.data(), results.values.data(),
          results.slopes.data(), layer.samples, layer.width, layer.units});
  return results;
}

/// One sample, whose units get the sums given.
Results of_sums(const std::vector<double>& sums) {
  return run({.samples = 1, .units = static_cast<int64_t>(sums.size()), .bias = sums}, gelu_layer);
}

std::vector<double> normals(uint64_t stream, int64_t count) {
  Random random = Random(31).stream(stream);
  std::vector<double> numbers(static_cast<size_t>(count));
  std::ranges::generate(numbers, [&] { return random.normal(); });
  return numbers;
}

constexpr double kError = 1e-14; // as gelu_layer.h says

TEST(GeluLayer, EqualsTheReferenceForEveryTail) {
  test::on_each_cpu_target(gelu_layer_target, [] {
    for (const int64_t samples : {0, 1, 3, 4, 9}) {
      for (const int64_t width : {0, 1, 5}) {
        for (const int64_t units : {0, 1, 7, 8, 9, 17}) {
          const Layer layer{
              samples,          width, units, normals(1, samples * width), normals(2, width * units),
              normals(3, units)};
          const Results ours = run(layer, gelu_layer), plain = run(layer, reference::gelu_layer);
          for (size_t i = 0; i < ours.values.size(); ++i) {
            ASSERT_NEAR(ours.values[i], plain.values[i], kError * (1 + std::abs(plain.values[i])))
                << samples << " samples, " << width << " inputs, " << units << " units";
            ASSERT_NEAR(ours.slopes[i], plain.slopes[i], kError);
          }
        }
      }
    }
  });
}

TEST(GeluLayer, IsAsExactFarOut) {
  std::vector<double> sums;
  for (int64_t i = -4000; i <= 4000; ++i) {
    sums.push_back(static_cast<double>(i) / 97);
  }
  for (const double far : {1e3, 1e100, 1e200}) {
    sums.push_back(far);
    sums.push_back(-far);
  }
  test::on_each_cpu_target(gelu_layer_target, [&] {
    const Results ours = of_sums(sums);
    const Results plain =
        run({.samples = 1, .units = static_cast<int64_t>(sums.size()), .bias = sums}, reference::gelu_layer);
    for (size_t i = 0; i < sums.size(); ++i) {
      ASSERT_NEAR(ours.values[i], plain.values[i], kError * std::max(1.0, std::abs(plain.values[i])))
          << sums[i];
      ASSERT_NEAR(ours.slopes[i], plain.slopes[i], kError) << sums[i];
    }
  });
}

TEST(GeluLayer, SlopeIsTheDerivativeOfTheValue) {
  test::on_each_cpu_target(gelu_layer_target, [] {
    constexpr double kStep = 1e-5, kCurvature = 1e-9; // the third derivative times kStep^2 / 6, and rounding
    for (double x = -6; x <= 6; x += 0.37) {
      const Results around = of_sums({x - kStep, x, x + kStep});
      EXPECT_NEAR((around.values[2] - around.values[0]) / (2 * kStep), around.slopes[1], kCurvature) << x;
    }
  });
}

TEST(GeluLayer, KeepsNaN) {
  test::on_each_cpu_target(gelu_layer_target, [] {
    const Results results = of_sums(std::vector<double>(9, std::numeric_limits<double>::quiet_NaN()));
    for (size_t i = 0; i < results.values.size(); ++i) {
      EXPECT_TRUE(std::isnan(results.values[i]) && std::isnan(results.slopes[i])) << i;
    }
  });
}

} // namespace
} // namespace mneme::kernels
