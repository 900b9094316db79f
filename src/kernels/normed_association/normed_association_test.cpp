// SPDX-License-Identifier: MIT

#include "kernels/normed_association/normed_association.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include <gtest/gtest.h>

#include "each_cpu_target.h"
#include "mneme/core/random.h"

namespace mneme::kernels {
namespace {

constexpr double kEpsilon = 1e-5;

template <class T>
std::vector<T> normals(uint64_t stream, int64_t count, double factor = 1, double mean = 0) {
  Random random = Random(43).stream(stream);
  std::vector<T> numbers(static_cast<size_t>(count));
  std::ranges::generate(numbers, [&] { return static_cast<T>(mean + factor * random.normal()); });
  return numbers;
}

template <class T> struct Result { std::vector<T> readout, row_max, row_sum; };

template <class T> struct Gradients { std::vector<T> queries, rows; };

template <class T> struct Problem {
  int64_t num_queries, num_rows, size;
  std::vector<T> queries, rows, d_readout;

  Problem(int64_t q, int64_t r, int64_t features, double beta, double mean = 0)
      : num_queries(q), num_rows(r), size(features), queries(normals<T>(1, q * features, beta)),
        rows(normals<T>(2, r * features, 1, mean)), d_readout(normals<T>(3, q * features)) {}

  template <class Kernel> Result<T> run(Kernel kernel) const {
    Result<T> to{std::vector<T>(queries.size()), std::vector<T>(size_t(num_queries)),
                 std::vector<T>(size_t(num_queries))};
    kernel(NormedAssociationArgs<T>{queries.data(), rows.data(), static_cast<T>(kEpsilon), to.readout.data(),
                                    to.row_max.data(), to.row_sum.data(), num_queries, num_rows, size});
    return to;
  }
  Result<T> run_kernel() const {
    return run([](const NormedAssociationArgs<T>& args) { normed_association(args); });
  }
  Result<T> run_reference() const {
    return run([](const NormedAssociationArgs<T>& args) { reference::normed_association(args); });
  }

  double loss() const {
    const Result<T> forward = run_reference();
    double sum = 0;
    for (size_t i = 0; i < d_readout.size(); ++i) {
      sum += static_cast<double>(forward.readout[i]) * static_cast<double>(d_readout[i]);
    }
    return sum;
  }

  template <class Kernel> Gradients<T> gradients(Kernel kernel) const {
    const Result<T> forward = run_reference();
    std::vector<T> delta(static_cast<size_t>(num_queries));
    for (size_t i = 0; i < d_readout.size(); ++i) {
      delta[i / static_cast<size_t>(size)] += forward.readout[i] * d_readout[i];
    }
    Gradients<T> to{std::vector<T>(queries.size()), std::vector<T>(rows.size())};
    kernel(NormedAssociationGradientArgs<T>{
        queries.data(), rows.data(), static_cast<T>(kEpsilon), forward.row_max.data(), forward.row_sum.data(),
        d_readout.data(), delta.data(), to.queries.data(), to.rows.data(), num_queries, num_rows, size});
    return to;
  }
  Gradients<T> kernel_gradients() const {
    return gradients([](const NormedAssociationGradientArgs<T>& args) { normed_association_gradient(args); });
  }
  Gradients<T> reference_gradients() const {
    return gradients(
        [](const NormedAssociationGradientArgs<T>& args) { reference::normed_association_gradient(args); });
  }
};

template <class T>
void expect_near(const std::vector<T>& actual, const std::vector<T>& expected, double tolerance,
                 const char* what) {
  ASSERT_EQ(actual.size(), expected.size());
  for (size_t i = 0; i < actual.size(); ++i) {
    ASSERT_NEAR(actual[i], expected[i], tolerance * (1 + std::abs(double{expected[i]})))
        << what << ", element " << i;
  }
}

template <class T> void expect_close_to_reference(const Problem<T>& problem, double tolerance) {
  SCOPED_TRACE(::testing::Message() << problem.num_queries << " queries, " << problem.num_rows << " rows of "
                                    << problem.size);
  const Result<T> actual = problem.run_kernel(), expected = problem.run_reference();
  expect_near(actual.readout, expected.readout, tolerance, "readout");
  expect_near(actual.row_max, expected.row_max, tolerance, "row_max");
  expect_near(actual.row_sum, expected.row_sum, tolerance, "row_sum");
  const Gradients<T> actual_grad = problem.kernel_gradients(), expected_grad = problem.reference_gradients();
  expect_near(actual_grad.queries, expected_grad.queries, tolerance, "gradient of the queries");
  expect_near(actual_grad.rows, expected_grad.rows, tolerance, "gradient of the rows");
}

template <class T> void expect_close_to_reference_for_every_tail(double tolerance) {
  for (const int64_t size : {1, 2, 7, 8, 16, 32, 33, 64}) {
    for (const int64_t q : {0, 1, 3}) {
      for (const int64_t r : {0, 1, 15, 16, 17, 100}) {
        // Normalised rows of one or two features are 0 or +-1, with derivatives of up to 1 / sqrt(epsilon).
        expect_close_to_reference(Problem<T>(q, r, size, 0.4), size <= 2 ? 300 * tolerance : tolerance);
      }
    }
  }
}

constexpr double kDouble = 1e-12, kFloat = 2e-5;

TEST(NormedAssociation, MatchesTheReferenceForEveryTail) {
  test::on_each_cpu_target([] {
    expect_close_to_reference_for_every_tail<double>(kDouble);
    expect_close_to_reference_for_every_tail<float>(kFloat);
  });
}

TEST(NormedAssociation, ReferenceGradientMatchesFiniteDifferences) {
  constexpr double kStep = 1e-5, kTolerance = 1e-7;
  Problem<double> problem(2, 9, 5, 1);
  const Gradients<double> gradients = problem.reference_gradients();
  const auto expect_gradient = [&](std::vector<double>& input, const std::vector<double>& gradient) {
    for (size_t i = 0; i < input.size(); ++i) {
      const double original = input[i];
      input[i] = original + kStep;
      const double up = problem.loss();
      input[i] = original - kStep;
      const double down = problem.loss();
      input[i] = original;
      EXPECT_NEAR((up - down) / (2 * kStep), gradient[i], kTolerance) << i;
    }
  };
  expect_gradient(problem.queries, gradients.queries);
  expect_gradient(problem.rows, gradients.rows);
}

TEST(NormedAssociation, IsAccurateForALargeMean) {
  test::on_each_cpu_target([] {
    constexpr double kRoundedMean = 64 * 100 * 6e-8; // rounding of a sum of 64 floats near 100
    expect_close_to_reference(Problem<float>(1, 50, 64, 0.4, 100), kRoundedMean);
  });
}

TEST(NormedAssociation, IsAccurateWithAndWithoutSubtractingTheMeanFirst) {
  test::on_each_cpu_target([] {
    for (const double mean : {1.0, 3.0, 3.9, 5.0, 30.0}) {
      for (const int64_t size : {30, 32, 64, 100}) {
        SCOPED_TRACE(::testing::Message() << "mean " << mean);
        expect_close_to_reference(Problem<double>(2, 100, size, 0.4, mean), 50 * kDouble);
        expect_close_to_reference(Problem<float>(2, 100, size, 0.4, mean), 5 * kFloat); // scores up to 15
      }
    }
  });
}

TEST(NormedAssociation, IsAccurateForConstantRows) {
  test::on_each_cpu_target([] {
    for (const float number : {0.0F, 1.0F, -7.5F}) {
      Problem<float> problem(1, 40, 32, 0.4);
      std::fill(problem.rows.begin() + 10 * 32, problem.rows.begin() + 30 * 32, number); // normalised to 0
      expect_near(problem.run_kernel().readout, problem.run_reference().readout, kFloat, "readout");
    }
  });
}

TEST(NormedAssociation, MatchesTheReferenceAndStaysFiniteAtAnyBeta) {
  test::on_each_cpu_target([] {
    for (const double beta : {0.0, -3.0, 1e4}) {
      const Problem<double> problem(2, 40, 6, beta);
      const Result<double> actual = problem.run_kernel(), expected = problem.run_reference();
      expect_near(actual.readout, expected.readout, 1e-9, "readout");
      for (const double x : problem.kernel_gradients().rows) {
        ASSERT_TRUE(std::isfinite(x));
      }
    }
  });
}

TEST(NormedAssociation, AddingAConstantToAQueryChangesNothing) {
  test::on_each_cpu_target([] {
    const Problem<double> problem(1, 30, 12, 0.7);
    Problem<double> moved = problem;
    std::ranges::for_each(moved.queries, [](double& x) { x += 5; });
    expect_near(moved.run_kernel().readout, problem.run_kernel().readout, kDouble, "readout");
  });
}

TEST(NormedAssociation, GradientsAddUpOverChunksAndAreOptional) {
  test::on_each_cpu_target([] {
    constexpr int64_t kFirst = 25;
    const Problem<double> problem(3, 60, 8, 1);
    const Gradients<double> parts = problem.gradients([](NormedAssociationGradientArgs<double> args) {
      args.num_rows = kFirst;
      normed_association_gradient(args);
      args.rows += kFirst * args.size, args.d_rows += kFirst * args.size;
      args.num_rows = 60 - kFirst;
      normed_association_gradient(args);
    });
    const Gradients<double> whole = problem.reference_gradients();
    expect_near(parts.queries, whole.queries, kDouble, "gradient of the queries");
    expect_near(parts.rows, whole.rows, kDouble, "gradient of the rows");
    for (const bool of_rows : {false, true}) {
      const Gradients<double> one = problem.gradients([&](NormedAssociationGradientArgs<double> args) {
        (of_rows ? args.d_queries : args.d_rows) = nullptr;
        normed_association_gradient(args);
      });
      expect_near(of_rows ? one.rows : one.queries, of_rows ? whole.rows : whole.queries, kDouble,
                  "the only requested gradient");
    }
  });
}

TEST(NormedAssociation, NaNOfAQueryStaysInItsReadoutAndNaNOfARowReachesAll) {
  test::on_each_cpu_target([] {
    Problem<float> problem(2, 20, 5, 1);
    problem.queries[1] = std::numeric_limits<float>::quiet_NaN();
    const Result<float> actual = problem.run_kernel();
    EXPECT_TRUE(std::isnan(actual.readout[0]));
    EXPECT_TRUE(std::isfinite(actual.readout[5]));
    problem.queries[1] = 0;
    problem.rows[7] = std::numeric_limits<float>::quiet_NaN();
    for (const float x : problem.run_kernel().readout) {
      EXPECT_TRUE(std::isnan(x));
    }
  });
}

} // namespace
} // namespace mneme::kernels
