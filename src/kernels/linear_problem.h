// SPDX-License-Identifier: MIT

/// Matrix products that tests of kernels of linear layers compute.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "kernels/linear/linear.h"
#include "kernels/normals.h"

namespace mneme::kernels {

/// Layouts of a and b: the three products of a linear layer, the first also with few_rows, and one in which
/// no elements are adjacent.
enum class Layout { forward, forward_of_few_rows, input_gradient, weight_gradient, spread };
constexpr Layout kLayouts[] = {Layout::forward, Layout::forward_of_few_rows, Layout::input_gradient,
                               Layout::weight_gradient, Layout::spread};

/// Inputs of one product with memory for any layout, and a result whose rows are wider than their columns.
template <class T> struct Problem {
  int64_t rows, columns, inner, out_row = columns + 3;
  std::vector<T> a, b, bias, before;

  Problem(int64_t num_rows, int64_t num_columns, int64_t num_inner)
      : rows(num_rows), columns(num_columns), inner(num_inner), a(normals<T>(1, 2 * rows * inner + 1)),
        b(normals<T>(2, 2 * inner * columns + 1)), bias(normals<T>(3, columns)),
        before(normals<T>(4, rows * out_row)) {}

  /// `offset` moves a and b away from the alignment of vectors.
  LinearArgs<T> args(Layout layout, int64_t offset, bool with_bias, bool accumulate,
                     std::vector<T>& out) const {
    out = before;
    LinearArgs<T> args = {.a = a.data() + offset * (rows * inner > 0),
                          .a_row = inner,
                          .a_inner = 1,
                          .b = b.data() + offset * (inner * columns > 0),
                          .b_inner = columns,
                          .b_column = 1,
                          .out = out.data(),
                          .out_row = out_row,
                          .rows = rows,
                          .columns = columns,
                          .inner = inner,
                          .bias = with_bias ? bias.data() : nullptr,
                          .accumulate = accumulate};
    if (layout == Layout::forward || layout == Layout::forward_of_few_rows) {
      args.b_inner = 1, args.b_column = inner;
      args.few_rows = layout == Layout::forward_of_few_rows;
    } else if (layout == Layout::weight_gradient) {
      args.a_row = 1, args.a_inner = rows;
    } else if (layout == Layout::spread) {
      args.a_row = 2, args.a_inner = 2 * rows, args.b_inner = 2, args.b_column = 2 * inner;
    }
    return args;
  }
};

/// Largest sum of absolute terms of any element.
template <class T> double sum_of_terms(const LinearArgs<T>& args, const std::vector<T>& before) {
  double max = 0;
  for (int64_t i = 0; i < args.rows; ++i) {
    for (int64_t j = 0; j < args.columns; ++j) {
      double sum = (args.bias != nullptr ? std::abs(double(args.bias[j])) : 0) +
                   std::abs(double(before[static_cast<size_t>(i * args.out_row + j)]));
      for (int64_t k = 0; k < args.inner; ++k) {
        sum += std::abs(double(args.a[i * args.a_row + k * args.a_inner]) *
                        double(args.b[k * args.b_inner + j * args.b_column]));
      }
      max = std::max(max, sum);
    }
  }
  return max;
}

template <class T>
void expect_close_to_reference(int64_t rows, int64_t columns, int64_t inner,
                               void (*product)(const LinearArgs<T>&),
                               void (*reference)(const LinearArgs<T>&)) {
  const Problem<T> problem(rows, columns, inner);
  for (const Layout layout : kLayouts) {
    for (const bool with_bias : {false, true}) {
      const bool accumulate = (rows + columns + with_bias) % 2 == 0;
      std::vector<T> ours, plain;
      const LinearArgs<T> args = problem.args(layout, rows % 2, with_bias, accumulate, ours);
      product(args);
      reference(problem.args(layout, rows % 2, with_bias, accumulate, plain));
      const double roundings = double(std::min(inner, kInnerPerSum) + inner / kInnerPerSum + 3);
      const double tolerance =
          roundings * std::numeric_limits<T>::epsilon() * sum_of_terms(args, problem.before);
      for (size_t i = 0; i < ours.size(); ++i) {
        if (static_cast<int64_t>(i) % problem.out_row >= columns) {
          ASSERT_EQ(ours[i], problem.before[i]) << "written next to a row";
        } else {
          ASSERT_NEAR(ours[i], plain[i], tolerance)
              << rows << " rows, " << columns << " columns, inner " << inner << ", layout " << int(layout)
              << ", bias " << with_bias << ", accumulate " << accumulate << ", element " << i;
        }
      }
    }
  }
}

/// Every tail of rows, columns and inner elements.
template <class T>
void expect_close_for_every_tail(void (*product)(const LinearArgs<T>&),
                                 void (*reference)(const LinearArgs<T>&)) {
  for (const int64_t rows : {0, 1, 2, 5, 6, 13}) {
    for (const int64_t columns : {0, 1, 4, 7, 16, 33, 64, 65, 131}) {
      for (const int64_t inner : {0, 1, 3, 4, 9, 37}) {
        expect_close_to_reference<T>(rows, columns, inner, product, reference);
      }
    }
  }
}

/// Bits of an element are the same whether it is computed alone, with its row or with all others.
template <class T> void expect_independent_elements(int64_t inner, void (*product)(const LinearArgs<T>&)) {
  const Problem<T> problem(25, 75, inner);
  for (const Layout layout : kLayouts) {
    for (const bool accumulate : {false, true}) {
      std::vector<T> together, apart;
      product(problem.args(layout, 0, true, accumulate, together));
      for (const auto& [rows, columns] : {std::pair<int64_t, int64_t>{1, 75}, {25, 1}, {7, 20}, {1, 1}}) {
        const LinearArgs<T> all = problem.args(layout, 0, true, accumulate, apart);
        for (int64_t i = 0; i < all.rows; i += rows) {
          for (int64_t j = 0; j < all.columns; j += columns) {
            LinearArgs<T> part = all;
            part.rows = std::min(rows, all.rows - i);
            part.columns = std::min(columns, all.columns - j);
            part.a += i * all.a_row;
            part.b += j * all.b_column;
            part.bias += j;
            part.out += i * all.out_row + j;
            product(part);
          }
        }
        ASSERT_EQ(apart, together) << "layout " << int(layout) << ", tiles of " << rows << " x " << columns;
      }
    }
  }
}

inline void expect_nan_and_infinity_propagate(void (*product)(const LinearArgs<float>&)) {
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN(),
                  kInfinity = std::numeric_limits<float>::infinity();
  const std::vector<float> a = {1, kNan, 1, kInfinity, 1, 1}, b = {1, 2, 3, 4};
  std::vector<float> out(6);
  product({a.data(), 2, 1, b.data(), 2, 1, out.data(), 2, 3, 2, 2});
  EXPECT_TRUE(std::isnan(out[0]) && std::isnan(out[1]));
  EXPECT_TRUE(std::isinf(out[2]) && std::isinf(out[3]));
  EXPECT_EQ(out[4], 4);
  EXPECT_EQ(out[5], 6);
}

} // namespace mneme::kernels
