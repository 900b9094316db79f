// SPDX-License-Identifier: MIT

/// Similarities on blocks of queries, as the memories use them.
#pragma once

#include <vector>

#include "mneme/memory/similarity.h"

namespace mneme {

/// Whether real patterns are compared by their direction alone.
bool uses_cosine(const Similarity& similarity);
/// Real patterns in the form in which a similarity compares them: of length 1 for cosines, as they are
/// otherwise.
RealPatterns prepared(RealPatterns patterns, const Similarity& similarity);

/// The score of two bit patterns by their Hamming distance, [bits + 1]; it never rises with the distance.
std::vector<double> scores_by_distance(const Similarity& similarity, int64_t bits);

/// scores [count, stored.count()] of `count` queries from `first` on, single-threaded.
void score_block(const BitPatterns& queries, int64_t first, int64_t count, const BitPatterns& stored,
                 const Similarity& similarity, double* scores);
/// Scores of rows of `size` numbers, which must be `prepared`; T = float or double, the precision of dot
/// products.
template <class T>
void score_block(const T* queries, int64_t count, const T* stored, int64_t num_stored, int64_t size,
                 const Similarity& similarity, double* scores, int64_t score_stride);

/// Queries per block such that the scores of a block stay small; depends only on the number of stored
/// patterns.
int64_t queries_per_block(int64_t num_stored);

} // namespace mneme
