// SPDX-License-Identifier: MIT

#include "kernels/softmax_change/softmax_change.h"

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

/// Two states of the same queries, and the stored patterns. The second state is the first plus `moved` times
/// a random one.
template <class T> struct Problem {
  int64_t num_queries, num_stored, size;
  std::vector<T> before, after, stored;
  MaskInputs<T> mask;

  Problem(int64_t q, int64_t s, int64_t d, T beta, T moved, MaskKind kind = MaskKind::none)
      : num_queries(q), num_stored(s), size(d), before(normals(1, q * d)), after(normals(2, q * d)),
        stored(normals(3, s * d)), mask(kind, q, s) {
    for (size_t i = 0; i < after.size(); ++i) {
      before[i] *= beta;
      after[i] = before[i] + moved * after[i];
    }
  }

  template <class Kernel> std::vector<double> run(Kernel kernel) const {
    const SoftmaxState first(*this, before), second(*this, after);
    std::vector<double> squares(static_cast<size_t>(num_queries));
    kernel(SoftmaxChangeArgs<T>{{before.data(), first.row_max.data(), first.row_sum.data()},
                                {after.data(), second.row_max.data(), second.row_sum.data()},
                                stored.data(),
                                squares.data(),
                                num_queries,
                                num_stored,
                                size,
                                mask.mask()});
    return squares;
  }
  std::vector<double> run_kernel() const {
    return run([](const SoftmaxChangeArgs<T>& args) { softmax_change(args); });
  }
  std::vector<double> run_reference() const {
    return run([](const SoftmaxChangeArgs<T>& args) { reference::softmax_change(args); });
  }

private:
  struct SoftmaxState {
    std::vector<T> row_max, row_sum;
    SoftmaxState(const Problem& of, const std::vector<T>& queries)
        : row_max(static_cast<size_t>(of.num_queries)), row_sum(row_max.size()) {
      reference::softmax_projection(SoftmaxProjectionArgs<T>{
          queries.data(), of.stored.data(), nullptr, T{1}, nullptr, row_max.data(), row_sum.data(),
          of.num_queries, of.num_stored, of.size, 0, of.mask.mask()});
    }
  };
  static std::vector<T> normals(uint64_t stream, int64_t count) {
    Random random = Random(17).stream(stream);
    std::vector<T> numbers(static_cast<size_t>(count));
    for (T& x : numbers) {
      x = static_cast<T>(random.normal());
    }
    return numbers;
  }
};

/// The tolerance is relative to 1, the norm of a weight row that is concentrated on one pattern.
template <class T> void expect_close_to_reference(const Problem<T>& problem, double tolerance) {
  const auto actual = problem.run_kernel(), expected = problem.run_reference();
  for (size_t i = 0; i < actual.size(); ++i) {
    ASSERT_NEAR(std::sqrt(actual[i]), std::sqrt(expected[i]), tolerance)
        << problem.num_queries << " queries, " << problem.num_stored << " stored, size " << problem.size;
  }
}

template <class T> void expect_close_to_reference(double tolerance) {
  for (const int64_t q : {0, 1, 7, 16, 33, 70}) {
    for (const int64_t s : {0, 1, 3, 64, 133}) {
      for (const int64_t size : {1, 5, 64}) {
        expect_close_to_reference(Problem<T>(q, s, size, T{1}, static_cast<T>(0.3)), tolerance);
      }
      for (const MaskKind kind : kMaskKinds) {
        SCOPED_TRACE(testing::Message() << "mask " << static_cast<int>(kind));
        expect_close_to_reference(Problem<T>(q, s, 5, T{1}, static_cast<T>(0.3), kind), tolerance);
      }
    }
  }
}

TEST(SoftmaxChange, MatchesTheReferenceForEveryTailAndMask) {
  test::on_each_cpu_target([] {
    expect_close_to_reference<double>(1e-13);
    expect_close_to_reference<float>(2e-5); // scores of 64 features have rounding errors of about 1e-5
  });
}

TEST(SoftmaxChange, IsZeroForEqualStates) {
  test::on_each_cpu_target([] {
    for (const double square : Problem<float>(20, 90, 8, 2.0F, 0.0F).run_kernel()) {
      EXPECT_EQ(square, 0);
    }
  });
}

TEST(SoftmaxChange, ResolvesChangesWhoseSquaresUnderflowInFloat) {
  // One pattern has all of the weight except for 1e-25, which changes; (1e-25)^2 is 0 in float32.
  test::on_each_cpu_target([] {
    const std::vector<float> stored{0, 1}, before{-57.56F}, after{-58.56F}, row_max{0}, row_sum{1};
    double square = 0;
    softmax_change(SoftmaxChangeArgs<float>{{before.data(), row_max.data(), row_sum.data()},
                                            {after.data(), row_max.data(), row_sum.data()},
                                            stored.data(),
                                            &square,
                                            1,
                                            2,
                                            1});
    EXPECT_NEAR(std::sqrt(square) / (std::exp(-57.56) - std::exp(-58.56)), 1, 1e-4);
  });
}

TEST(SoftmaxChange, KeepsANaNInItsOwnRow) {
  test::on_each_cpu_target([] {
    Problem<double> problem(9, 20, 4, 1.0, 0.1);
    problem.after[4 * 4 + 1] = std::numeric_limits<double>::quiet_NaN();
    const auto squares = problem.run_kernel();
    for (int64_t q = 0; q < 9; ++q) {
      EXPECT_EQ(std::isnan(squares[static_cast<size_t>(q)]), q == 4) << "query " << q;
    }
  });
}

} // namespace
} // namespace mneme::kernels
