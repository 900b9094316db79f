// SPDX-License-Identifier: MIT

#include "mneme/memory/nearest.h"

#include <algorithm>
#include <numeric>

#include <fmt/format.h>

#include "memory/bit_scan.h"
#include "memory/checks.h"
#include "mneme/core/error.h"
#include "mneme/core/parallel.h"

namespace mneme {
namespace {

void require_not_negative(const char* what, int64_t value) {
  if (value < 0) {
    throw UsageError(fmt::format("mneme: {} is {}, but must be at least 0.", what, value));
  }
}

/// The selected rows of one query, the nearest first, at most k. Rows ascend, so a counting sort by distance
/// keeps those of equal distance in order.
RowDistances sorted(const NearRows& near, int64_t k) {
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
  const auto count = static_cast<size_t>(std::min(k, next.back()));
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

/// scan(first query, count) for all queries; at most k results for each.
template <class Scan>
BitNeighbours search(const BitPatterns& queries, const BitPatterns& stored, int64_t k, int64_t selected,
                     const Scan& scan) {
  require_same_size("a query", queries.bits(), "a stored pattern", stored.bits());
  require_scannable(stored);
  BitNeighbours neighbours;
  const int64_t block = queries_per_scan(selected);
  for (int64_t first = 0; first < queries.count(); first += block) {
    const std::vector<NearRows> near = scan(first, std::min(block, queries.count() - first));
    std::vector<RowDistances> found(near.size());
    parallel_for(std::ssize(near), 1, [&](int64_t q, int64_t) {
      found[static_cast<size_t>(q)] = sorted(near[static_cast<size_t>(q)], k);
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

} // namespace

std::span<const int64_t> BitNeighbours::indices_of(int64_t query) const {
  const auto begin = offsets[static_cast<size_t>(query)], end = offsets[static_cast<size_t>(query) + 1];
  return std::span(indices).subspan(static_cast<size_t>(begin), static_cast<size_t>(end - begin));
}

std::span<const int32_t> BitNeighbours::distances_of(int64_t query) const {
  const auto begin = offsets[static_cast<size_t>(query)], end = offsets[static_cast<size_t>(query) + 1];
  return std::span(distances).subspan(static_cast<size_t>(begin), static_cast<size_t>(end - begin));
}

BitNeighbours nearest(const BitPatterns& queries, const BitPatterns& stored, int64_t k) {
  require_not_negative("k, the number of neighbours,", k);
  // Until the k nearest are known, each thread keeps k rows of a tile.
  constexpr int64_t kTilesKept = 64;
  const int64_t selected = k < stored.count() / kTilesKept ? k * kTilesKept : stored.count();
  return search(queries, stored, k, selected,
                [&](int64_t first, int64_t count) { return scan_nearest(queries, first, count, stored, k); });
}

BitNeighbours within(const BitPatterns& queries, const BitPatterns& stored, int64_t hamming_radius) {
  require_not_negative("the Hamming radius", hamming_radius);
  const auto limit = static_cast<int32_t>(std::min(hamming_radius, stored.bits()));
  const auto within_limit = [limit](int32_t) { return limit; };
  return search(
      queries, stored, stored.count(), expected_selection(queries, stored, within_limit),
      [&](int64_t first, int64_t count) { return scan_near(queries, first, count, stored, within_limit); });
}

} // namespace mneme
