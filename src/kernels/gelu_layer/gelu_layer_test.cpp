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

template <class T> struct Layer {
  int64_t samples = 0, width = 0, units = 0;
  std::vector<T> inputs, weights, bias;
  std::vector<uint16_t> chances; ///< empty: no dropout
};

template <class T> struct Results { std::vector<T> values, slopes; };

template <class T> using Kernel = void (*)(const GeluLayerArgs<T>&);

template <class T> Results<T> run(const Layer<T>& layer, Kernel<T> kernel) {
  constexpr uint16_t kHalf = 32768;
  Results<T> results;
  results.values.resize(static_cast<size_t>(layer.samples * layer.units));
  results.slopes.resize(results.values.size());
  kernel({layer.inputs.data(), layer.weights.data(), layer.bias.data(), results.values.data(),
          results.slopes.data(), layer.samples, layer.width, layer.units,
          layer.chances.empty() ? nullptr : layer.chances.data(), kHalf, 2});
  return results;
}

/// One sample, whose units get the sums given.
template <class T> Layer<T> of_sums(const std::vector<T>& sums) {
  return {.samples = 1, .units = static_cast<int64_t>(sums.size()), .bias = sums};
}

template <class T> std::vector<T> normals(uint64_t stream, int64_t count) {
  Random random = Random(31).stream(stream);
  std::vector<T> numbers(static_cast<size_t>(count));
  std::ranges::generate(numbers, [&] { return static_cast<T>(random.normal()); });
  return numbers;
}

std::vector<uint16_t> some_chances(int64_t count) {
  Random random(37);
  std::vector<uint16_t> chances(static_cast<size_t>(count));
  std::ranges::generate(chances, [&] { return static_cast<uint16_t>(random.next()); });
  return chances;
}

template <class T> constexpr double kError = sizeof(T) == 8 ? 1e-14 : 4e-7; // as gelu_layer.h says

template <class T> void expect_like_reference(const Layer<T>& layer, double sums_apart = 0) {
  const double error = kError<T> + sums_apart;
  const Results<T> ours = run<T>(layer, gelu_layer), plain = run<T>(layer, reference::gelu_layer);
  for (size_t i = 0; i < ours.values.size(); ++i) {
    ASSERT_NEAR(ours.values[i], plain.values[i], error * std::max(1.0, std::abs(double{plain.values[i]})))
        << layer.samples << " samples, " << layer.width << " inputs, unit " << i << " of " << layer.units;
    ASSERT_NEAR(ours.slopes[i], plain.slopes[i], error);
  }
}

template <class T> void expect_like_reference_for_every_tail() {
  for (const int64_t samples : {0, 1, 3, 4, 9}) {
    for (const int64_t width : {0, 1, 5}) {
      for (const int64_t units : {0, 1, 7, 8, 9, 17, 33}) {
        Layer<T> layer{.samples = samples,
                       .width = width,
                       .units = units,
                       .inputs = normals<T>(1, samples * width),
                       .weights = normals<T>(2, width * units),
                       .bias = normals<T>(3, units)};
        constexpr double kOfSums = 16 * std::numeric_limits<T>::epsilon(); // five products, of up to 3 x 3
        expect_like_reference(layer, kOfSums);
        layer.chances = some_chances(samples * units);
        expect_like_reference(layer, 2 * kOfSums);
      }
    }
  }
}

template <class T> void expect_like_reference_far_out() {
  std::vector<T> sums;
  for (int64_t i = -4000; i <= 4000; ++i) {
    sums.push_back(static_cast<T>(i) / T{97});
  }
  for (const double far : {1e3, 1e30, 1e100, 1e200}) {
    if (far < double{std::numeric_limits<T>::max()}) {
      sums.push_back(static_cast<T>(far));
      sums.push_back(static_cast<T>(-far));
    }
  }
  expect_like_reference(of_sums(sums));
}

template <class T> void expect_nan_kept() {
  const Results<T> results =
      run<T>(of_sums(std::vector<T>(9, std::numeric_limits<T>::quiet_NaN())), gelu_layer);
  for (size_t i = 0; i < results.values.size(); ++i) {
    EXPECT_TRUE(std::isnan(results.values[i]) && std::isnan(results.slopes[i])) << i;
  }
}

TEST(GeluLayer, EqualsTheReferenceForEveryTailWithAndWithoutDropout) {
  test::on_each_cpu_target([] {
    expect_like_reference_for_every_tail<double>();
    expect_like_reference_for_every_tail<float>();
  });
}

TEST(GeluLayer, IsAsExactFarOut) {
  test::on_each_cpu_target([] {
    expect_like_reference_far_out<double>();
    expect_like_reference_far_out<float>();
  });
}

TEST(GeluLayer, SlopeIsTheDerivativeOfTheValue) {
  test::on_each_cpu_target([] {
    constexpr double kStep = 1e-5, kCurvature = 1e-9; // the third derivative times kStep^2 / 6, and rounding
    for (double x = -6; x <= 6; x += 0.37) {
      const Results<double> around = run<double>(of_sums<double>({x - kStep, x, x + kStep}), gelu_layer);
      EXPECT_NEAR((around.values[2] - around.values[0]) / (2 * kStep), around.slopes[1], kCurvature) << x;
    }
  });
}

TEST(GeluLayer, KeepsNaN) {
  test::on_each_cpu_target([] {
    expect_nan_kept<double>();
    expect_nan_kept<float>();
  });
}

} // namespace
} // namespace mneme::kernels
