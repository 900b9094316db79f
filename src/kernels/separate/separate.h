// SPDX-License-Identifier: MIT

/// Separation: rows of scores become weights on the probability simplex, and gradients of weights become gradients of scores.
///
/// All but softmax, which LibTorch and the kernels of whole steps have, are of one form. With u_i = c beta (score_i - largest)
/// and a threshold tau, found so that a sum is 1:
///
///     sparsemax   c = 1      weight_i = x_i       sum x_i = 1       where x_i = max(u_i - tau, 0)
///     entmax15    c = 1/2    weight_i = x_i^2     sum x_i^2 = 1
///     normmax     c = 1      weight_i = x_i / sum x_j    sum x_i^2 = 1
///     entmax      c = alpha - 1    weight_i = x_i^(1 / (alpha - 1))    sum of the weights = 1
///
/// tau lies in [-1, 0]: only scores with u > -1 can have a weight. The sum is convex and falls with tau, so that Newton's method
/// from -1 never overshoots, and what it has left behind stays without weight.
///
/// Source  Martins and Astudillo 2016 (sparsemax); Peters, Niculae and Martins 2019 (1.5-entmax); Blondel, Martins and
///         Niculae 2020 (normmax, of the 2-norm)
#pragma once

#include <cstdint>

#include "mneme/core/simplex_separation.h"

namespace mneme::kernels {

/// Whether the kernels know it: all but softmax.
constexpr bool has_threshold(SimplexSeparation separation) {
  return separation != SimplexSeparation::softmax;
}

/// Shapes  scores and weights [num_rows, num_scores], row-major; any sizes >= 0, no alignment needed; weights must not overlap
///         scores. T = float or double; beta >= 0, finite; 0 makes all weights equal
/// Rows    whose largest score is not finite, or that hold a NaN, get NaN
/// Error   of float: rounding of the scores' differences; tau is kept in double. entmax takes 1 / (alpha - 1) times that
template <class T> struct SeparateArgs {
  const T* scores;
  T* weights;
  int64_t num_rows, num_scores;
  T beta = 1;
  SimplexSeparation separation;
};

/// d_scores = beta J d_weights, J the Jacobian of the weights, which is symmetric. d_scores may be d_weights.
///
///     q_i = weight_i^0 (sparsemax, where there is weight), weight_i^0.5 (entmax15), weight_i^(2 - alpha) (entmax)
///     d_scores_i = beta q_i (d_weights_i - sum_j q_j d_weights_j / sum_j q_j)
///
/// normmax, with s_i = 1 where there is weight and a = sum_j weight_j d_weights_j:
///
///     d_scores_i = beta |weights| (s_i (d_weights_i - a) - weight_i sum_j s_j (d_weights_j - a))
template <class T> struct SeparateGradientArgs {
  const T *weights, *d_weights;
  T* d_scores;
  int64_t num_rows, num_scores;
  T beta = 1;
  SimplexSeparation separation;
};

/// Single-threaded. Weights of a row do not depend on other rows.
void separate(const SeparateArgs<float>& args);
void separate(const SeparateArgs<double>& args);
void separate_gradient(const SeparateGradientArgs<float>& args);
void separate_gradient(const SeparateGradientArgs<double>& args);

namespace reference {
void separate(const SeparateArgs<float>& args); ///< in double
void separate(const SeparateArgs<double>& args);
void separate_gradient(const SeparateGradientArgs<float>& args);
void separate_gradient(const SeparateGradientArgs<double>& args);
} // namespace reference

} // namespace mneme::kernels
