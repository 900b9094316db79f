// SPDX-License-Identifier: MIT

#include "kernels/row_attention/row_attention.h"

#include <cmath>
#include <limits>
#include <vector>

#include <gtest/gtest.h>

#include "each_cpu_target.h"
#include "kernels/mask_inputs.h"
#include "mneme/core/patterns.h"
#include "mneme/core/random.h"

namespace mneme::kernels {
namespace {

constexpr double kMarker = 1e30; // of elements between rows, which must not change

/// Matrix with unused elements between its rows. It ends with its last row, so that the address sanitizer
/// reports reads beyond.
template <class T> struct Matrix {
  int64_t rows, columns, stride;
  std::vector<T> numbers;

  Matrix(int64_t count, int64_t size, T value = T{0})
      : rows(count), columns(size), stride(size + 3),
        numbers(static_cast<size_t>(count > 0 ? count * (size + 3) - 3 : 1), static_cast<T>(kMarker)) {
    fill([&] { return value; });
  }
  template <class Next> void fill(Next next) {
    for (int64_t r = 0; r < rows; ++r) {
      for (int64_t c = 0; c < columns; ++c) {
        at(r, c) = next();
      }
    }
  }
  static Matrix normals(uint64_t stream, int64_t count, int64_t size) {
    Matrix result(count, size);
    Random random = Random(31).stream(stream);
    result.fill([&] { return static_cast<T>(random.normal()); });
    return result;
  }
  T& at(int64_t r, int64_t c) { return numbers[static_cast<size_t>(r * stride + c)]; }
  StridedRows<const T> view() const { return {numbers.data(), stride}; }
  StridedRows<T> view() { return {numbers.data(), stride}; }
};

/// Of exactly the documented size. All elements are NaN: they must be written before they are read.
template <class T> using Workspace = std::vector<T, CacheLineAllocator<T>>;
template <class T> Workspace<T> workspace(int64_t queries, int64_t stored, int64_t transposed) {
  return Workspace<T>(static_cast<size_t>(row_attention_workspace(queries, stored, transposed)),
                      std::numeric_limits<T>::quiet_NaN());
}

template <class T> struct Problem {
  int64_t num_queries, num_stored, size, value_size;
  T beta;
  Matrix<T> queries, stored, values, d_readout;
  MaskInputs<T> mask;
  PhiloxDropout dropout = {};
  bool transposes = false;

  Problem(int64_t q, int64_t s, int64_t d, int64_t v, T b, MaskKind kind = MaskKind::none)
      : num_queries(q), num_stored(s), size(d), value_size(v), beta(b), queries(Matrix<T>::normals(1, q, d)),
        stored(Matrix<T>::normals(2, s, d)), values(Matrix<T>::normals(3, s, v)),
        d_readout(Matrix<T>::normals(4, q, v)), mask(kind, q, s) {}

  struct Result {
    Matrix<T> readout, weights;
    std::vector<T> row_max, row_sum;
  };
  template <class Kernel> Result forward(Kernel kernel) const {
    const auto rows = static_cast<size_t>(num_queries);
    Result result{Matrix<T>(num_queries, value_size), Matrix<T>(num_queries, num_stored),
                  std::vector<T>(rows), std::vector<T>(rows)};
    Workspace<T> memory = workspace<T>(num_queries, num_stored, size);
    kernel(RowAttentionArgs<T>{.queries = queries.view(),
                               .stored = stored.view(),
                               .values = values.view(),
                               .beta = beta,
                               .readout = result.readout.view(),
                               .row_max = result.row_max.data(),
                               .row_sum = result.row_sum.data(),
                               .weights = result.weights.view(),
                               .num_queries = num_queries,
                               .num_stored = num_stored,
                               .size = size,
                               .value_size = value_size,
                               .mask = mask.mask(),
                               .dropout = dropout,
                               .transposes_stored = transposes,
                               .workspace = memory.data()});
    return result;
  }

  struct Gradients {
    Matrix<T> d_queries, d_stored, d_values;
  };
  /// d_stored and d_values start with 2.
  template <class Kernel> Gradients backward(Kernel kernel, const Result& result, bool adds) const {
    constexpr T kStart = 2;
    Gradients to{Matrix<T>(num_queries, size, kStart), Matrix<T>(num_stored, size, kStart),
                 Matrix<T>(num_stored, value_size, kStart)};
    Workspace<T> memory = workspace<T>(num_queries, num_stored, 2 * (size + value_size));
    kernel(RowAttentionGradientArgs<T>{.queries = queries.view(),
                                       .stored = stored.view(),
                                       .values = values.view(),
                                       .readout = result.readout.view(),
                                       .d_readout = d_readout.view(),
                                       .beta = beta,
                                       .row_max = result.row_max.data(),
                                       .row_sum = result.row_sum.data(),
                                       .d_queries = to.d_queries.view(),
                                       .d_stored = to.d_stored.view(),
                                       .d_values = to.d_values.view(),
                                       .adds = adds,
                                       .num_queries = num_queries,
                                       .num_stored = num_stored,
                                       .size = size,
                                       .value_size = value_size,
                                       .mask = mask.mask(),
                                       .dropout = dropout,
                                       .transposes_stored = transposes,
                                       .transposes_values = transposes,
                                       .workspace = memory.data()});
    return to;
  }
};

template <class T>
void expect_near(const std::vector<T>& actual, const std::vector<T>& expected, double tolerance,
                 const char* what) {
  ASSERT_EQ(actual.size(), expected.size());
  for (size_t i = 0; i < actual.size(); ++i) {
    ASSERT_NEAR(actual[i], expected[i], tolerance * (1 + std::abs(expected[i]))) << what << ", element " << i;
  }
}

template <class T> void expect_close_to_reference(Problem<T> problem, double tolerance) {
  if (!problem.transposes) {
    problem.transposes = true;
    expect_close_to_reference(problem, tolerance);
    problem.transposes = false;
  }
  SCOPED_TRACE(testing::Message() << problem.num_queries << " queries, " << problem.num_stored
                                  << " stored, size " << problem.size << ", values of " << problem.value_size
                                  << (problem.transposes ? ", transposed" : ""));
  const auto expected =
      problem.forward([](const RowAttentionArgs<T>& args) { reference::row_attention(args); });
  const auto actual = problem.forward([](const RowAttentionArgs<T>& args) { row_attention(args); });
  expect_near(actual.readout.numbers, expected.readout.numbers, tolerance, "readout");
  expect_near(actual.weights.numbers, expected.weights.numbers, tolerance, "weights");
  expect_near(actual.row_max, expected.row_max, tolerance, "row_max");
  expect_near(actual.row_sum, expected.row_sum, tolerance, "row_sum");
  for (const bool adds : {false, true}) {
    const auto gradients = problem.backward(
        [](const RowAttentionGradientArgs<T>& args) { row_attention_gradient(args); }, expected, adds);
    const auto exact = problem.backward(
        [](const RowAttentionGradientArgs<T>& args) { reference::row_attention_gradient(args); }, expected,
        adds);
    expect_near(gradients.d_queries.numbers, exact.d_queries.numbers, tolerance, "d_queries");
    expect_near(gradients.d_stored.numbers, exact.d_stored.numbers, tolerance, "d_stored");
    expect_near(gradients.d_values.numbers, exact.d_values.numbers, tolerance, "d_values");
  }
}

template <class T> void expect_close_to_reference(double tolerance) {
  for (const int64_t size : {1, 5, 16, 83}) {
    for (const int64_t value_size : {1, 6, 65, 133}) {
      for (const int64_t q : {1, 2, 3, 4, 7, 70}) {
        for (const int64_t s : {1, 3, 4, 63, 130}) {
          expect_close_to_reference(Problem<T>(q, s, size, value_size, static_cast<T>(0.3)), tolerance);
        }
      }
    }
  }
}

TEST(RowAttention, MatchesTheReferenceForEveryTail) {
  test::on_each_cpu_target([] {
    expect_close_to_reference<double>(1e-13);
    expect_close_to_reference<float>(2e-5);
  });
}

TEST(RowAttention, MatchesTheReferenceForManyStoredPatterns) {
  test::on_each_cpu_target([] {
    expect_close_to_reference(Problem<double>(9, 5000, 3, 4, 0.3), 1e-12);
    expect_close_to_reference(Problem<float>(1, 5001, 5, 17, 0.3F), 5e-5);
  });
}

template <class T> void expect_close_to_reference_masked(double tolerance) {
  for (const MaskKind kind : kMaskKinds) {
    for (const int64_t q : {1, 7, 70}) {
      for (const int64_t s : {1, 9, 46, 133}) { // 46: 12 or 13 groups of 4, rows of which share a call
        SCOPED_TRACE(testing::Message() << "mask " << static_cast<int>(kind));
        Problem<T> problem(q, s, 5, 6, static_cast<T>(0.3), kind);
        expect_close_to_reference(problem, tolerance);
        for (const int64_t first_stored : {0, 3}) {
          problem.dropout = {0.4, 0x123456789ABCDEF0, (int64_t{1} << 40) - 5,
                             (int64_t{1} << 34) - 30 + first_stored}; // cross 32-bit words and groups of 4
          expect_close_to_reference(problem, tolerance);
        }
      }
    }
  }
}

TEST(RowAttention, MatchesTheReferenceUnderAnyMaskAndDropout) {
  test::on_each_cpu_target([] {
    expect_close_to_reference_masked<double>(1e-13);
    expect_close_to_reference_masked<float>(2e-5);
  });
}

/// Gradients of calls with one of the stored patterns each are those of one call with all of them.
template <class T> void expect_gradients_pattern_by_pattern(double tolerance) {
  constexpr int64_t kQueries = 3, kStored = 4, kSize = 5, kValueSize = 6;
  const Problem<T> all(kQueries, kStored, kSize, kValueSize, static_cast<T>(0.3));
  const auto result = all.forward([](const RowAttentionArgs<T>& args) { row_attention(args); });
  const auto expected = all.backward(
      [](const RowAttentionGradientArgs<T>& args) { row_attention_gradient(args); }, result, false);
  Matrix<T> d_queries(kQueries, kSize);
  for (int64_t s = 0; s < kStored; ++s) {
    Problem<T> one(kQueries, 1, kSize, kValueSize, static_cast<T>(0.3));
    for (int64_t c = 0; c < kSize; ++c) {
      one.stored.at(0, c) = Matrix<T>(all.stored).at(s, c);
    }
    for (int64_t c = 0; c < kValueSize; ++c) {
      one.values.at(0, c) = Matrix<T>(all.values).at(s, c);
    }
    auto part = one.backward([](const RowAttentionGradientArgs<T>& args) { row_attention_gradient(args); },
                             result, false);
    for (int64_t q = 0; q < kQueries; ++q) {
      for (int64_t c = 0; c < kSize; ++c) {
        d_queries.at(q, c) += part.d_queries.at(q, c);
      }
    }
    for (int64_t c = 0; c < kSize; ++c) {
      EXPECT_NEAR(part.d_stored.at(0, c), Matrix<T>(expected.d_stored).at(s, c), tolerance);
    }
    for (int64_t c = 0; c < kValueSize; ++c) {
      EXPECT_NEAR(part.d_values.at(0, c), Matrix<T>(expected.d_values).at(s, c), tolerance);
    }
  }
  expect_near(d_queries.numbers, expected.d_queries.numbers, tolerance, "d_queries");
}

TEST(RowAttention, HasTheGradientOfEachStoredPatternOnItsOwn) {
  test::on_each_cpu_target([] {
    expect_gradients_pattern_by_pattern<double>(1e-13);
    expect_gradients_pattern_by_pattern<float>(2e-5);
  });
}

TEST(RowAttention, DoesNotReadPaddedPatterns) {
  test::on_each_cpu_target([] {
    for (const bool at_the_end : {false, true}) {
      Problem<double> problem(5, 40, 4, 3, 1.0, MaskKind::key_padding);
      for (int64_t s = 0; s < 40; ++s) {
        uint8_t& is_masked = problem.mask.key_padding_mask[static_cast<size_t>(s)];
        is_masked = at_the_end ? static_cast<uint8_t>(s >= 30) : is_masked;
        if (is_masked != 0) {
          problem.stored.at(s, 1) = problem.values.at(s, 2) = std::numeric_limits<double>::quiet_NaN();
        }
      }
      const auto result = problem.forward([](const auto& args) { row_attention(args); });
      const auto gradients =
          problem.backward([](const auto& args) { row_attention_gradient(args); }, result, false);
      for (const auto* numbers : {&result.readout.numbers, &gradients.d_queries.numbers,
                                  &gradients.d_stored.numbers, &gradients.d_values.numbers}) {
        for (const double number : *numbers) {
          ASSERT_TRUE(std::isfinite(number));
        }
      }
    }
  });
}

TEST(RowAttention, StaysFiniteAtLargeBetas) {
  test::on_each_cpu_target([] {
    Problem<double> problem(6, 50, 8, 8, 1e4);
    const auto result = problem.forward([](const auto& args) { row_attention(args); });
    for (int64_t q = 0; q < 6; ++q) {
      double sum = 0;
      for (int64_t s = 0; s < 50; ++s) {
        sum += result.weights.numbers[static_cast<size_t>(q * 53 + s)];
      }
      EXPECT_NEAR(sum, 1, 1e-9);
    }
  });
}

} // namespace
} // namespace mneme::kernels
