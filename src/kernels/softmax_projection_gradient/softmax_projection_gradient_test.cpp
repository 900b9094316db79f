// SPDX-License-Identifier: MIT

#include "kernels/softmax_projection_gradient/softmax_projection_gradient.h"

#include <cmath>
#include <limits>
#include <vector>

#include <gtest/gtest.h>

#include "each_cpu_target.h"
#include "kernels/mask_inputs.h"
#include "kernels/softmax_projection/softmax_projection.h"
#include "mneme/core/random.h"

namespace mneme::kernels {
namespace {

template <class T> struct Problem {
  int64_t num_queries, num_stored, size, value_size;
  std::vector<T> queries, stored, values, d_readout, readout, row_max, row_sum, delta;
  MaskInputs<T> mask;
  PhiloxDropout dropout = {};

  Problem(int64_t q, int64_t s, int64_t d, int64_t v, double beta, MaskKind kind = MaskKind::none)
      : num_queries(q), num_stored(s), size(d), value_size(v), queries(normals(1, q * d, beta)),
        stored(normals(2, s * d)), values(normals(3, s * v)), d_readout(normals(4, q * v)),
        readout(static_cast<size_t>(q * v)), row_max(static_cast<size_t>(q)), row_sum(static_cast<size_t>(q)),
        delta(static_cast<size_t>(q)), mask(kind, q, s) {
    forward();
  }

  void forward() {
    reference::softmax_projection(SoftmaxProjectionArgs<T>{
        queries.data(), stored.data(), values.data(), T{1}, readout.data(), row_max.data(), row_sum.data(),
        num_queries, num_stored, size, value_size, mask.mask(), dropout});
    for (int64_t q = 0; q < num_queries; ++q) {
      double dot = 0;
      for (int64_t v = 0; v < value_size; ++v) {
        dot += static_cast<double>(readout[size_t(q * value_size + v)]) *
               static_cast<double>(d_readout[size_t(q * value_size + v)]);
      }
      delta[size_t(q)] = static_cast<T>(dot);
    }
  }

  struct Gradients {
    std::vector<T> d_queries, d_stored, d_values;
  };
  /// Gradients are initialised with `start`, because kernels add to them.
  template <class Kernel> Gradients run(Kernel kernel, T start = T{0}) const {
    Gradients gradients{std::vector<T>(queries.size(), start), std::vector<T>(stored.size(), start),
                        std::vector<T>(values.size(), start)};
    kernel(args(gradients));
    return gradients;
  }
  SoftmaxProjectionGradientArgs<T> args(Gradients& to) const {
    return {queries.data(),
            stored.data(),
            values.data(),
            row_max.data(),
            row_sum.data(),
            d_readout.data(),
            delta.data(),
            to.d_queries.data(),
            to.d_stored.data(),
            to.d_values.data(),
            num_queries,
            num_stored,
            size,
            value_size,
            mask.mask(),
            dropout};
  }
  Gradients run_kernel(T start = T{0}) const {
    return run([](const SoftmaxProjectionGradientArgs<T>& args) { softmax_projection_gradient(args); },
               start);
  }
  Gradients run_reference() const {
    return run(
        [](const SoftmaxProjectionGradientArgs<T>& args) { reference::softmax_projection_gradient(args); });
  }

private:
  static std::vector<T> normals(uint64_t stream, int64_t count, double factor = 1) {
    Random random = Random(31).stream(stream);
    std::vector<T> numbers(static_cast<size_t>(count));
    for (T& x : numbers) {
      x = static_cast<T>(factor * random.normal());
    }
    return numbers;
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

template <class T> void expect_close_to_reference(const Problem<T>& problem, double tolerance) {
  SCOPED_TRACE(testing::Message() << problem.num_queries << " queries, " << problem.num_stored
                                  << " stored, size " << problem.size << ", values of "
                                  << problem.value_size);
  const auto actual = problem.run_kernel(), expected = problem.run_reference();
  expect_near(actual.d_queries, expected.d_queries, tolerance, "d_queries");
  expect_near(actual.d_stored, expected.d_stored, tolerance, "d_stored");
  expect_near(actual.d_values, expected.d_values, tolerance, "d_values");
}

template <class T> void expect_close_to_reference(double beta, double tolerance) {
  for (const int64_t size : {1, 5, 64}) {
    for (const int64_t value_size : {0, 1, 6, 65}) {
      for (const int64_t q : {0, 1, 7, 8, 33, 70, 200}) {
        for (const int64_t s : {0, 1, 3, 127, 133}) {
          expect_close_to_reference(Problem<T>(q, s, size, value_size, beta), tolerance);
        }
      }
    }
  }
}

TEST(SoftmaxProjectionGradient, MatchesTheReferenceForEveryTail) {
  test::on_each_cpu_target([] {
    expect_close_to_reference<double>(0.3, 1e-13);
    expect_close_to_reference<float>(0.3, 2e-5);
  });
}

template <class T> void expect_close_to_reference_masked(double tolerance) {
  for (const MaskKind kind : kMaskKinds) {
    for (const int64_t q : {0, 1, 7, 33, 200}) {
      for (const int64_t s : {0, 1, 9, 133, 300}) {
        SCOPED_TRACE(testing::Message() << "mask " << static_cast<int>(kind));
        Problem<T> problem(q, s, 5, 6, 0.3, kind);
        expect_close_to_reference(problem, tolerance);
        problem.dropout = {0.4, 0x123456789ABCDEF0, (int64_t{1} << 40) - 5, (int64_t{1} << 34) - 30};
        problem.forward();
        expect_close_to_reference(problem, tolerance);
      }
    }
  }
}

TEST(SoftmaxProjectionGradient, MatchesTheReferenceUnderAnyMaskAndDropout) {
  test::on_each_cpu_target([] {
    expect_close_to_reference_masked<double>(1e-13);
    expect_close_to_reference_masked<float>(2e-5);
  });
}

TEST(SoftmaxProjectionGradient, IsZeroForMaskedQueriesAndPatterns) {
  test::on_each_cpu_target([] {
    Problem<double> problem(30, 60, 4, 3, 1.0, MaskKind::key_padding_and_boolean);
    for (int64_t s = 0; s < 60; ++s) {
      if (problem.mask.key_padding_mask[size_t(s)] != 0) {
        problem.stored[size_t(s * 4)] = std::numeric_limits<double>::quiet_NaN();
      }
    }
    problem.forward();
    const auto gradients = problem.run_kernel();
    for (size_t i = 0; i < gradients.d_queries.size(); ++i) {
      const bool is_fully_masked = i / 4 % 5 == 3;
      EXPECT_TRUE(std::isfinite(gradients.d_queries[i]));
      EXPECT_EQ(gradients.d_queries[i] == 0, is_fully_masked) << i;
    }
    for (size_t i = 0; i < gradients.d_stored.size(); ++i) {
      EXPECT_EQ(gradients.d_stored[i] == 0, problem.mask.key_padding_mask[i / 4] != 0) << i;
    }
  });
}

TEST(SoftmaxProjectionGradient, MatchesFiniteDifferencesOfTheReadout) {
  test::on_each_cpu_target([] {
    Problem<double> problem(4, 9, 4, 5, 0.8, MaskKind::key_padding_and_additive);
    problem.dropout = {0.3, 5};
    problem.forward();
    const auto gradients = problem.run_kernel();
    constexpr double kStep = 1e-5; // error of the central difference: about step^2
    const auto expect_slope = [&](std::vector<double> Problem<double>::*input,
                                  const std::vector<double>& gradient) {
      for (size_t i = 0; i < gradient.size(); ++i) {
        double loss[2] = {0, 0};
        for (const int side : {0, 1}) {
          Problem<double> moved = problem;
          (moved.*input)[i] += side == 0 ? -kStep : kStep;
          moved.forward();
          for (size_t v = 0; v < moved.readout.size(); ++v) {
            loss[side] += moved.readout[v] * moved.d_readout[v];
          }
        }
        EXPECT_NEAR(gradient[i], (loss[1] - loss[0]) / (2 * kStep), 1e-8) << "element " << i;
      }
    };
    expect_slope(&Problem<double>::queries, gradients.d_queries);
    expect_slope(&Problem<double>::stored, gradients.d_stored);
    expect_slope(&Problem<double>::values, gradients.d_values);
  });
}

TEST(SoftmaxProjectionGradient, AccumulatesAndSkipsGradientsThatAreNotRequested) {
  test::on_each_cpu_target([] {
    const Problem<double> problem(50, 20, 6, 3, 1.0);
    const auto expected = problem.run_reference();
    auto more = problem.run_kernel(1.0);
    for (auto* gradient : {&more.d_queries, &more.d_stored, &more.d_values}) {
      for (double& x : *gradient) {
        x -= 1;
      }
    }
    expect_near(more.d_queries, expected.d_queries, 1e-13, "d_queries");
    expect_near(more.d_stored, expected.d_stored, 1e-13, "d_stored");
    expect_near(more.d_values, expected.d_values, 1e-13, "d_values");

    using Gradients = Problem<double>::Gradients;
    const auto expect_alone = [&](std::vector<double> Gradients::*requested, const char* what) {
      Gradients gradients{std::vector<double>(expected.d_queries.size()),
                          std::vector<double>(expected.d_stored.size()),
                          std::vector<double>(expected.d_values.size())};
      SoftmaxProjectionGradientArgs<double> args = problem.args(gradients);
      args.d_queries = requested == &Gradients::d_queries ? args.d_queries : nullptr;
      args.d_stored = requested == &Gradients::d_stored ? args.d_stored : nullptr;
      args.d_values = requested == &Gradients::d_values ? args.d_values : nullptr;
      softmax_projection_gradient(args);
      expect_near(gradients.*requested, expected.*requested, 1e-13, what);
    };
    expect_alone(&Gradients::d_queries, "d_queries alone");
    expect_alone(&Gradients::d_stored, "d_stored alone");
    expect_alone(&Gradients::d_values, "d_values alone");
  });
}

TEST(SoftmaxProjectionGradient, OfChunksOfStoredPatternsAddsUp) {
  test::on_each_cpu_target([] {
    const Problem<double> problem(10, 60, 6, 3, 1.0);
    auto parts = problem.run([](SoftmaxProjectionGradientArgs<double> args) {
      constexpr int64_t kFirst = 25;
      args.num_stored = kFirst;
      softmax_projection_gradient(args);
      args.stored += kFirst * 6, args.d_stored += kFirst * 6;
      args.values += kFirst * 3, args.d_values += kFirst * 3;
      args.num_stored = 60 - kFirst;
      softmax_projection_gradient(args);
    });
    const auto expected = problem.run_reference();
    expect_near(parts.d_queries, expected.d_queries, 1e-13, "d_queries");
    expect_near(parts.d_stored, expected.d_stored, 1e-13, "d_stored");
    expect_near(parts.d_values, expected.d_values, 1e-13, "d_values");
  });
}

TEST(SoftmaxProjectionGradient, StaysFiniteAtVeryLargeBeta) {
  test::on_each_cpu_target([] {
    const Problem<float> problem(20, 40, 8, 4, 1e4);
    const auto gradients = problem.run_kernel();
    for (const auto* gradient : {&gradients.d_queries, &gradients.d_stored, &gradients.d_values}) {
      for (const float x : *gradient) {
        ASSERT_TRUE(std::isfinite(x));
      }
    }
  });
}

} // namespace
} // namespace mneme::kernels
