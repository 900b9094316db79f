// SPDX-License-Identifier: MIT

#include "kernels/gelu_layer/gelu_layer.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include <gtest/gtest.h>

#include "each_cpu_target.h"
#include "kernels/normals.h"
#include "mneme/core/random.h"

namespace mneme::kernels {
namespace {

template <class T> struct Layer {
  int64_t samples = 0, width = 0, units = 0;
  std::vector<T> inputs, weights, bias;
  std::vector<uint16_t> dropout_bits; ///< empty: no dropout
};

template <class T> struct Results { std::vector<T> outputs, derivatives; };

template <class T> using Kernel = void (*)(const GeluLayerArgs<T>&);

template <class T> Results<T> run(const Layer<T>& layer, Kernel<T> kernel) {
  constexpr uint16_t kHalf = 32768;
  Results<T> results;
  results.outputs.resize(static_cast<size_t>(layer.samples * layer.units));
  results.derivatives.resize(results.outputs.size());
  kernel({layer.inputs.data(), layer.weights.data(), layer.bias.data(), results.outputs.data(),
          results.derivatives.data(), layer.samples, layer.width, layer.units,
          layer.dropout_bits.empty() ? nullptr : layer.dropout_bits.data(), kHalf, 2});
  return results;
}

/// One sample whose units have the given pre-activations.
template <class T> Layer<T> with_pre_activations(const std::vector<T>& pre_activations) {
  return {.samples = 1, .units = static_cast<int64_t>(pre_activations.size()), .bias = pre_activations};
}

std::vector<uint16_t> random_bits(int64_t count) {
  Random random(37);
  std::vector<uint16_t> dropout_bits(static_cast<size_t>(count));
  std::ranges::generate(dropout_bits, [&] { return static_cast<uint16_t>(random.next()); });
  return dropout_bits;
}

template <class T> constexpr double kError = sizeof(T) == 8 ? 1e-14 : 4e-7; // the bound of gelu_layer.h

template <class T> void expect_like_reference(const Layer<T>& layer, double input_error = 0) {
  const double error = kError<T> + input_error;
  const Results<T> actual = run<T>(layer, gelu_layer), expected = run<T>(layer, reference::gelu_layer);
  for (size_t i = 0; i < actual.outputs.size(); ++i) {
    ASSERT_NEAR(actual.outputs[i], expected.outputs[i],
                error * std::max(1.0, std::abs(double{expected.outputs[i]})))
        << layer.samples << " samples, " << layer.width << " inputs, unit " << i << " of " << layer.units;
    ASSERT_NEAR(actual.derivatives[i], expected.derivatives[i], error);
  }
}

template <class T> void expect_like_reference_for_every_shape() {
  for (const int64_t samples : {0, 1, 3, 4, 9}) {
    for (const int64_t width : {0, 1, 5}) {
      for (const int64_t units : {0, 1, 7, 8, 9, 17, 33}) {
        Layer<T> layer{.samples = samples,
                       .width = width,
                       .units = units,
                       .inputs = normals<T>(1, samples * width),
                       .weights = normals<T>(2, width * units),
                       .bias = normals<T>(3, units)};
        // Rounding of x, a sum of five products of up to 3 x 3.
        constexpr double kInputError = 16 * std::numeric_limits<T>::epsilon();
        expect_like_reference(layer, kInputError);
        layer.dropout_bits = random_bits(samples * units);
        expect_like_reference(layer, 2 * kInputError);
      }
    }
  }
}

template <class T> void expect_like_reference_in_the_tails() {
  std::vector<T> pre_activations;
  for (int64_t i = -4000; i <= 4000; ++i) {
    pre_activations.push_back(static_cast<T>(i) / T{97});
  }
  for (const double far : {1e3, 1e30, 1e100, 1e200}) {
    if (far < double{std::numeric_limits<T>::max()}) {
      pre_activations.push_back(static_cast<T>(far));
      pre_activations.push_back(static_cast<T>(-far));
    }
  }
  expect_like_reference(with_pre_activations(pre_activations));
}

template <class T> void expect_nan_kept() {
  const Results<T> results =
      run<T>(with_pre_activations(std::vector<T>(9, std::numeric_limits<T>::quiet_NaN())), gelu_layer);
  for (size_t i = 0; i < results.outputs.size(); ++i) {
    EXPECT_TRUE(std::isnan(results.outputs[i]) && std::isnan(results.derivatives[i])) << i;
  }
}

TEST(GeluLayer, MatchesTheReferenceForEveryShapeWithAndWithoutDropout) {
  test::on_each_cpu_target([] {
    expect_like_reference_for_every_shape<double>();
    expect_like_reference_for_every_shape<float>();
  });
}

TEST(GeluLayer, IsAccurateForLargeInputs) {
  test::on_each_cpu_target([] {
    expect_like_reference_in_the_tails<double>();
    expect_like_reference_in_the_tails<float>();
  });
}

TEST(GeluLayer, DerivativeMatchesFiniteDifferences) {
  test::on_each_cpu_target([] {
    constexpr double kStep = 1e-5, kTolerance = 1e-9; // third derivative times kStep^2 / 6, and rounding
    for (double x = -6; x <= 6; x += 0.37) {
      const Results<double> around =
          run<double>(with_pre_activations<double>({x - kStep, x, x + kStep}), gelu_layer);
      EXPECT_NEAR((around.outputs[2] - around.outputs[0]) / (2 * kStep), around.derivatives[1], kTolerance)
          << x;
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
