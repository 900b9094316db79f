// SPDX-License-Identifier: MIT

/// Second step of every memory: scores become weights, so that what is alike counts and the rest does not.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <variant>

#include "mneme/core/simplex_separation.h"
#include "mneme/memory/similarity.h"

namespace mneme {

/// A finite number of hard locations: the expected number w of shared locations becomes floor(w), plus one
/// with probability w - floor(w), drawn anew for every step, query and stored pattern (Bricken & Pehlevan
/// 2021).
struct FiniteLocations {
  double hard_locations; ///< in the whole space, > 0
  uint64_t seed = 1;
  /// Uniform draw in [0, 1) for (step, query, stored); empty: counter-based, from `seed`.
  std::function<double(int64_t step, int64_t query, int64_t stored)> draw = {};
};

/// SDM: the number of addresses within `hamming_radius` of both patterns. Needs Hamming or cosine scores.
struct CircleIntersection {
  int64_t bits;                                  ///< n, > 0
  int64_t hamming_radius;                        ///< in bits, 0 .. n
  std::optional<FiniteLocations> locations = {}; ///< absent: infinitely many
};

/// Continuous SDM: the share of the unit sphere within the cap of both patterns. The cap has the half-angle
/// whose cosine is 1 - 2 hamming_radius / size. Needs Hamming or cosine scores.
struct CapIntersection {
  int64_t size;           ///< n, > 2
  int64_t hamming_radius; ///< in bits, 0 < radius < n
  std::optional<FiniteLocations> locations = {};
  /// Weights as the published code reads them: a table of 10 000 cosines, read up to a cell too low, and 3.69
  /// times too many locations. For reproduction only.
  bool original_table = false;
};

/// Weight 1 within the radius, else 0. Needs Hamming or cosine scores.
struct Radius {
  int64_t hamming_radius;
};

/// exp(beta * score) / sum. beta >= 0; infinity gives BestMatch.
struct Softmax {
  double beta;
};

/// Projection of beta * score onto the probability simplex: far patterns get exactly 0 (Martins & Astudillo
/// 2016).
struct Sparsemax {
  double beta;
};

/// Between softmax and sparsemax: max(beta * score / 2 - tau, 0)^2 with tau so that the sum is 1 (Peters et
/// al. 2019).
struct Entmax15 {
  double beta;
};

/// Any of the list that memories and layers share (core/simplex_separation.h), of beta * score. beta >= 0; infinity gives
/// BestMatch.
struct SimplexWeights {
  SimplexSeparation separation;
  double beta = 1;
};

/// max(score, 0)^degree / sum: dense associative memory (Krotov & Hopfield 2016). degree > 0.
struct Polynomial {
  double degree = 3;
};

/// The scores themselves, not divided by their sum: the classical Hopfield network.
struct Identity {
  /// false: the part of the readout that each component of the query gives to itself is left out (zero
  /// diagonal of the weight matrix). Needs stored patterns as values.
  bool self_connections = true;
};

/// 1 for the most similar stored pattern; shared equally among ties.
struct BestMatch {};

using Separation = std::variant<CircleIntersection, CapIntersection, Radius, Softmax, Sparsemax, Entmax15,
                                SimplexWeights, Polynomial, Identity, BestMatch>;

/// Weights of every query: rows sum to 1, or are all 0 if no stored pattern answers; those of Identity are
/// the scores.
///
/// Shapes  scores [Q, S] -> weights [Q, S]
/// Errors  UsageError if a parameter is out of its range, or the separation does not fit the kind of score
RealPatterns separate(const Scores& scores, const Separation& separation);

} // namespace mneme
