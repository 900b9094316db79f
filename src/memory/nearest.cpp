// SPDX-License-Identifier: MIT

#include "mneme/memory/nearest.h"

#include <algorithm>
#include <limits>
#include <utility>

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

/// The selected rows of one query, the nearest first, at most k.
std::vector<std::pair<int32_t, int32_t>> sorted(const NearRows& near, int64_t k) {
  std::vector<std::pair<int32_t, int32_t>> found; // distance, row
  for (const RowDistances& tile : near.tiles) {
    for (size_t i = 0; i < tile.rows.size(); ++i) {
      found.emplace_back(tile.distances[i], tile.rows[i]);
    }
  }
  if (k >= std::ssize(found)) {
    std::ranges::sort(found);
    return found;
  }
  std::ranges::partial_sort(found, found.begin() + k);
  found.resize(static_cast<size_t>(k));
  return found;
}

/// scan(first query, count) for all queries; at most k results for each.
template <class Scan>
BitNeighbours search(const BitPatterns& queries, const BitPatterns& stored, int64_t k, const Scan& scan) {
  require_same_size("a query", queries.bits(), "a stored pattern", stored.bits());
  require_scannable(stored);
  BitNeighbours neighbours;
  const int64_t block = queries_per_scan(stored.count());
  for (int64_t first = 0; first < queries.count(); first += block) {
    const std::vector<NearRows> near = scan(first, std::min(block, queries.count() - first));
    std::vector<std::vector<std::pair<int32_t, int32_t>>> found(near.size());
    parallel_for(std::ssize(near), 1, [&](int64_t q, int64_t) {
      found[static_cast<size_t>(q)] = sorted(near[static_cast<size_t>(q)], k);
    });
    for (const auto& of_query : found) {
      for (const auto& [distance, row] : of_query) {
        neighbours.indices.push_back(row);
        neighbours.distances.push_back(distance);
      }
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
  return search(queries, stored, k,
                [&](int64_t first, int64_t count) { return scan_nearest(queries, first, count, stored, k); });
}

BitNeighbours within(const BitPatterns& queries, const BitPatterns& stored, int64_t hamming_radius) {
  require_not_negative("the Hamming radius", hamming_radius);
  const auto limit = static_cast<int32_t>(std::min(hamming_radius, stored.bits()));
  return search(queries, stored, stored.count(), [&](int64_t first, int64_t count) {
    return scan_near(queries, first, count, stored, [limit](int32_t) { return limit; });
  });
}

} // namespace mneme
