// SPDX-License-Identifier: MIT

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "kernels/separate/separate.h"

namespace mneme::kernels::reference {
namespace {

using Kind = SimplexSeparation::Kind;

/// u = c * (beta-scaled difference of a score to the largest).
double scaled(SimplexSeparation separation, double below) {
  switch (separation.kind) {
  case Kind::entmax15:
    return below / 2;
  case Kind::entmax:
    return below * (separation.alpha - 1);
  default:
    return below;
  }
}

/// Exponent of the terms whose sum is 1.
double exponent_of(SimplexSeparation separation) {
  switch (separation.kind) {
  case Kind::sparsemax:
    return 1;
  case Kind::entmax:
    return 1 / (separation.alpha - 1);
  default:
    return 2;
  }
}

/// Term for x = u - tau > 0, and its derivative.
double term_of(SimplexSeparation separation, double x) {
  return std::pow(x, exponent_of(separation));
}
double term_derivative(SimplexSeparation separation, double x) {
  const double exponent = exponent_of(separation);
  return exponent * std::pow(x, exponent - 1);
}

/// Threshold tau for which the terms sum to 1.
double threshold(SimplexSeparation separation, const std::vector<double>& u) {
  constexpr int kMaxSteps = 1000; // far more than needed
  constexpr double kRounding = 1e-16;
  double tau = -1;
  for (int step = 0; step < kMaxSteps; ++step) {
    double sum = 0, derivative = 0;
    for (const double x : u) {
      sum += x > tau ? term_of(separation, x - tau) : 0;
      derivative += x > tau ? term_derivative(separation, x - tau) : 0;
    }
    const double change = (sum - 1) / derivative; // negative if rounding made a step too long
    tau += change;
    if (!(std::abs(change) > kRounding)) {
      break;
    }
  }
  return tau;
}

template <class T> void rows(const SeparateArgs<T>& args) {
  const int64_t n = args.num_scores;
  std::vector<double> u(static_cast<size_t>(n));
  for (int64_t r = 0; r < args.num_rows && n > 0; ++r) {
    const T* scores = args.scores + r * n;
    T* weights = args.weights + r * n;
    const auto row_max = static_cast<double>(*std::max_element(scores, scores + n));
    if (!std::isfinite(row_max) || std::any_of(scores, scores + n, [](T x) { return std::isnan(x); })) {
      std::fill(weights, weights + n, std::numeric_limits<T>::quiet_NaN());
      if (args.slopes != nullptr) {
        std::fill(args.slopes + r * n, args.slopes + (r + 1) * n, std::numeric_limits<T>::quiet_NaN());
      }
      continue;
    }
    for (int64_t i = 0; i < n; ++i) {
      const double below = static_cast<double>(scores[i]) - row_max;
      u[static_cast<size_t>(i)] =
          args.beta == 0 ? 0 : scaled(args.separation, static_cast<double>(args.beta) * below);
    }
    const double tau = threshold(args.separation, u);
    double sum = 0;
    for (double& x : u) {
      x = std::max(x - tau, 0.0);
      sum += x;
    }
    for (int64_t i = 0; i < n; ++i) {
      const double x = u[static_cast<size_t>(i)];
      weights[i] =
          static_cast<T>(args.separation.kind == Kind::normmax ? x / sum : term_of(args.separation, x));
      if (args.slopes != nullptr) {
        args.slopes[r * n + i] = static_cast<T>(x > 0 ? term_of(args.separation, x) / x : 0);
      }
    }
  }
}

/// d_scores / beta of normmax at one index.
template <class T> double normmax_gradient(const T* weights, const T* d_weights, int64_t n, int64_t index) {
  double squares = 0, dot = 0, support_sum = 0;
  for (int64_t i = 0; i < n; ++i) {
    squares += static_cast<double>(weights[i]) * static_cast<double>(weights[i]);
    dot += static_cast<double>(weights[i]) * static_cast<double>(d_weights[i]);
  }
  for (int64_t i = 0; i < n; ++i) {
    support_sum += weights[i] > 0 ? static_cast<double>(d_weights[i]) - dot : 0;
  }
  const auto weight = static_cast<double>(weights[index]);
  return weight > 0
             ? std::sqrt(squares) * (static_cast<double>(d_weights[index]) - dot - weight * support_sum)
             : 0;
}

template <class T> void rows(const SeparateGradientArgs<T>& args) {
  const int64_t n = args.num_scores;
  const auto q_at = [&](int64_t index) {
    if (args.slopes != nullptr) {
      return static_cast<double>(args.slopes[index]);
    }
    const auto p = static_cast<double>(args.weights[index]);
    double exponent = 0;
    if (args.separation.kind == Kind::entmax15) {
      exponent = 0.5;
    } else if (args.separation.kind == Kind::entmax) {
      exponent = 2 - args.separation.alpha;
    }
    return p > 0 ? std::pow(p, exponent) : 0.0;
  };
  for (int64_t r = 0; r < args.num_rows; ++r) {
    const T *weights = args.weights + r * n, *d_weights = args.d_weights + r * n;
    if (args.separation.kind == Kind::normmax) {
      for (int64_t i = 0; i < n; ++i) {
        args.d_scores[r * n + i] =
            static_cast<T>(static_cast<double>(args.beta) * normmax_gradient(weights, d_weights, n, i));
      }
      continue;
    }
    double weighted_sum = 0, total = 0;
    for (int64_t i = 0; i < n; ++i) {
      weighted_sum += q_at(r * n + i) * static_cast<double>(d_weights[i]);
      total += q_at(r * n + i);
    }
    for (int64_t i = 0; i < n; ++i) {
      args.d_scores[r * n + i] = static_cast<T>(static_cast<double>(args.beta) * q_at(r * n + i) *
                                                (static_cast<double>(d_weights[i]) - weighted_sum / total));
    }
  }
}

} // namespace

void separate(const SeparateArgs<float>& args) {
  rows(args);
}
void separate(const SeparateArgs<double>& args) {
  rows(args);
}
void separate_gradient(const SeparateGradientArgs<float>& args) {
  rows(args);
}
void separate_gradient(const SeparateGradientArgs<double>& args) {
  rows(args);
}

} // namespace mneme::kernels::reference
