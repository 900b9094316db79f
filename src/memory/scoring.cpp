// SPDX-License-Identifier: MIT

#include "memory/scoring.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "kernels/dot/dot.h"
#include "kernels/hamming/hamming.h"
#include "memory/checks.h"
#include "memory/overloaded.h"
#include "mneme/core/parallel.h"
#include "mneme/theory/space_fraction.h"

namespace mneme {
namespace {

/// theory::cosine_to_hamming, quickly where rounding cannot matter.
int64_t hamming_distance_of(double cosine, int64_t size) {
  const double distance = static_cast<double>(size) * (1 - std::clamp(cosine, -1.0, 1.0)) / 2;
  const auto whole = static_cast<int64_t>(distance);
  const double rest = distance - static_cast<double>(whole);
  constexpr double kClear = 1e-6;
  return rest > kClear && rest < 1 - kClear ? whole
                                            : theory::cosine_to_hamming(size, std::clamp(cosine, -1.0, 1.0));
}

} // namespace

bool uses_cosine(const Similarity& similarity) {
  return std::holds_alternative<Cosine>(similarity) || std::holds_alternative<Hamming>(similarity);
}

RealPatterns prepared(RealPatterns patterns, const Similarity& similarity) {
  return uses_cosine(similarity) ? normalised(std::move(patterns)) : std::move(patterns);
}

int64_t queries_per_block(int64_t num_stored) {
  constexpr int64_t kScoresPerBlock = 1 << 22;
  constexpr int64_t kQueriesMax = 48; // whole panels of every vector size: 3 vectors of 4, 8 or 16 lanes
  return std::clamp<int64_t>(kScoresPerBlock / std::max<int64_t>(num_stored, 1), 1, kQueriesMax);
}

std::vector<double> scores_by_distance(const Similarity& similarity, int64_t bits) {
  const auto n = static_cast<double>(bits);
  // All similarities of vectors of -1 and +1 are linear in the Hamming distance h.
  const auto score = [&](double h) {
    return std::visit(Overloaded{[&](const Hamming&) { return -h; }, [&](const Dot&) { return n - 2 * h; },
                                 [&](const Cosine&) { return n > 0 ? 1.0 - 2.0 * h / n : 1.0; },
                                 [&](const Euclidean&) { return -4 * h; },
                                 [&](const Manhattan&) { return -2 * h; }},
                      similarity);
  };
  std::vector<double> scores(static_cast<size_t>(bits + 1));
  for (size_t h = 0; h < scores.size(); ++h) {
    scores[h] = score(static_cast<double>(h));
  }
  return scores;
}

void score_block(const BitPatterns& queries, int64_t first, int64_t count, const BitPatterns& stored,
                 const Similarity& similarity, double* scores) {
  const std::vector<double> by_distance = scores_by_distance(similarity, queries.bits());
  constexpr int64_t kStoredPerTile = 2048;
  std::vector<int32_t> distances(static_cast<size_t>(count * std::min(kStoredPerTile, stored.count())));
  for (int64_t s = 0; s < stored.count(); s += kStoredPerTile) {
    const int64_t rows = std::min(kStoredPerTile, stored.count() - s);
    kernels::hamming({.queries = queries.data() + first * queries.words(),
                      .stored = stored.data() + s * stored.words(),
                      .distances = distances.data(),
                      .num_queries = count,
                      .num_stored = rows,
                      .words = queries.words()});
    for (int64_t q = 0; q < count; ++q) {
      for (int64_t r = 0; r < rows; ++r) {
        scores[q * stored.count() + s + r] =
            by_distance[static_cast<size_t>(distances[static_cast<size_t>(q * rows + r)])];
      }
    }
  }
}

template <class T>
void score_block(const T* queries, int64_t count, const T* stored, int64_t num_stored, int64_t size,
                 const Similarity& similarity, double* scores, int64_t score_stride) {
  using kernels::DotTerm;
  std::vector<T> sums(static_cast<size_t>(count * num_stored));
  const DotTerm term =
      std::visit(Overloaded{[](const Hamming&) { return DotTerm::product; }, // of unit length
                            [](const Dot&) { return DotTerm::product; },
                            [](const Cosine&) { return DotTerm::product; }, // of unit length
                            [](const Euclidean&) { return DotTerm::squared_difference; },
                            [](const Manhattan&) { return DotTerm::absolute_difference; }},
                 similarity);
  // The published memories round cosines from matrix products to Hamming distances. Cosines of queries that
  // were made by a Hamming distance are near an integer, so the last bit decides.
  const bool hamming = std::holds_alternative<Hamming>(similarity);
  kernels::dot(kernels::DotArgs<T>{.queries = queries,
                                   .stored = stored,
                                   .scores = sums.data(),
                                   .num_queries = count,
                                   .num_stored = num_stored,
                                   .size = size,
                                   .term = term,
                                   .in_order = hamming});
  for (int64_t q = 0; q < count; ++q) {
    const T* from = sums.data() + q * num_stored;
    double* to = scores + q * score_stride;
    for (int64_t s = 0; s < num_stored; ++s) {
      const auto sum = static_cast<double>(from[s]);
      to[s] = hamming                    ? -static_cast<double>(hamming_distance_of(sum, size))
              : term == DotTerm::product ? sum
                                         : -sum;
    }
  }
}

template void score_block(const float*, int64_t, const float*, int64_t, int64_t, const Similarity&, double*,
                          int64_t);
template void score_block(const double*, int64_t, const double*, int64_t, int64_t, const Similarity&, double*,
                          int64_t);

ScoreKind score_kind(const Similarity& similarity) {
  if (std::holds_alternative<Hamming>(similarity)) {
    return ScoreKind::minus_hamming;
  }
  return std::holds_alternative<Cosine>(similarity) ? ScoreKind::cosine : ScoreKind::other;
}

Scores similarity(const BitPatterns& queries, const BitPatterns& stored, const Similarity& similarity) {
  require_same_size("a query", queries.bits(), "a stored pattern", stored.bits());
  Scores scores{RealPatterns(queries.count(), stored.count()), score_kind(similarity), stored.bits()};
  parallel_for(queries.count(), queries_per_block(stored.count()), [&](int64_t begin, int64_t end) {
    score_block(queries, begin, end - begin, stored, similarity,
                scores.values.data() + begin * stored.count());
  });
  return scores;
}

Scores similarity(const RealPatterns& queries, const RealPatterns& stored, const Similarity& similarity) {
  require_same_size("a query", queries.size(), "a stored pattern", stored.size());
  require_finite("query", queries);
  require_finite("stored pattern", stored);
  const RealPatterns ask = prepared(queries, similarity), compare = prepared(stored, similarity);
  const int64_t size = stored.size();
  Scores scores{RealPatterns(queries.count(), stored.count()), score_kind(similarity), size};
  parallel_for(queries.count(), queries_per_block(stored.count()), [&](int64_t begin, int64_t end) {
    score_block(ask.data() + begin * size, end - begin, compare.data(), stored.count(), size, similarity,
                scores.values.data() + begin * stored.count(), stored.count());
    for (int64_t q = begin; q < end; ++q) {
      require_finite_scores(scores.values[q], q, "double");
    }
  });
  return scores;
}

} // namespace mneme
