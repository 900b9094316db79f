// SPDX-License-Identifier: MIT

/// Step 2 of an associative memory: separation functions, which turn similarity scores into weights so that
/// similar patterns dominate the readout.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <variant>

#include "mneme/core/simplex_separation.h"
#include "mneme/memory/similarity.h"

namespace mneme {

/// Randomness of a finite number of hard locations. The expected number w of shared locations is rounded to
/// floor(w) + 1 with probability w - floor(w), else to floor(w), independently for every update step, query
/// and stored pattern (Bricken & Pehlevan 2021).
struct FiniteLocations {
  double hard_locations; ///< number in the whole address space, > 0
  uint64_t seed = 1;
  /// Uniform random number in [0, 1) for (step, query, stored). Default: counter-based RNG with `seed`. It is
  /// called by several threads at the same time, in any order.
  std::function<double(int64_t step, int64_t query, int64_t stored)> draw = {};
};

/// SDM: the number of addresses within `hamming_radius` of both patterns. Requires Hamming or cosine scores.
struct CircleIntersection {
  int64_t bits;                                  ///< n, > 0
  int64_t hamming_radius;                        ///< in bits, 0 .. n
  std::optional<FiniteLocations> locations = {}; ///< default: infinitely many
};

/// Continuous SDM: the fraction of the unit sphere inside the caps around both patterns. The half-angle of a
/// cap has the cosine 1 - 2 hamming_radius / size. Requires Hamming or cosine scores.
struct CapIntersection {
  int64_t size;                                  ///< n, > 2
  int64_t hamming_radius;                        ///< in bits, 0 < radius < n
  std::optional<FiniteLocations> locations = {}; ///< default: infinitely many
  /// Reproduces the published code, errors included: it reads the weights from a table of 10 000 cosines, up
  /// to one cell too low, and counts 3.69 times too many locations.
  bool original_table = false;
};

/// Weight 1 for patterns within the radius (inclusive), else 0. Requires Hamming or cosine scores.
struct Radius {
  int64_t hamming_radius;
};

/// exp(beta * score) / sum. beta >= 0; an infinite beta is BestMatch.
struct Softmax {
  double beta;
};

/// Euclidean projection of beta * score onto the probability simplex; dissimilar patterns get exactly 0
/// (Martins & Astudillo 2016). beta >= 0; an infinite beta is BestMatch.
struct Sparsemax {
  double beta;
};

/// Between softmax and sparsemax: max(beta * score / 2 - tau, 0)^2, where tau makes the sum 1 (Peters et al.
/// 2019). beta >= 0; an infinite beta is BestMatch.
struct Entmax15 {
  double beta;
};

/// Any separation of core/simplex_separation.h, which memories and layers share, applied to beta * score.
/// beta >= 0; an infinite beta is BestMatch.
struct SimplexWeights {
  SimplexSeparation separation;
  double beta = 1;
};

/// max(score, 0)^degree / sum: dense associative memory (Krotov & Hopfield 2016, whose n is
/// degree + 1, the exponent of the energy). degree > 0.
struct Polynomial {
  double degree = 3;
};

/// The scores themselves, not normalised: classical Hopfield network.
struct Identity {
  /// False sets the diagonal of the network's weight matrix to zero, so that no component of the query
  /// contributes to the same component of the readout. Requires the stored patterns as values.
  bool self_connections = true;
};

/// Weight 1 for the most similar stored pattern (argmax), divided equally among ties.
struct BestMatch {};

using Separation = std::variant<CircleIntersection, CapIntersection, Radius, Softmax, Sparsemax, Entmax15,
                                SimplexWeights, Polynomial, Identity, BestMatch>;

/// Weights of the stored patterns for every query. A row sums to 1, or is all 0 if every weight is 0 (for
/// example when no pattern is within the radius). Identity returns the scores.
///
/// Shapes  scores [Q, S] -> weights [Q, S]
/// Errors  UsageError if a parameter is out of range, if the separation does not accept this kind of score,
///         or if it reads Hamming distances and a score of ScoreKind::minus_hamming is not in -size .. 0
RealPatterns separate(const Scores& scores, const Separation& separation);

} // namespace mneme
