// SPDX-License-Identifier: MIT

#include "mneme/memory/nearest.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>
#include <numeric>

#include <fmt/format.h>

#include "memory/bit_scan.h"
#include "memory/checks.h"
#include "memory/scoring.h"
#include "mneme/core/error.h"
#include "mneme/core/finite.h"
#include "mneme/core/parallel.h"

namespace mneme {
namespace {

void require_not_negative(const char* what, int64_t value) {
  if (value < 0) {
    throw UsageError(fmt::format("mneme: {} is {}, but must be at least 0.", what, value));
  }
}

/// The selected rows of one query, the nearest first, at most k besides ties. Rows ascend, so a counting sort
/// by distance keeps those of equal distance in order.
RowDistances sorted(const NearRows& near, int64_t k, Ties ties) {
  int32_t max = 0;
  for (const RowDistances& tile : near.tiles) {
    max = std::max(max, tile.distances.empty() ? 0 : std::ranges::max(tile.distances));
  }
  std::vector<int64_t> next(static_cast<size_t>(max) + 2); // place of the next row of every distance
  for (const RowDistances& tile : near.tiles) {
    for (const int32_t distance : tile.distances) {
      ++next[static_cast<size_t>(distance) + 1];
    }
  }
  std::partial_sum(next.begin(), next.end(), next.begin());
  int64_t selected = std::min(k, next.back());
  if (ties == Ties::all && selected > 0) { // `next` has the number of rows that are nearer than a distance
    selected = *std::ranges::lower_bound(next, selected);
  }
  const auto count = static_cast<size_t>(selected);
  RowDistances found{std::vector<int32_t>(count), std::vector<int32_t>(count)};
  for (const RowDistances& tile : near.tiles) {
    for (size_t i = 0; i < tile.rows.size(); ++i) {
      if (const auto place = static_cast<size_t>(next[static_cast<size_t>(tile.distances[i])]++);
          place < count) {
        found.rows[place] = tile.rows[i];
        found.distances[place] = tile.distances[i];
      }
    }
  }
  return found;
}

/// scan(first query, count) for all queries; at most k results for each, besides ties.
template <class Scan>
BitNeighbours search(const BitPatterns& queries, const BitPatterns& stored, int64_t k, Ties ties,
                     int64_t selected, const Scan& scan) {
  require_same_size("a query", queries.bits(), "a stored pattern", stored.bits());
  require_scannable(stored);
  BitNeighbours neighbours;
  const int64_t block = queries_per_scan(selected);
  for (int64_t first = 0; first < queries.count(); first += block) {
    const std::vector<NearRows> near = scan(first, std::min(block, queries.count() - first));
    std::vector<RowDistances> found(near.size());
    parallel_for(std::ssize(near), 1, [&](int64_t q, int64_t) {
      found[static_cast<size_t>(q)] = sorted(near[static_cast<size_t>(q)], k, ties);
    });
    for (const RowDistances& of_query : found) {
      neighbours.indices.insert(neighbours.indices.end(), of_query.rows.begin(), of_query.rows.end());
      neighbours.distances.insert(neighbours.distances.end(), of_query.distances.begin(),
                                  of_query.distances.end());
      neighbours.offsets.push_back(std::ssize(neighbours.indices));
    }
  }
  return neighbours;
}

template <class T>
std::span<const T> of_query(const std::vector<T>& all, const std::vector<int64_t>& offsets, int64_t query) {
  if (query < 0 || query >= std::ssize(offsets) - 1) {
    throw UsageError(fmt::format("mneme: the neighbours of query {} were requested, but there are {} queries."
                                 "\n  Indices start at 0.",
                                 query, std::ssize(offsets) - 1));
  }
  const auto begin = offsets[static_cast<size_t>(query)], end = offsets[static_cast<size_t>(query) + 1];
  return std::span(all).subspan(static_cast<size_t>(begin), static_cast<size_t>(end - begin));
}

/// A stored pattern and its score for one query.
struct Candidate {
  double score;
  int64_t index;
  bool operator<(const Candidate& other) const { // the nearest first
    return score != other.score ? score > other.score : index < other.index;
  }
};

/// Sorts the candidates and keeps the first k, with Ties::all also those with the score of the last one.
void keep_nearest(std::vector<Candidate>& candidates, int64_t k, Ties ties) {
  if (ties == Ties::first && std::ssize(candidates) > k) {
    std::nth_element(candidates.begin(), candidates.begin() + k, candidates.end());
    candidates.resize(static_cast<size_t>(k));
  }
  std::ranges::sort(candidates, std::less<>());
  auto end = candidates.begin() + std::min(k, std::ssize(candidates));
  while (end != candidates.begin() && end != candidates.end() && end->score == (end - 1)->score) {
    ++end; // with Ties::first there are no candidates after `end`
  }
  candidates.erase(end, candidates.end());
}

/// The candidates among the scores of rows from `first` on, best first. Once there are k of one query, in any
/// tile, later ones must be as good as the worst of them: `score_min` rises.
std::vector<Candidate> candidates_of(std::span<const double> scores, int64_t first, int64_t k, Ties ties,
                                     std::atomic<double>& score_min) {
  constexpr int64_t kSpare = 64; // candidates are sorted when there are so many more than necessary
  std::vector<Candidate> candidates;
  double least = score_min;
  int64_t full = k + kSpare;
  for (size_t s = 0; s < scores.size(); ++s) {
    if (!(scores[s] >= least)) {
      continue;
    }
    candidates.push_back({scores[s], first + static_cast<int64_t>(s)});
    if (std::ssize(candidates) >= full) {
      keep_nearest(candidates, k, ties);
      least = candidates.back().score;
      full = 2 * std::ssize(candidates) + kSpare;
    }
  }
  keep_nearest(candidates, k, ties);
  if (std::ssize(candidates) >= k) {
    const double worst = candidates.back().score;
    while (least < worst && !score_min.compare_exchange_weak(least, worst)) {
    }
  }
  return candidates;
}

/// Refuses a score whose squared differences or products are too small for double, so that its order among
/// others is unknown. Terms that underflow change a sum by less than 2^-1074 each, which matters only for a
/// tiny one.
///
/// Errors  UsageError that names the query and the stored pattern
void require_no_underflow(double score, const Similarity& similarity, std::span<const double> query,
                          std::span<const double> stored, int64_t query_index, int64_t stored_index) {
  constexpr double kTermMin = std::numeric_limits<double>::min();
  const bool are_products = std::holds_alternative<Dot>(similarity);
  if (!(are_products || std::holds_alternative<Euclidean>(similarity)) ||
      std::abs(score) >= 2 * kTermMin * static_cast<double>(query.size())) {
    return;
  }
  bool underflows = false;
  for (size_t i = 0; i < query.size(); ++i) {
    underflows |= are_products ? query[i] != 0 && stored[i] != 0 && std::abs(query[i] * stored[i]) < kTermMin
                               : query[i] != stored[i];
  }
  if (underflows) {
    throw UsageError(fmt::format(
        "mneme: the similarity of query {} and stored pattern {} underflows double: it is the sum of {} of "
        "numbers that are too small.\n  Multiply queries and stored patterns by a common factor, or compare "
        "them by Cosine, which ignores their norm{}.",
        query_index, stored_index, are_products ? "products" : "squared differences",
        are_products ? "" : ", or Manhattan"));
  }
}

/// Stored patterns, as they are compared, in tiles.
class ComparedTiles {
public:
  /// `is_reused`: tiles are read so often that a scaled copy is worth its memory.
  ComparedTiles(const RealPatterns& stored, const Similarity& similarity, bool is_reused)
      : stored_(stored), scales_(uses_cosine(similarity)),
        rows_per_tile_(std::clamp<int64_t>(kNumbersPerTile / std::max<int64_t>(stored.size(), 1), 32, 1024)) {
    if (scales_ && is_reused) {
      scaled_ = normalised(stored);
      scales_ = false;
    }
  }

  int64_t count() const { return (stored_.count() + rows_per_tile_ - 1) / rows_per_tile_; }
  int64_t begin(int64_t tile) const { return tile * rows_per_tile_; }
  int64_t rows(int64_t tile) const { return std::min(rows_per_tile_, stored_.count() - begin(tile)); }
  int64_t rows_per_tile() const { return rows_per_tile_; }

  /// The numbers of a tile; `buffer` may keep them.
  const double* numbers(int64_t tile, std::vector<double>& buffer) const {
    const RealPatterns& compared = scaled_.empty() ? stored_ : scaled_;
    const double* from = compared.data() + begin(tile) * stored_.size();
    if (!scales_) {
      return from;
    }
    const auto size = static_cast<size_t>(stored_.size());
    buffer.assign(from, from + rows(tile) * stored_.size());
    for (size_t i = 0; i < buffer.size(); i += size) {
      scale_to_length(std::span(buffer).subspan(i, size), 1.0);
    }
    return buffer.data();
  }

private:
  static constexpr int64_t kNumbersPerTile = 1 << 15; // a quarter of an L2 cache of 1 MB

  const RealPatterns& stored_;
  RealPatterns scaled_; ///< empty unless all of them were scaled at once
  bool scales_;
  int64_t rows_per_tile_;
};

/// The k candidates with the largest scores of at least `score_min` for each query.
RealNeighbours search(const RealPatterns& queries, const RealPatterns& stored, const Similarity& similarity,
                      int64_t k, Ties ties, double score_min) {
  constexpr int64_t kQueriesMax = 64, kCandidatesMax = 1 << 22; // 64 MB
  require_same_size("a query", queries.size(), "a stored pattern", stored.size());
  require_finite("query", queries);
  RealNeighbours neighbours;
  if (uses_cosine(similarity) || k == 0 || queries.empty()) { // else the scores show it
    require_finite("stored pattern", stored);
  }
  if (k == 0 || stored.empty()) {
    neighbours.offsets.resize(static_cast<size_t>(queries.count()) + 1, 0);
    return neighbours;
  }
  const RealPatterns compared = prepared(queries, similarity);
  const ComparedTiles tiles(stored, similarity, queries.count() > 4 * kQueriesMax);
  const int64_t size = stored.size();
  const int64_t block = std::clamp<int64_t>(
      kCandidatesMax / (tiles.count() * std::min(k, tiles.rows_per_tile())), 1, kQueriesMax);
  for (int64_t first = 0; first < queries.count(); first += block) {
    const int64_t count = std::min(block, queries.count() - first);
    std::vector<std::vector<Candidate>> of_tiles(static_cast<size_t>(tiles.count() * count));
    std::vector<std::atomic<double>> minima(static_cast<size_t>(count));
    std::ranges::fill(minima, score_min);
    parallel_for(tiles.count(), 1, [&](int64_t tile, int64_t) {
      const int64_t begin = tiles.begin(tile), num_rows = tiles.rows(tile);
      std::vector<double> buffer, scores(static_cast<size_t>(count * num_rows));
      score_block(compared.data() + first * size, count, tiles.numbers(tile, buffer), num_rows, size,
                  similarity, scores.data(), num_rows);
      for (int64_t q = 0; q < count; ++q) {
        const std::span<const double> of_scores =
            std::span(scores).subspan(static_cast<size_t>(q * num_rows), static_cast<size_t>(num_rows));
        if (!all_finite(of_scores)) {
          require_finite("stored pattern", stored);
          require_finite_scores(of_scores, first + q, "double", begin);
        }
        of_tiles[static_cast<size_t>(q * tiles.count() + tile)] =
            candidates_of(of_scores, begin, k, ties, minima[static_cast<size_t>(q)]);
      }
    });
    for (int64_t q = 0; q < count; ++q) {
      std::vector<Candidate> candidates;
      for (int64_t tile = 0; tile < tiles.count(); ++tile) {
        const auto& of_tile = of_tiles[static_cast<size_t>(q * tiles.count() + tile)];
        candidates.insert(candidates.end(), of_tile.begin(), of_tile.end());
      }
      keep_nearest(candidates, k, ties);
      for (const Candidate& candidate : candidates) {
        require_no_underflow(candidate.score, similarity, queries[first + q], stored[candidate.index],
                             first + q, candidate.index);
        neighbours.indices.push_back(candidate.index);
        neighbours.scores.push_back(candidate.score);
      }
      neighbours.offsets.push_back(std::ssize(neighbours.indices));
    }
  }
  return neighbours;
}

} // namespace

std::span<const int64_t> BitNeighbours::indices_of(int64_t query) const {
  return of_query(indices, offsets, query);
}
std::span<const int32_t> BitNeighbours::distances_of(int64_t query) const {
  return of_query(distances, offsets, query);
}
std::span<const int64_t> RealNeighbours::indices_of(int64_t query) const {
  return of_query(indices, offsets, query);
}
std::span<const double> RealNeighbours::scores_of(int64_t query) const {
  return of_query(scores, offsets, query);
}

BitNeighbours nearest(const BitPatterns& queries, const BitPatterns& stored, int64_t k, Ties ties) {
  require_not_negative("k, the number of neighbours,", k);
  k = std::min(k, stored.count());
  // Until the k nearest are known, each thread keeps k rows of a tile.
  constexpr int64_t kTilesKept = 64;
  const int64_t selected = k < stored.count() / kTilesKept ? k * kTilesKept : stored.count();
  return search(queries, stored, k, ties, selected,
                [&](int64_t first, int64_t count) { return scan_nearest(queries, first, count, stored, k); });
}

BitNeighbours within(const BitPatterns& queries, const BitPatterns& stored, int64_t hamming_radius) {
  require_not_negative("the Hamming radius", hamming_radius);
  const auto limit = static_cast<int32_t>(std::min(hamming_radius, stored.bits()));
  const auto within_limit = [limit](int32_t) { return limit; };
  return search(
      queries, stored, stored.count(), Ties::first, expected_selection(queries, stored, within_limit),
      [&](int64_t first, int64_t count) { return scan_near(queries, first, count, stored, within_limit); });
}

RealNeighbours nearest(const RealPatterns& queries, const RealPatterns& stored, int64_t k,
                       const Similarity& similarity, Ties ties) {
  require_not_negative("k, the number of neighbours,", k);
  return search(queries, stored, similarity, std::min(k, stored.count()), ties,
                -std::numeric_limits<double>::infinity());
}

RealNeighbours at_least(const RealPatterns& queries, const RealPatterns& stored, double score_min,
                        const Similarity& similarity) {
  if (std::isnan(score_min)) {
    throw UsageError("mneme: the minimum score is not a number.\n  Give a number.");
  }
  return search(queries, stored, similarity, stored.count(), Ties::first, score_min);
}

} // namespace mneme
