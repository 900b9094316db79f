// SPDX-License-Identifier: MIT

#include "mneme/theory/position_gaussian.h"

#include <algorithm>
#include <array>
#include <cmath>

#include <fmt/format.h>

#include "mneme/core/error.h"

namespace mneme::theory {
namespace {

constexpr double kMinDeviation = 0.1, kMaxDeviation = 10; // positions; numbers of queries

void check(const PositionGaussian& gaussian) {
  if (!(std::isfinite(gaussian.mean) && gaussian.deviation > 0)) {
    throw UsageError(
        fmt::format("PositionGaussian: mean {}, deviation {}.\n  The mean must be finite, and the "
                    "deviation > 0.",
                    gaussian.mean, gaussian.deviation));
  }
}

void check(std::span<const DistanceMoments> queries) {
  if (queries.empty()) {
    throw UsageError("position_gaussian: there is no query.\n  Give the moments of at least one.");
  }
  constexpr double kRounding = 1e-5; // of weights in float32
  for (size_t t = 0; t < queries.size(); ++t) {
    const auto [mean, square] = queries[t];
    const auto largest = static_cast<double>(t);
    if (!(mean >= -kRounding && mean <= largest * (1 + kRounding) &&
          square >= mean * mean * (1 - kRounding) - kRounding &&
          square <= largest * mean * (1 + kRounding) + kRounding)) {
      throw UsageError(fmt::format("position_gaussian: query {} has the mean distance {} and mean square {}, "
                                   "but distances are 0 to {}.\n  Give the moments of weights that sum to 1.",
                                   t, mean, square, t));
    }
  }
}

/// The family exp(linear x + quadratic x^2) with the distance x in units of `scale` positions.
struct Exponent {
  double linear = 0, quadratic = 0;
};

/// Log-likelihood, per query, of the weights under the family, with its first and second derivatives by
/// linear and quadratic. It is concave.
struct Likelihood {
  double value = 0;
  std::array<double, 2> gradient = {};
  std::array<double, 3> hessian = {}; ///< linear linear, linear quadratic, quadratic quadratic; negative
};

Likelihood likelihood(std::span<const DistanceMoments> queries, double scale, const Exponent& exponent) {
  Likelihood result;
  // Sums over the distances 0 .. t of x^k exp(exponent - shift), which the next query extends by one
  // distance.
  std::array<double, 5> sums = {};
  double shift = 0; // the largest exponent so far; that of distance 0 is 0
  const auto count = static_cast<double>(queries.size());
  for (size_t t = 0; t < queries.size(); ++t) {
    const double x = static_cast<double>(t) / scale;
    const double power = (exponent.linear + exponent.quadratic * x) * x;
    if (power > shift) {
      for (double& sum : sums) {
        sum *= std::exp(shift - power);
      }
      shift = power;
    }
    double term = std::exp(power - shift);
    for (double& sum : sums) {
      sum += term;
      term *= x;
    }
    const double m1 = sums[1] / sums[0], m2 = sums[2] / sums[0], m3 = sums[3] / sums[0],
                 m4 = sums[4] / sums[0];
    const double mean = queries[t].mean / scale, square = queries[t].square / (scale * scale);
    result.value +=
        (exponent.linear * mean + exponent.quadratic * square - shift - std::log(sums[0])) / count;
    result.gradient[0] += (mean - m1) / count;
    result.gradient[1] += (square - m2) / count;
    result.hessian[0] -= (m2 - m1 * m1) / count;
    result.hessian[1] -= (m3 - m1 * m2) / count;
    result.hessian[2] -= (m4 - m2 * m2) / count;
  }
  return result;
}

/// Newton's step of the quadratic model; that of `linear` alone if `quadratic` must not change. The Hessian
/// is damped, because it is singular where the weights are a single distance.
Exponent newton_step(const Likelihood& at, bool linear_only) {
  constexpr double kDamping = 1e-12;
  const double a = at.hessian[0] - kDamping, b = at.hessian[1], c = at.hessian[2] - kDamping;
  const double determinant = a * c - b * b;
  if (linear_only || !(determinant > 0)) {
    return {.linear = -at.gradient[0] / a, .quadratic = linear_only ? 0 : -at.gradient[1] / c};
  }
  return {.linear = -(c * at.gradient[0] - b * at.gradient[1]) / determinant,
          .quadratic = -(a * at.gradient[1] - b * at.gradient[0]) / determinant};
}

} // namespace

std::vector<double> position_weights(const PositionGaussian& gaussian, int64_t position) {
  check(gaussian);
  if (position < 0) {
    throw UsageError(
        fmt::format("position_weights: position is {}.\n  Positions are counted from 0.", position));
  }
  std::vector<double> weights;
  double largest = -HUGE_VAL;
  for (int64_t j = 0; j <= position; ++j) {
    const double z = (static_cast<double>(position - j) - gaussian.mean) / gaussian.deviation;
    weights.push_back(-z * z / 2);
    largest = std::max(largest, weights.back());
  }
  double sum = 0;
  for (double& weight : weights) {
    weight = std::exp(weight - largest);
    sum += weight;
  }
  for (double& weight : weights) {
    weight /= sum;
  }
  return weights;
}

PositionGaussian fit_position_gaussian(std::span<const DistanceMoments> queries) {
  check(queries);
  const auto scale = static_cast<double>(queries.size());
  const auto quadratic_of = [scale](double deviation) {
    return -scale * scale / (2 * deviation * deviation);
  };
  const double steepest = quadratic_of(kMinDeviation), flattest = quadratic_of(kMaxDeviation * scale);
  Exponent exponent{.quadratic = flattest};
  Likelihood at = likelihood(queries, scale, exponent);
  constexpr int kMaxSteps = 200;
  constexpr double kConverged = 1e-14; // increase of the log-likelihood, in nats
  for (int step = 0; step < kMaxSteps; ++step) {
    const bool is_bound = (exponent.quadratic >= flattest && at.gradient[1] >= 0) ||
                          (exponent.quadratic <= steepest && at.gradient[1] <= 0);
    const Exponent change = newton_step(at, is_bound);
    double increase = 0;
    for (double length = 1; length > 1e-10; length /= 2) { // until the likelihood increases
      const Exponent next{.linear = exponent.linear + length * change.linear,
                          .quadratic =
                              std::clamp(exponent.quadratic + length * change.quadratic, steepest, flattest)};
      const Likelihood found = likelihood(queries, scale, next);
      if (found.value > at.value) {
        increase = found.value - at.value;
        exponent = next;
        at = found;
        break;
      }
    }
    if (increase < kConverged) {
      break;
    }
  }
  return {.mean = -exponent.linear / (2 * exponent.quadratic) * scale,
          .deviation = scale / std::sqrt(-2 * exponent.quadratic)};
}

double cross_entropy(std::span<const DistanceMoments> queries, const PositionGaussian& gaussian) {
  check(queries);
  check(gaussian);
  const double quadratic = -1 / (2 * gaussian.deviation * gaussian.deviation);
  return -likelihood(queries, 1, {.linear = -2 * quadratic * gaussian.mean, .quadratic = quadratic}).value;
}

} // namespace mneme::theory
