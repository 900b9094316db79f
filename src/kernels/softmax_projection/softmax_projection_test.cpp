// SPDX-License-Identifier: MIT

#include "kernels/softmax_projection/softmax_projection.h"

#include <cmath>
#include <limits>
#include <vector>

#include <gtest/gtest.h>

#include "each_cpu_target.h"
#include "kernels/mask_inputs.h"
#include "mneme/core/random.h"

namespace mneme::kernels {
namespace {

template <class T> struct Problem {
  int64_t num_queries, num_stored, size, value_size;
  T beta;
  std::vector<T> queries, stored, values;
  ScoreMask<T> mask = {};
  PhiloxDropout dropout = {};

  Problem(int64_t q, int64_t s, int64_t d, int64_t v, T b)
      : num_queries(q), num_stored(s), size(d), value_size(v), beta(b), queries(normals(1, q * d)),
        stored(normals(2, s * d)), values(normals(3, s * v)) {}

  struct Result {
    std::vector<T> readout, row_max, row_sum;
  };
  template <class Kernel> Result run(Kernel kernel) const {
    Result result{std::vector<T>(static_cast<size_t>(num_queries * value_size)),
                  std::vector<T>(static_cast<size_t>(num_queries)),
                  std::vector<T>(static_cast<size_t>(num_queries))};
    kernel(SoftmaxProjectionArgs<T>{queries.data(), stored.data(), values.data(), beta, result.readout.data(),
                                    result.row_max.data(), result.row_sum.data(), num_queries, num_stored,
                                    size, value_size, mask, dropout});
    return result;
  }
  Result run_kernel() const {
    return run([](const SoftmaxProjectionArgs<T>& args) { softmax_projection(args); });
  }
  Result run_reference() const {
    return run([](const SoftmaxProjectionArgs<T>& args) { reference::softmax_projection(args); });
  }

private:
  static std::vector<T> normals(uint64_t stream, int64_t count) {
    Random random = Random(31).stream(stream);
    std::vector<T> numbers(static_cast<size_t>(count));
    for (T& x : numbers) {
      x = static_cast<T>(random.normal());
    }
    return numbers;
  }
};

template <class T> void expect_close_to_reference(const Problem<T>& problem, double tolerance) {
  SCOPED_TRACE(testing::Message() << problem.num_queries << " queries, " << problem.num_stored
                                  << " stored, size " << problem.size << ", values of "
                                  << problem.value_size);
  const auto actual = problem.run_kernel(), expected = problem.run_reference();
  for (size_t i = 0; i < actual.readout.size(); ++i) {
    ASSERT_NEAR(actual.readout[i], expected.readout[i], tolerance);
  }
  for (size_t i = 0; i < actual.row_sum.size(); ++i) {
    ASSERT_NEAR(actual.row_sum[i], expected.row_sum[i], tolerance * (1 + std::abs(expected.row_sum[i])));
  }
}

template <class T> void expect_close_to_reference(T beta, double tolerance) {
  for (const int64_t size : {1, 5, 64}) {
    for (const int64_t value_size : {0, 1, 6, 65}) {
      for (const int64_t q : {0, 1, 7, 8, 33, 70}) {
        for (const int64_t s : {0, 1, 3, 127, 128, 133, 300}) {
          expect_close_to_reference(Problem<T>(q, s, size, value_size, beta), tolerance);
        }
      }
    }
  }
}

TEST(SoftmaxProjection, MatchesTheReferenceForEveryTail) {
  test::on_each_cpu_target([] {
    expect_close_to_reference<double>(0.3, 1e-13);
    expect_close_to_reference<float>(0.3F, 1e-5);
  });
}

template <class T> void expect_close_to_reference_masked(double tolerance) {
  for (const MaskKind kind : kMaskKinds) {
    for (const int64_t q : {0, 1, 7, 33, 70}) {
      for (const int64_t s : {0, 1, 9, 127, 300}) {
        SCOPED_TRACE(testing::Message() << "mask " << static_cast<int>(kind));
        Problem<T> problem(q, s, 5, 6, static_cast<T>(0.3));
        const MaskInputs<T> inputs(kind, q, s);
        problem.mask = inputs.mask();
        expect_close_to_reference(problem, tolerance);
        problem.dropout = {0.4, 0x123456789ABCDEF0, (int64_t{1} << 40) - 5,
                           (int64_t{1} << 34) - 30}; // positions that cross 32-bit words
        expect_close_to_reference(problem, tolerance);
      }
    }
  }
}

TEST(SoftmaxProjection, MatchesTheReferenceUnderAnyMaskAndDropout) {
  test::on_each_cpu_target([] {
    expect_close_to_reference_masked<double>(1e-13);
    expect_close_to_reference_masked<float>(1e-5);
  });
}

TEST(SoftmaxProjection, KeyPaddingMaskEqualsRemovingThePatterns) {
  test::on_each_cpu_target([] {
    Problem<double> padded(20, 60, 4, 3, 1.0), alone(20, 37, 4, 3, 1.0);
    for (int64_t i = 0; i < 37 * 4; ++i) {
      alone.stored[size_t(i)] = padded.stored[size_t(i)];
    }
    for (int64_t i = 0; i < 37 * 3; ++i) {
      alone.values[size_t(i)] = padded.values[size_t(i)];
    }
    std::vector<uint8_t> key_padding_mask(60);
    for (int64_t s = 37; s < 60; ++s) {
      key_padding_mask[size_t(s)] = 1;
      padded.stored[size_t(s * 4)] = padded.values[size_t(s * 3)] = std::numeric_limits<double>::quiet_NaN();
    }
    padded.mask.key_padding_mask = key_padding_mask.data();
    EXPECT_EQ(padded.run_kernel().readout, alone.run_kernel().readout);
  });
}

TEST(SoftmaxProjection, DropsWithTheGivenProbabilityAndKeepsTheMean) {
  test::on_each_cpu_target([] {
    // All values are 1, so a readout is the fraction of kept weights times the keep scale.
    for (const double probability : {0.0, 0.25, 0.9, 1.0}) {
      Problem<float> problem(200, 500, 2, 1, 0.0F);
      problem.values.assign(500, 1.0F);
      problem.dropout = {probability, 9};
      double mean = 0;
      for (const float readout : problem.run_kernel().readout) {
        mean += static_cast<double>(readout) / 200;
      }
      // Six standard deviations of the mean of 100 000 Bernoulli draws.
      const double variance = probability < 1 ? probability / (1 - probability) / 1e5 : 0;
      EXPECT_NEAR(mean, probability < 1 ? 1 : 0, 6 * std::sqrt(variance) + 1e-6) << probability;
    }
  });
}

TEST(SoftmaxProjection, DropoutMaskDoesNotDependOnWhereACallBegins) {
  test::on_each_cpu_target([] {
    Problem<double> whole(60, 90, 4, 3, 1.0);
    whole.dropout = {0.5, 3};
    const auto all = whole.run_kernel();
    Problem<double> part = whole;
    constexpr int64_t kFirst = 17;
    part.num_queries = 60 - kFirst;
    part.queries.erase(part.queries.begin(), part.queries.begin() + kFirst * 4);
    part.dropout = whole.dropout.at(kFirst, 0);
    const auto result = part.run_kernel();
    EXPECT_TRUE(std::equal(result.readout.begin(), result.readout.end(), all.readout.begin() + kFirst * 3));
    // A single stored pattern is either dropped or read with the keep scale.
    for (int64_t s = 0; s < 90; ++s) {
      Problem<double> alone = whole;
      alone.num_stored = 1;
      alone.values.assign(1 * 3, 2.0);
      alone.dropout = whole.dropout.at(0, s);
      const auto readout = alone.run_kernel().readout;
      for (int64_t q = 0; q < 60; ++q) {
        EXPECT_EQ(readout[size_t(q * 3)], 2 * whole.dropout.factor(q, s));
      }
    }
  });
}

TEST(SoftmaxProjection, FullyMaskedQueryReadsZeroAndLowestBiasGivesEqualWeights) {
  test::on_each_cpu_target([] {
    Problem<float> problem(3, 40, 4, 1, 1.0F);
    std::vector<float> attention_bias(3 * 40, 0.0F);
    for (size_t s = 0; s < 40; ++s) {
      attention_bias[s] = -std::numeric_limits<float>::infinity();
      // A common mask value; scores vanish next to it.
      attention_bias[40 + s] = std::numeric_limits<float>::lowest();
    }
    problem.mask = {.attention_bias = attention_bias.data(), .stride = 40};
    const auto result = problem.run_kernel();
    EXPECT_EQ(result.readout[0], 0);
    EXPECT_EQ(result.row_sum[0], 0);
    EXPECT_EQ(result.row_sum[1], 40);
  });
}

TEST(SoftmaxProjection, ReturnsTheBestMatchAtVeryLargeBeta) {
  test::on_each_cpu_target([] {
    Problem<double> problem(9, 50, 16, 4, 1e4);
    const auto result = problem.run_kernel();
    for (int64_t q = 0; q < problem.num_queries; ++q) {
      int64_t best = 0;
      double best_score = -std::numeric_limits<double>::infinity();
      for (int64_t s = 0; s < problem.num_stored; ++s) {
        double score = 0;
        for (int64_t i = 0; i < problem.size; ++i) {
          score +=
              problem.queries[size_t(q * problem.size + i)] * problem.stored[size_t(s * problem.size + i)];
        }
        if (score > best_score) {
          best_score = score;
          best = s;
        }
      }
      for (int64_t v = 0; v < problem.value_size; ++v) {
        EXPECT_NEAR(result.readout[size_t(q * problem.value_size + v)],
                    problem.values[size_t(best * problem.value_size + v)], 1e-12);
      }
    }
  });
}

TEST(SoftmaxProjection, ReturnsTheMeanWhenAllScoresAreEqual) {
  test::on_each_cpu_target([] {
    Problem<double> problem(3, 133, 4, 1, 0.0);
    double mean = 0;
    for (const double value : problem.values) {
      mean += value / 133;
    }
    for (const double readout : problem.run_kernel().readout) {
      EXPECT_NEAR(readout, mean, 1e-15 * 133);
    }
    for (const double row_sum : problem.run_kernel().row_sum) {
      EXPECT_EQ(row_sum, 133.0);
    }
  });
}

TEST(SoftmaxProjection, KeepsANaNInItsOwnRow) {
  test::on_each_cpu_target([] {
    Problem<double> problem(9, 20, 4, 3, 1.0);
    problem.queries[4 * 4 + 1] = std::numeric_limits<double>::quiet_NaN();
    const auto result = problem.run_kernel();
    for (int64_t q = 0; q < 9; ++q) {
      EXPECT_EQ(std::isnan(result.readout[size_t(q * 3)]), q == 4) << "query " << q;
    }
  });
}

TEST(SoftmaxProjection, ReadoutDoesNotDependOnTheOtherQueries) {
  test::on_each_cpu_target([] {
    Problem<double> together(41, 90, 12, 5, 1.5);
    const MaskInputs<double> inputs(MaskKind::causal, 41, 90);
    together.mask = inputs.mask();
    const auto all = together.run_kernel();
    for (int64_t q = 0; q < 41; ++q) {
      Problem<double> alone = together;
      alone.num_queries = 1;
      alone.mask = together.mask.at(q, 0);
      alone.queries =
          std::vector<double>(together.queries.begin() + q * 12, together.queries.begin() + (q + 1) * 12);
      const auto result = alone.run_kernel();
      EXPECT_TRUE(std::equal(result.readout.begin(), result.readout.end(), all.readout.begin() + q * 5))
          << "query " << q;
    }
  });
}

} // namespace
} // namespace mneme::kernels
