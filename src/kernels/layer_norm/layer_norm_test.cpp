// SPDX-License-Identifier: MIT

#include "kernels/layer_norm/layer_norm.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <vector>

#include <gtest/gtest.h>

#include "each_cpu_target.h"
#include "mneme/core/random.h"

namespace mneme::kernels {
namespace {

constexpr double kEpsilon = 1e-5;

template <class T> constexpr double kTolerance = sizeof(T) == 8 ? 1e-13 : 1e-5;

template <class T> std::vector<T> normal_numbers(uint64_t seed, int64_t count, double mean = 0) {
  Random random(seed);
  std::vector<T> numbers(static_cast<size_t>(count));
  std::ranges::generate(numbers, [&] { return static_cast<T>(mean + random.normal()); });
  return numbers;
}

template <class T> struct Case {
  int64_t rows, size;
  std::vector<T> x = normal_numbers<T>(1, rows*size, 3), gain = normal_numbers<T>(2, size),
                 shift = normal_numbers<T>(3, size), d_outputs = normal_numbers<T>(4, rows*size);
};

template <class T> struct Normed { std::vector<T> outputs, means, inverse_stds; };

template <class T>
Normed<T> norm(const Case<T>& c, bool affine, void (*kernel)(const LayerNormArgs<T>&) = layer_norm) {
  const auto rows = static_cast<size_t>(c.rows);
  Normed<T> result{std::vector<T>(c.x.size()), std::vector<T>(rows), std::vector<T>(rows)};
  kernel({.x = c.x.data(),
          .gain = affine ? c.gain.data() : nullptr,
          .shift = affine ? c.shift.data() : nullptr,
          .outputs = result.outputs.data(),
          .means = result.means.data(),
          .inverse_stds = result.inverse_stds.data(),
          .rows = c.rows,
          .size = c.size,
          .epsilon = kEpsilon});
  return result;
}

template <class T> struct Gradients { std::vector<T> x, gain, shift; };

/// Gradients; those of weight and bias are added to 1.
template <class T>
Gradients<T> gradients(const Case<T>& c, bool affine, std::array<bool, 3> needed,
                       void (*kernel)(const LayerNormGradientArgs<T>&) = layer_norm_gradient) {
  const Normed<T> statistics = norm<T>(c, affine, reference::layer_norm);
  Gradients<T> d{std::vector<T>(c.x.size()), std::vector<T>(c.gain.size(), T{1}),
                 std::vector<T>(c.gain.size(), T{1})};
  kernel({.d_outputs = c.d_outputs.data(),
          .x = c.x.data(),
          .gain = affine ? c.gain.data() : nullptr,
          .means = statistics.means.data(),
          .inverse_stds = statistics.inverse_stds.data(),
          .d_x = needed[0] ? d.x.data() : nullptr,
          .d_gain = needed[1] ? d.gain.data() : nullptr,
          .d_shift = needed[2] ? d.shift.data() : nullptr,
          .rows = c.rows,
          .size = c.size});
  return d;
}

template <class T>
void expect_near(const std::vector<T>& actual, const std::vector<T>& expected, const char* what) {
  ASSERT_EQ(actual.size(), expected.size());
  for (size_t i = 0; i < actual.size(); ++i) {
    ASSERT_NEAR(actual[i], expected[i], kTolerance<T> * (1 + std::abs(double{expected[i]})))
        << what << ' ' << i;
  }
}

template <class T> void expect_like_reference_for_every_shape() {
  for (const int64_t rows : {0, 1, 5}) {
    for (const int64_t size : {1, 2, 7, 16, 17, 31, 64, 100, 9001}) {
      const Case<T> c{rows, size};
      for (const bool affine : {false, true}) {
        SCOPED_TRACE(testing::Message() << rows << " x " << size << ", affine " << affine);
        const Normed<T> actual = norm<T>(c, affine), expected = norm<T>(c, affine, reference::layer_norm);
        expect_near(actual.outputs, expected.outputs, "output");
        expect_near(actual.means, expected.means, "mean");
        expect_near(actual.inverse_stds, expected.inverse_stds, "1 / standard deviation");
        for (const std::array<bool, 3> needed : {std::array{true, true, true},
                                                 {true, false, false},
                                                 {false, true, false},
                                                 {false, false, true}}) {
          const Gradients<T> d = gradients<T>(c, affine, needed),
                             of_reference = gradients<T>(c, affine, needed, reference::layer_norm_gradient);
          expect_near(d.x, of_reference.x, "gradient of x");
          expect_near(d.gain, of_reference.gain, "gradient of the weight");
          expect_near(d.shift, of_reference.shift, "gradient of the bias");
        }
      }
    }
  }
}

TEST(LayerNormKernel, MatchesTheReferenceForEveryShape) {
  test::on_each_cpu_target([] {
    expect_like_reference_for_every_shape<double>();
    expect_like_reference_for_every_shape<float>();
  });
}

/// Outputs of one row, without weight and bias.
template <class T> std::vector<T> normed_row(std::vector<T> x) {
  const auto size = static_cast<int64_t>(x.size());
  layer_norm(LayerNormArgs<T>{.x = x.data(),
                              .gain = nullptr,
                              .shift = nullptr,
                              .outputs = x.data(), // in place
                              .means = nullptr,
                              .inverse_stds = nullptr,
                              .rows = 1,
                              .size = size,
                              .epsilon = kEpsilon});
  return x;
}

TEST(LayerNormKernel, NormalisesAConstantRowToZero) {
  test::on_each_cpu_target([] {
    for (const size_t size : {1, 15, 784, 10'000}) {
      for (const float number : {0.1F, -1234.567F, 3e6F}) {
        EXPECT_EQ(normed_row(std::vector<float>(size, number)), std::vector<float>(size, 0.0F)) << number;
      }
      EXPECT_EQ(normed_row(std::vector<double>(size, 0.1)), std::vector<double>(size, 0.0));
    }
  });
}

TEST(LayerNormKernel, IsAccurateFarFromZero) {
  test::on_each_cpu_target([] { // mean 10 000, standard deviation 1: a float has 1e-3 there
    std::vector<float> x = normal_numbers<float>(5, 1000, 10'000);
    const Case<float> c{.rows = 1, .size = 1000, .x = x};
    const std::vector<float> expected = norm<float>(c, false, reference::layer_norm).outputs,
                             actual = normed_row(x);
    for (size_t i = 0; i < x.size(); ++i) {
      EXPECT_NEAR(actual[i], expected[i], 1e-3);
    }
  });
}

TEST(LayerNormKernel, KeepsNaNAndInfinityInTheirRow) {
  test::on_each_cpu_target([] {
    for (const float number :
         {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
      Case<float> c{.rows = 2, .size = 35};
      c.x[40] = number;
      const std::vector<float> outputs = norm<float>(c, true).outputs;
      EXPECT_TRUE(
          std::all_of(outputs.begin(), outputs.begin() + 35, [](float y) { return std::isfinite(y); }));
      EXPECT_TRUE(std::all_of(outputs.begin() + 35, outputs.end(), [](float y) { return std::isnan(y); }));
    }
  });
}

} // namespace
} // namespace mneme::kernels
