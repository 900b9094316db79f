// SPDX-License-Identifier: MIT

#include "kernels/separate/separate.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include <gtest/gtest.h>

#include "each_cpu_target.h"
#include "mneme/core/random.h"

namespace mneme::kernels {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

template <class T> std::vector<T> normals(uint64_t stream, int64_t count, double spread = 1) {
  Random random = Random(31).stream(stream);
  std::vector<T> numbers(static_cast<size_t>(count));
  for (T& x : numbers) {
    x = static_cast<T>(spread * random.normal());
  }
  return numbers;
}

template <class T>
std::vector<T> weights_of(SimplexSeparation separation, const std::vector<T>& scores, int64_t rows = 1,
                          T beta = 1) {
  std::vector<T> weights(scores.size());
  separate(SeparateArgs<T>{scores.data(), weights.data(), rows, rows == 0 ? 0 : std::ssize(scores) / rows,
                           beta, separation});
  return weights;
}

template <class T> double sum_of(const std::vector<T>& numbers) {
  return std::accumulate(numbers.begin(), numbers.end(), 0.0);
}

/// Runs the test for every supported separation, on every CPU target.
template <class Test> void for_each_separation(const Test& run) {
  test::on_each_cpu_target([&] {
    for (const NamedSeparation& named : kSimplexSeparations) {
      if (has_threshold(named.separation)) {
        SCOPED_TRACE(std::string(named.name));
        run(named.separation);
      }
    }
  });
}

template <class T> void expect_close_to_reference(SimplexSeparation separation) {
  for (const double spread : {0.0, 1e-3, 0.3, 1.0, 30.0, 1e4}) {
    for (const int64_t n : {0, 1, 2, 3, 7, 8, 9, 15, 16, 17, 33, 200, 5000}) {
      for (const int64_t rows : {0, 1, 3}) {
        const std::vector<T> scores = normals<T>(static_cast<uint64_t>(n), rows * n, spread);
        for (const T beta : {T{1}, T(0.3)}) {
          const std::vector<T> actual = weights_of(separation, scores, rows, beta);
          std::vector<T> expected(scores.size());
          reference::separate(SeparateArgs<T>{scores.data(), expected.data(), rows, n, beta, separation});
          const double allowed = 8 * (1 + spread) * std::numeric_limits<T>::epsilon();
          for (size_t i = 0; i < actual.size(); ++i) {
            ASSERT_NEAR(actual[i], expected[i], allowed) << n << " scores, spread " << spread << ", at " << i;
          }
        }
      }
    }
  }
}

TEST(SeparateKernel, MatchesTheReferenceForEveryTailAndSpread) {
  for_each_separation([](SimplexSeparation separation) {
    expect_close_to_reference<double>(separation);
    expect_close_to_reference<float>(separation);
  });
}

TEST(SeparateKernel, SumsToOneOverManyScores) {
  constexpr int64_t kScores = 200'000;
  const std::vector<double> close = normals<double>(1, kScores, 1e-6), apart = normals<double>(1, kScores);
  for_each_separation([&](SimplexSeparation separation) {
    for (const std::vector<double>& scores : {close, apart}) {
      const std::vector<float> narrow(scores.begin(), scores.end());
      EXPECT_NEAR(sum_of(weights_of(separation, narrow)), 1, 2e-5);
      EXPECT_NEAR(sum_of(weights_of(separation, scores)), 1, 1e-10);
    }
  });
}

TEST(SeparateKernel, DistantScoresGetExactlyZeroAndTiesGetEqualWeights) {
  for_each_separation([](SimplexSeparation separation) {
    const std::vector<double> weights = weights_of<double>(separation, {0, 5, 4.9, 4.9, -kInfinity, -1e300});
    EXPECT_EQ(weights[0], 0);
    EXPECT_GT(weights[1], weights[2]);
    EXPECT_EQ(weights[2], weights[3]);
    EXPECT_GT(weights[3], 0);
    EXPECT_EQ(weights[4], 0);
    EXPECT_EQ(weights[5], 0);
    const std::vector<float> ties = weights_of(separation, std::vector<float>(1000, 3.7F));
    EXPECT_EQ(*std::ranges::min_element(ties), *std::ranges::max_element(ties));
    EXPECT_NEAR(ties[0], 1e-3, 2e-8);
  });
}

TEST(SeparateKernel, AcceptsScoresOfAnyMagnitude) {
  constexpr double kMax = std::numeric_limits<double>::max();
  for_each_separation([](SimplexSeparation separation) {
    const std::vector<double> apart = {kMax, kMax, -kMax};
    for (const double beta : {1.0, 1e308}) {
      const std::vector<double> weights = weights_of(separation, apart, 1, beta);
      EXPECT_NEAR(weights[0], 0.5, 1e-15);
      EXPECT_EQ(weights[1], weights[0]);
      EXPECT_EQ(weights[2], 0);
    }
    for (const double weight : weights_of(separation, apart, 1, 0.0)) {
      EXPECT_DOUBLE_EQ(weight, 1.0 / 3);
    }
  });
}

TEST(SeparateKernel, ReturnsNaNForRowsThatAreNotFinite) {
  for_each_separation([](SimplexSeparation separation) {
    for (const float odd :
         {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
      for (size_t place = 0; place < 40; ++place) {
        std::vector<float> scores(80, 1.0F);
        scores[40 + place] = odd;
        const std::vector<float> weights = weights_of(separation, scores, 2);
        for (size_t i = 0; i < 80; ++i) {
          ASSERT_EQ(std::isnan(weights[i]), i >= 40) << odd << " at " << place;
        }
      }
    }
    for (const double weight : weights_of<double>(separation, {-kInfinity, -kInfinity})) {
      EXPECT_TRUE(std::isnan(weight));
    }
  });
}

/// Compares with central differences of sum(d_weights weights(beta scores)).
TEST(SeparateKernel, GradientMatchesFiniteDifferences) {
  for_each_separation([](SimplexSeparation separation) {
    constexpr double kStep = 1e-6, kBeta = 0.7;
    for (const int64_t n : {1, 5, 19}) {
      const std::vector<double> scores = normals<double>(3, n), direction = normals<double>(4, n),
                                weights = weights_of(separation, scores, 1, kBeta);
      const auto loss = [&](const std::vector<double>& x) {
        const std::vector<double> p = weights_of(separation, x, 1, kBeta);
        return std::inner_product(p.begin(), p.end(), direction.begin(), 0.0);
      };
      std::vector<double> gradient(direction.size());
      separate_gradient(SeparateGradientArgs<double>{weights.data(), direction.data(), gradient.data(), 1, n,
                                                     kBeta, separation});
      for (size_t i = 0; i < scores.size(); ++i) {
        std::vector<double> up = scores, down = scores;
        up[i] += kStep;
        down[i] -= kStep;
        EXPECT_NEAR(gradient[i], (loss(up) - loss(down)) / (2 * kStep), 1e-7) << n << " scores, at " << i;
      }
    }
  });
}

template <class T> void expect_gradient_close_to_reference(SimplexSeparation separation) {
  for (const int64_t n : {0, 1, 7, 16, 33, 5000}) {
    const std::vector<T> weights = weights_of(separation, normals<T>(5, 3 * n), 3),
                         direction = normals<T>(6, 3 * n);
    std::vector<T> actual(direction.size()), expected(direction.size());
    separate_gradient(
        SeparateGradientArgs<T>{weights.data(), direction.data(), actual.data(), 3, n, T(0.5), separation});
    reference::separate_gradient(
        SeparateGradientArgs<T>{weights.data(), direction.data(), expected.data(), 3, n, T(0.5), separation});
    for (size_t i = 0; i < actual.size(); ++i) {
      ASSERT_NEAR(actual[i], expected[i], 32 * std::numeric_limits<T>::epsilon()) << n << " scores, at " << i;
    }
  }
}

TEST(SeparateKernel, GradientMatchesTheReference) {
  for_each_separation([](SimplexSeparation separation) {
    expect_gradient_close_to_reference<double>(separation);
    expect_gradient_close_to_reference<float>(separation);
  });
}

/// Weights, slopes and the gradient from slopes, next to those of the reference from weights only.
template <class T> void expect_slopes_as_from_weights(SimplexSeparation separation, T beta) {
  constexpr int64_t kRows = 3;
  constexpr double kRounding = 256 * static_cast<double>(std::numeric_limits<T>::epsilon());
  for (const int64_t n : {1, 7, 16, 33, 1000}) {
    const std::vector<T> scores = normals<T>(7, kRows * n), direction = normals<T>(8, kRows * n);
    std::vector<T> weights(scores.size()), slopes(scores.size()), actual(scores.size()),
        expected(scores.size());
    separate(SeparateArgs<T>{.scores = scores.data(),
                             .weights = weights.data(),
                             .num_rows = kRows,
                             .num_scores = n,
                             .beta = beta,
                             .separation = separation,
                             .slopes = slopes.data()});
    ASSERT_EQ(weights, weights_of(separation, scores, kRows, beta)) << n;
    SeparateGradientArgs<T> args{.weights = weights.data(),
                                 .d_weights = direction.data(),
                                 .d_scores = expected.data(),
                                 .num_rows = kRows,
                                 .num_scores = n,
                                 .beta = beta,
                                 .separation = separation};
    reference::separate_gradient(args);
    args.d_scores = actual.data();
    args.slopes = slopes.data();
    separate_gradient(args);
    for (size_t i = 0; i < actual.size(); ++i) {
      ASSERT_NEAR(actual[i], expected[i], kRounding) << n << " scores, at " << i;
      ASSERT_EQ(slopes[i] > 0, weights[i] > 0) << n << " scores, at " << i;
    }
  }
}

TEST(SeparateKernel, SlopesGiveTheGradientOfTheWeights) {
  for_each_separation([](SimplexSeparation separation) {
    if (separation.kind != SimplexSeparation::Kind::normmax) {
      expect_slopes_as_from_weights<double>(separation, 0.8);
      expect_slopes_as_from_weights<float>(separation, 0.8F);
      expect_slopes_as_from_weights<double>(separation, 0);
    }
  });
}

} // namespace
} // namespace mneme::kernels
