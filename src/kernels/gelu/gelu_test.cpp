// SPDX-License-Identifier: MIT

#include "kernels/gelu/gelu.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include <gtest/gtest.h>

#include "each_cpu_target.h"
#include "mneme/core/random.h"

namespace mneme::kernels {
namespace {

template <class T> struct Results { std::vector<T> outputs, derivatives; };

template <class T> using Kernel = void (*)(const GeluArgs<T>&);

template <class T>
Results<T> run(const std::vector<T>& x, int64_t rows, int64_t columns, int64_t row_stride, bool tanh_form,
               Kernel<T> kernel) {
  Results<T> results{std::vector<T>(x.size(), T{77}), std::vector<T>(x.size(), T{77})};
  kernel(
      {x.data(), results.outputs.data(), results.derivatives.data(), rows, columns, row_stride, tanh_form});
  return results;
}

template <class T> Results<T> of_row(const std::vector<T>& x, bool tanh_form, Kernel<T> kernel = gelu) {
  const auto size = static_cast<int64_t>(x.size());
  return run(x, 1, size, size, tanh_form, kernel);
}

template <class T> constexpr double kError = sizeof(T) == 8 ? 1e-14 : 5e-7; // the bound of gelu.h

template <class T>
void expect_like_reference(const std::vector<T>& x, int64_t rows, int64_t columns, int64_t row_stride,
                           bool tanh_form) {
  const Results<T> actual = run<T>(x, rows, columns, row_stride, tanh_form, gelu),
                   expected = run<T>(x, rows, columns, row_stride, tanh_form, reference::gelu);
  for (size_t i = 0; i < x.size(); ++i) { // also elements between rows, which are not written
    ASSERT_NEAR(actual.outputs[i], expected.outputs[i],
                kError<T> * std::max(1.0, std::abs(double{expected.outputs[i]})))
        << "x = " << x[i] << ", " << columns << " columns, tanh form " << tanh_form;
    ASSERT_NEAR(actual.derivatives[i], expected.derivatives[i], kError<T>)
        << "x = " << x[i] << ", tanh form " << tanh_form;
  }
}

template <class T> void expect_like_reference_for_every_shape() {
  Random random(31);
  for (const int64_t rows : {0, 1, 3}) {
    for (const int64_t columns : {0, 1, 7, 8, 9, 17, 33}) {
      for (const int64_t gap : {0, 2}) {
        std::vector<T> x(static_cast<size_t>(rows * (columns + gap)));
        std::ranges::generate(x, [&] { return static_cast<T>(3 * random.normal()); });
        for (const bool tanh_form : {false, true}) {
          expect_like_reference(x, rows, columns, columns + gap, tanh_form);
        }
      }
    }
  }
}

template <class T> void expect_like_reference_in_the_tails() {
  std::vector<T> x;
  for (int64_t i = -4000; i <= 4000; ++i) {
    x.push_back(static_cast<T>(i) / T{97});
  }
  for (const double far : {1e3, 1e30, 1e100}) {
    if (far < double{std::numeric_limits<T>::max()}) {
      x.push_back(static_cast<T>(far));
      x.push_back(static_cast<T>(-far));
    }
  }
  const auto size = static_cast<int64_t>(x.size());
  for (const bool tanh_form : {false, true}) {
    expect_like_reference(x, 1, size, size, tanh_form);
  }
}

template <class T> void expect_in_place() {
  const std::vector<T> x = {-3, -1, 0, T(0.5), 2, 40};
  const auto size = static_cast<int64_t>(x.size());
  for (const bool tanh_form : {false, true}) {
    const Results<T> expected = of_row(x, tanh_form);
    std::vector<T> outputs = x, derivatives = x, other(x.size());
    gelu(GeluArgs<T>{outputs.data(), outputs.data(), nullptr, 1, size, size, tanh_form});
    gelu(GeluArgs<T>{derivatives.data(), other.data(), derivatives.data(), 1, size, size, tanh_form});
    EXPECT_EQ(outputs, expected.outputs);
    EXPECT_EQ(other, expected.outputs);
    EXPECT_EQ(derivatives, expected.derivatives);
  }
}

template <class T> void expect_nan_kept() {
  for (const bool tanh_form : {false, true}) {
    const Results<T> results = of_row(std::vector<T>(9, std::numeric_limits<T>::quiet_NaN()), tanh_form);
    for (size_t i = 0; i < results.outputs.size(); ++i) {
      EXPECT_TRUE(std::isnan(results.outputs[i]) && std::isnan(results.derivatives[i])) << i;
    }
  }
}

TEST(Gelu, MatchesTheReferenceForEveryShape) {
  test::on_each_cpu_target([] {
    expect_like_reference_for_every_shape<double>();
    expect_like_reference_for_every_shape<float>();
  });
}

TEST(Gelu, IsAccurateForLargeInputs) {
  test::on_each_cpu_target([] {
    expect_like_reference_in_the_tails<double>();
    expect_like_reference_in_the_tails<float>();
  });
}

TEST(Gelu, WritesOutputsOrDerivativesInPlace) {
  test::on_each_cpu_target([] {
    expect_in_place<double>();
    expect_in_place<float>();
  });
}

TEST(Gelu, DerivativeMatchesFiniteDifferences) {
  test::on_each_cpu_target([] {
    constexpr double kStep = 1e-5, kTolerance = 1e-9; // third derivative times kStep^2 / 6, and rounding
    for (const bool tanh_form : {false, true}) {
      for (double x = -6; x <= 6; x += 0.37) {
        const Results<double> around = of_row<double>({x - kStep, x, x + kStep}, tanh_form);
        EXPECT_NEAR((around.outputs[2] - around.outputs[0]) / (2 * kStep), around.derivatives[1], kTolerance)
            << x;
      }
    }
  });
}

TEST(Gelu, KeepsNaN) {
  test::on_each_cpu_target([] {
    expect_nan_kept<double>();
    expect_nan_kept<float>();
  });
}

} // namespace
} // namespace mneme::kernels
