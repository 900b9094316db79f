// SPDX-License-Identifier: MIT

#include "kernels/int8_linear/int8_linear.h"

#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include <gtest/gtest.h>

#include "each_cpu_target.h"
#include "mneme/core/random.h"

namespace mneme::kernels {
namespace {

std::vector<float> normals(uint64_t stream, int64_t count) {
  Random random = Random(31).stream(stream);
  std::vector<float> numbers(static_cast<size_t>(count));
  for (float& x : numbers) {
    x = static_cast<float>(random.normal());
  }
  return numbers;
}

/// Rows of `inner` random numbers from -127 to 127, each followed by its scale.
std::vector<int8_t> int8_rows(uint64_t stream, int64_t rows, int64_t inner) {
  Random random = Random(32).stream(stream);
  std::vector<int8_t> bytes;
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t k = 0; k < inner; ++k) {
      bytes.push_back(static_cast<int8_t>(static_cast<int64_t>(random.below(2 * kInt8Max + 1)) - kInt8Max));
    }
    const auto scale = static_cast<float>(0.01 + random.uniform());
    std::array<int8_t, sizeof(float)> of_scale{};
    std::memcpy(of_scale.data(), &scale, sizeof(float));
    bytes.insert(bytes.end(), of_scale.begin(), of_scale.end());
  }
  return bytes;
}

struct Quantised {
  std::vector<int16_t> numbers;
  std::vector<float> scales;
};

Quantised quantised(decltype(&quantise_rows) kernel, const float* x, int64_t x_row, int64_t rows,
                    int64_t inner) {
  Quantised result{std::vector<int16_t>(static_cast<size_t>(rows * inner)),
                   std::vector<float>(static_cast<size_t>(rows))};
  kernel({x, x_row, result.numbers.data(), result.scales.data(), rows, inner});
  return result;
}

/// Also checks that nothing next to a row is written.
std::vector<float> product(decltype(&int8_linear) kernel, const Quantised& a, const int8_t* b, int64_t rows,
                           int64_t columns, int64_t inner, const float* bias) {
  constexpr float kUntouched = -7;
  const int64_t out_row = columns + 3;
  std::vector<float> out(static_cast<size_t>(rows * out_row), kUntouched);
  kernel({.a = a.numbers.data(),
          .a_scales = a.scales.data(),
          .b = b,
          .out = out.data(),
          .out_row = out_row,
          .rows = rows,
          .columns = columns,
          .inner = inner,
          .bias = bias});
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t j = columns; j < out_row; ++j) {
      EXPECT_EQ(out[static_cast<size_t>(i * out_row + j)], kUntouched);
    }
  }
  return out;
}

TEST(QuantiseRows, EqualsTheReferenceForEveryTail) {
  test::on_each_cpu_target([] {
    for (const int64_t inner : {0, 1, 3, 4, 7, 8, 9, 15, 16, 17, 31, 33, 100}) {
      const std::vector<float> x = normals(1, 5 * (inner + 2) + 1);
      for (const int64_t offset : {0, 1}) {
        const Quantised ours = quantised(quantise_rows, x.data() + offset, inner + 2, 5, inner),
                        plain = quantised(reference::quantise_rows, x.data() + offset, inner + 2, 5, inner);
        ASSERT_EQ(ours.numbers, plain.numbers) << "inner " << inner;
        ASSERT_EQ(ours.scales, plain.scales) << "inner " << inner;
      }
    }
  });
}

TEST(QuantiseRows, ErrsByAtMostHalfAStep) {
  test::on_each_cpu_target([] {
    const std::vector<float> x = normals(2, 3 * 70);
    const Quantised result = quantised(quantise_rows, x.data(), 70, 3, 70);
    for (size_t i = 0; i < x.size(); ++i) {
      const double scale = result.scales[i / 70];
      EXPECT_LE(std::abs(result.numbers[i]), kInt15Max);
      EXPECT_NEAR(result.numbers[i] * scale, x[i], 0.501 * scale);
    }
  });
}

TEST(QuantiseRows, HandlesZerosTinyAndLargeNumbersAndReportsNanAndInfinity) {
  test::on_each_cpu_target([] {
    constexpr float kNan = std::numeric_limits<float>::quiet_NaN(),
                    kInfinity = std::numeric_limits<float>::infinity(),
                    kMax = std::numeric_limits<float>::max();
    for (const size_t at : {size_t{0}, size_t{16}}) { // in a vector and in the tail
      const auto scale_of = [&](float number) {
        std::vector<float> x(17, 0.0F);
        x[at] = number;
        const Quantised ours = quantised(quantise_rows, x.data(), 17, 1, 17),
                        plain = quantised(reference::quantise_rows, x.data(), 17, 1, 17);
        EXPECT_EQ(ours.numbers, plain.numbers) << number;
        EXPECT_TRUE(ours.scales == plain.scales ||
                    (std::isnan(ours.scales[0]) && std::isnan(plain.scales[0])))
            << number;
        return ours.scales[0];
      };
      EXPECT_EQ(scale_of(0), 0);
      EXPECT_EQ(scale_of(1e-38F), 0);
      EXPECT_GT(scale_of(-1e-29F), 0);
      EXPECT_EQ(scale_of(kMax), kMax / kInt15Max);
      EXPECT_TRUE(std::isnan(scale_of(kNan)));
      EXPECT_TRUE(std::isnan(scale_of(-kNan)));
      EXPECT_TRUE(std::isnan(scale_of(kInfinity)));
      EXPECT_TRUE(std::isnan(scale_of(-kInfinity)));
    }
  });
}

TEST(Int8Linear, EqualsTheReferenceForEveryTail) {
  test::on_each_cpu_target([] {
    for (const int64_t inner : {0, 1, 7, 8, 15, 16, 31, 32, 33, 70}) {
      const std::vector<float> x = normals(3, 7 * inner), bias = normals(4, 9);
      const std::vector<int8_t> b = int8_rows(5, 9, inner);
      for (const int64_t rows : {0, 1, 2, 3, 4, 7}) {
        const Quantised a = quantised(reference::quantise_rows, x.data(), inner, rows, inner);
        for (const int64_t columns : {0, 1, 3, 4, 5, 9}) {
          const float* with_bias = (rows + columns) % 2 == 0 ? bias.data() : nullptr;
          ASSERT_EQ(product(int8_linear, a, b.data(), rows, columns, inner, with_bias),
                    product(reference::int8_linear, a, b.data(), rows, columns, inner, with_bias))
              << rows << " rows, " << columns << " columns, inner " << inner;
        }
      }
    }
  });
}

/// More than one block of the inner dimension, and of rows.
TEST(Int8Linear, EqualsTheReferenceAcrossBlocks) {
  test::on_each_cpu_target([] {
    for (const auto& [rows, columns, inner] :
         {std::array<int64_t, 3>{2, 5, kInnerPerInt32 + 3}, {3, 4, 2 * kInnerPerInt32}, {25, 5, 8000}}) {
      const std::vector<float> x = normals(6, rows * inner);
      const std::vector<int8_t> b = int8_rows(7, columns, inner);
      const Quantised a = quantised(quantise_rows, x.data(), inner, rows, inner);
      ASSERT_EQ(product(int8_linear, a, b.data(), rows, columns, inner, nullptr),
                product(reference::int8_linear, a, b.data(), rows, columns, inner, nullptr))
          << inner;
    }
  });
}

/// The largest sums that int32 must hold: all numbers have the largest absolute values.
TEST(Int8Linear, NeverOverflows) {
  test::on_each_cpu_target([] {
    constexpr int64_t kInner = 3 * kInnerPerInt32;
    for (const int sign : {1, -1}) {
      const Quantised a{std::vector<int16_t>(kInner, kInt15Max), {1}};
      std::vector<int8_t> b(kInner, static_cast<int8_t>(sign * kInt8Max));
      const float one = 1;
      b.resize(b.size() + sizeof(float));
      std::memcpy(b.data() + kInner, &one, sizeof(float));
      const std::vector<float> out = product(int8_linear, a, b.data(), 1, 1, kInner, nullptr);
      EXPECT_EQ(out[0], static_cast<float>(sign * double(kInner) * kInt15Max * kInt8Max));
    }
  });
}

TEST(Int8Linear, PropagatesNan) {
  test::on_each_cpu_target([] {
    const std::vector<float> x = {1, 2, std::numeric_limits<float>::quiet_NaN(), 4};
    const std::vector<int8_t> b = int8_rows(8, 3, 2);
    const Quantised a = quantised(quantise_rows, x.data(), 2, 2, 2);
    const std::vector<float> out = product(int8_linear, a, b.data(), 2, 3, 2, nullptr);
    for (size_t j = 0; j < 3; ++j) {
      EXPECT_TRUE(std::isfinite(out[j]));
      EXPECT_TRUE(std::isnan(out[6 + j]));
    }
  });
}

} // namespace
} // namespace mneme::kernels
