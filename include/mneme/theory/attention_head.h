// SPDX-License-Identifier: MIT

/// An attention head read as an associative memory: its effective beta, how many keys it reads, and the
/// Hamming radius of the Sparse Distributed Memory with the same beta.
///
/// Source  Bricken & Pehlevan 2021, "Attention Approximates Sparse Distributed Memory" (effective beta);
///         Ramsauer et al. 2020, "Hopfield Networks is All You Need" (three kinds of fixed points)
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace mneme::theory {

/// Scores and weights of one query. Softmax weights are w_j = exp(s_j) / sum over i of exp(s_i), with the
/// scores s_j, which include all scaling.
struct AttentionRow {
  int64_t keys = 0;     ///< number of keys with a finite score
  double beta = 0;      ///< the published effective beta: the largest score
  double min_score = 0; ///< the smallest score
  double entropy = 0;   ///< of the weights, in nats; 0 .. log(keys)
  int64_t keys_90 = 0;  ///< smallest number of keys whose weights sum to 0.9
  /// Slope of the scores, which are logs of the weights up to a constant, on the cosine of query and key, by
  /// least squares: the beta of softmax(beta cosine). NaN if all cosines are equal up to rounding.
  double regressed_beta = 0;
  double r_squared = 0; ///< fraction of the variance of the scores that this line explains; NaN likewise
};

/// Scores of -infinity are keys that the query may not read; they are left out.
///
/// Errors  UsageError for lengths that differ, no key that may be read, or a score that is NaN or +infinity
AttentionRow attention_row(std::span<const float> scores, std::span<const float> cosines);

/// Kind of a fixed point by the keys that carry 90 % of the weight.
enum class FixedPoint {
  global,     ///< more than half of the keys: the head averages
  metastable, ///< the head averages over a part of the keys
  single      ///< one key, or less than a tenth of them
};

/// `keys_90` and `keys` may be means over queries.
FixedPoint fixed_point(double keys_90, double keys);
std::string_view name_of(FixedPoint kind); ///< "global", "metastable", "single"

/// The Hamming radius whose circle intersection, of codes with `bits` bits, has the fitted beta `beta`:
/// the inverse of fit_beta over radii 2 .. bits/2, interpolated linearly in log beta. Distances from 0 on are
/// fitted, as in the published betas: from 1 on, the betas of radius 2 are 0, and not all of them decrease.
/// Empty if beta lies outside of that range.
///
/// Errors  UsageError unless 8 <= bits <= 10 000 000
/// Cost    O(bits) per radius, from 2 on until beta is reached: O(bits^2) for a small or unreachable beta
std::optional<double> equivalent_hamming_radius(double beta, int64_t bits);

/// One head on one text: what its last query reads, as published, and means over queries of the second half
/// of the text.
struct HeadReading {
  int64_t layer = 0, head = 0;
  AttentionRow last;                    ///< of the last token
  double keys = 0, keys_90 = 0;         ///< means, as in AttentionRow
  double entropy = 0;                   ///< mean, in nats
  double regressed_beta = 0;            ///< mean over the queries for which it exists; NaN if there is none
  double r_squared = 0;                 ///< likewise
  double query_norm = 0;                ///< mean Euclidean norm of these queries
  double key_norm = 0;                  ///< mean Euclidean norm of all keys
  FixedPoint kind = FixedPoint::global; ///< of the means of keys_90 and keys
  /// Of each key, for the last query: input of the softmax, attention weight, Euclidean norm of the value.
  std::vector<float> scores, weights, value_norms;
};

} // namespace mneme::theory
