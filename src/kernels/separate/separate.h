// SPDX-License-Identifier: MIT

/// Separation with a threshold: maps rows of scores to weights on the probability simplex (sparsemax, entmax,
/// normmax), and gradients of the weights to gradients of the scores. Softmax is computed elsewhere: by
/// LibTorch and by softmax_projection.
///
/// All of these separations have the same form. With u_i = c beta (score_i - row_max) and
/// x_i = max(u_i - tau, 0), the threshold tau is the number for which a sum is 1:
///
///     sparsemax   c = 1            weight_i = x_i                      sum x_i = 1
///     entmax15    c = 1/2          weight_i = x_i^2                    sum x_i^2 = 1
///     normmax     c = 1            weight_i = x_i / sum x_j            sum x_i^2 = 1
///     entmax      c = alpha - 1    weight_i = x_i^(1 / (alpha - 1))    sum of the weights = 1
///
/// tau is in [-1, 0], so only scores with u > -1 can have a weight. With the exponent e of the sum, the norm
/// (sum x_i^e)^(1/e) is a convex, decreasing function of tau: Newton's method from tau = -1 increases tau
/// monotonically without overshooting, and scores below the current tau can be discarded. The norm is closer
/// to a line than the sum, so fewer steps are needed.
///
/// Source  Martins and Astudillo 2016 (sparsemax); Peters, Niculae and Martins 2019 (1.5-entmax); Blondel,
///         Martins and Niculae 2020 (normmax, of the 2-norm)
#pragma once

#include <cstdint>

#include "mneme/core/simplex_separation.h"

namespace mneme::kernels {

/// True for the separations that these kernels support: all except softmax.
constexpr bool has_threshold(SimplexSeparation separation) {
  return separation != SimplexSeparation::softmax;
}

/// Weights of rows of scores.
///
/// Shapes  scores, weights and slopes [num_rows, num_scores], row-major; any sizes >= 0, no alignment needed;
///         none may overlap another. T = float or double
/// Units   beta >= 0 and finite; 0 makes all weights equal
/// Errors  a row with a NaN, or whose largest score is not finite, gets NaN weights. The error of float is
///         the rounding of the score differences, since tau is computed in double; for entmax it is
///         multiplied by 1 / (alpha - 1)
template <class T> struct SeparateArgs {
  const T* scores;
  T* weights;
  int64_t num_rows, num_scores;
  T beta = 1;
  SimplexSeparation separation;
  /// If given, gets the q of SeparateGradientArgs, which here costs a division and there, for entmax, an
  /// exponential and a logarithm. Not for normmax.
  T* slopes = nullptr;
};

/// Backward pass: d_scores = beta J d_weights, where J is the Jacobian of the weights, which is symmetric.
/// d_scores must not overlap d_weights. For sparsemax and entmax:
///
///     q_i = 1 if weight_i > 0 else 0 (sparsemax), weight_i^0.5 (entmax15), weight_i^(2 - alpha) (entmax)
///     d_scores_i = beta q_i (d_weights_i - sum_j q_j d_weights_j / sum_j q_j)
///
/// For normmax, with s_i = 1 if weight_i > 0 else 0 and a = sum_j weight_j d_weights_j:
///
///     d_scores_i = beta |weights| (s_i (d_weights_i - a) - weight_i sum_j s_j (d_weights_j - a))
template <class T> struct SeparateGradientArgs {
  const T *weights, *d_weights;
  T* d_scores;
  int64_t num_rows, num_scores;
  T beta = 1;
  SimplexSeparation separation;
  const T* slopes = nullptr; ///< q, as separate() has written it; default: computed from the weights
};

/// Single-threaded. The weights of a row do not depend on the other rows.
void separate(const SeparateArgs<float>& args);
void separate(const SeparateArgs<double>& args);
void separate_gradient(const SeparateGradientArgs<float>& args);
void separate_gradient(const SeparateGradientArgs<double>& args);

namespace reference {
void separate(const SeparateArgs<float>& args); ///< computes in double
void separate(const SeparateArgs<double>& args);
void separate_gradient(const SeparateGradientArgs<float>& args);
void separate_gradient(const SeparateGradientArgs<double>& args);
} // namespace reference

} // namespace mneme::kernels
