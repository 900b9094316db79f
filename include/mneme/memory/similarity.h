// SPDX-License-Identifier: MIT

/// Step 1 of an associative memory: similarity scores of queries and stored patterns. A larger score means a
/// more similar pattern.
#pragma once

#include <cstdint>
#include <variant>

#include "mneme/core/patterns.h"

namespace mneme {

/// Minus the Hamming distance. For real patterns: minus floor(n (1 - cosine) / 2), the distance of two binary
/// patterns with the same cosine (Bricken & Pehlevan 2021).
struct Hamming {};
/// Dot product. Here and in the similarities below, bits count as -1 and +1.
struct Dot {};
/// Cosine of the angle between two patterns; 0 if one of them is all zeros.
struct Cosine {};
/// Minus the squared Euclidean distance.
struct Euclidean {};
/// Minus the sum of absolute differences.
struct Manhattan {};

using Similarity = std::variant<Hamming, Dot, Cosine, Euclidean, Manhattan>;

/// Meaning of a score. Separations defined by a Hamming distance or an angle accept only the first two kinds.
enum class ScoreKind { minus_hamming, cosine, other };
ScoreKind score_kind(const Similarity& similarity);

/// Scores of every query against every stored pattern.
struct Scores {
  RealPatterns values; ///< [queries, stored]
  ScoreKind kind;
  int64_t size; ///< n, bits or numbers per pattern
};

/// Shapes  queries [Q, n], stored [S, n] -> scores [Q, S]
/// Errors  UsageError if the patterns differ in size or hold NaN or infinity, or if a score overflows
/// Cost    O(Q S n), in parallel over queries
Scores similarity(const BitPatterns& queries, const BitPatterns& stored, const Similarity& similarity);
Scores similarity(const RealPatterns& queries, const RealPatterns& stored, const Similarity& similarity);

} // namespace mneme
