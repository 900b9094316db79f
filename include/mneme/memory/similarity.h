// SPDX-License-Identifier: MIT

/// First step of every memory: how alike are a query and a stored pattern? The larger the score, the more
/// alike.
#pragma once

#include <cstdint>
#include <variant>

#include "mneme/core/patterns.h"

namespace mneme {

/// Minus the number of differing bits. On real patterns: minus floor(n (1 - cosine) / 2), the distance of two
/// binary patterns of that cosine (Bricken & Pehlevan 2021).
struct Hamming {};
/// Sum of products. Bits count as -1 and +1 in this and all that follow.
struct Dot {};
/// Dot product of the patterns scaled to length 1; a pattern of zeros is like nothing (0).
struct Cosine {};
/// Minus the squared Euclidean distance.
struct Euclidean {};
/// Minus the sum of absolute differences.
struct Manhattan {};

using Similarity = std::variant<Hamming, Dot, Cosine, Euclidean, Manhattan>;

/// What a score measures, for the separations that need to know.
enum class ScoreKind { minus_hamming, cosine, other };
ScoreKind score_kind(const Similarity& similarity);

/// Scores of every query against every stored pattern.
struct Scores {
  RealPatterns values; ///< [queries, stored]
  ScoreKind kind;      ///< what the values measure
  int64_t size;        ///< bits or numbers per pattern
};

/// Shapes  queries [Q, n], stored [S, n] -> scores [Q, S]
/// Errors  UsageError if the patterns differ in size or hold NaN or infinity, or if a score overflows
/// Cost    O(Q S n), in parallel over queries
Scores similarity(const BitPatterns& queries, const BitPatterns& stored, const Similarity& similarity);
Scores similarity(const RealPatterns& queries, const RealPatterns& stored, const Similarity& similarity);

} // namespace mneme
