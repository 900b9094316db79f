// SPDX-License-Identifier: MIT

#include "memory/bit_scan.h"

#include <algorithm>
#include <atomic>
#include <limits>
#include <memory>
#include <mutex>
#include <optional>

#include <fmt/format.h>

#include "kernels/hamming/hamming.h"
#include "kernels/select_rows/select_rows.h"
#include "mneme/core/error.h"
#include "mneme/core/parallel.h"

namespace mneme {
namespace {

/// Rows that are compared at once. Many queries: their distances to a tile stay within a second-level cache
/// (64 queries: 256 kB). Few queries: tiles are larger, for a tile takes about a microsecond besides its
/// distances, but there are at least 8 tiles to share between threads.
int64_t rows_per_tile(int64_t num_queries, int64_t num_stored) {
  constexpr int64_t kMin = 1024, kMax = 8192, kFewQueries = 4;
  return num_queries > kFewQueries ? kMin : std::clamp(num_stored / 8 / kMin * kMin, kMin, kMax);
}

/// Distances [count, rows] of queries to `rows` stored patterns from `begin` on.
std::unique_ptr<int32_t[]> tile_distances(const uint64_t* queries, int64_t count, const BitPatterns& stored,
                                          int64_t begin, int64_t rows) {
  auto distances = std::make_unique_for_overwrite<int32_t[]>(static_cast<size_t>(count * rows));
  kernels::hamming({.queries = queries,
                    .stored = stored.data() + begin * stored.words(),
                    .distances = distances.get(),
                    .num_queries = count,
                    .num_stored = rows,
                    .words = stored.words()});
  return distances;
}

/// The smallest distance of a query so far; several threads lower it.
class SharedMin {
public:
  void lower(int32_t distance) {
    int32_t before = min_.load(std::memory_order_relaxed);
    while (distance < before && !min_.compare_exchange_weak(before, distance, std::memory_order_relaxed)) {
    }
  }
  int32_t value() const { return min_.load(std::memory_order_relaxed); }

private:
  std::atomic<int32_t> min_{std::numeric_limits<int32_t>::max()};
};

/// The k smallest distances of a query so far, which several threads add to.
class SmallestDistances {
public:
  /// Adds distances; returns the k-th smallest so far, the largest int32_t if there are fewer.
  int32_t add(const std::vector<int32_t>& distances, int64_t k) {
    const std::lock_guard lock(mutex_);
    for (const int32_t distance : distances) {
      if (std::ssize(heap_) < k) {
        heap_.push_back(distance);
        std::ranges::push_heap(heap_);
      } else if (distance < heap_.front()) {
        std::ranges::pop_heap(heap_);
        heap_.back() = distance;
        std::ranges::push_heap(heap_);
      }
    }
    return std::ssize(heap_) < k ? std::numeric_limits<int32_t>::max() : heap_.front();
  }

private:
  std::mutex mutex_;
  std::vector<int32_t> heap_; ///< the largest first
};

/// With `k`, limits are upper bounds of the k-th smallest distance of each query.
class Scan {
public:
  Scan(const BitPatterns& queries, int64_t first, int64_t count, const BitPatterns& stored,
       const DistanceLimit& limit, std::optional<int64_t> k = std::nullopt)
      : queries_(queries), first_(first), count_(count), stored_(stored), limit_(limit), k_(k),
        tile_rows_(rows_per_tile(count, stored.count())),
        tiles_((stored.count() + tile_rows_ - 1) / tile_rows_), selected_(static_cast<size_t>(count)),
        min_(static_cast<size_t>(count)), smallest_(static_cast<size_t>(k ? count : 0)),
        deferred_(static_cast<size_t>(tiles_ * count), 0) {
    for (NearRows& of_query : selected_) {
      of_query.tiles.resize(static_cast<size_t>(tiles_));
    }
  }

  std::vector<NearRows> run() {
    std::vector<int64_t> all(static_cast<size_t>(count_));
    for (int64_t q = 0; q < count_; ++q) {
      all[static_cast<size_t>(q)] = q;
    }
    // While the smallest distance is not yet known, a limit that depends on it can select far too many rows:
    // such tiles are scanned a second time instead of keeping them.
    const bool may_defer = !k_ && tiles_ > 1 && limit_(0) != limit_(static_cast<int32_t>(stored_.bits()));
    parallel_for(tiles_, 1, [&](int64_t tile, int64_t) { scan_tile(tile, all, may_defer); });
    if (may_defer) {
      parallel_for(tiles_, 1, [&](int64_t tile, int64_t) {
        std::vector<int64_t> again;
        std::ranges::copy_if(all, std::back_inserter(again),
                             [&](int64_t q) { return is_deferred(tile, q) != 0; });
        if (!again.empty()) {
          scan_tile(tile, again, false);
        }
      });
    }
    for (int64_t q = 0; q < count_ && tiles_ > 0; ++q) {
      NearRows& of_query = selected_[static_cast<size_t>(q)];
      of_query.min_distance = min_[static_cast<size_t>(q)].value();
      std::erase_if(of_query.tiles, [](const RowDistances& tile) { return tile.rows.empty(); });
      for (RowDistances& tile : of_query.tiles) { // selected before the smallest distance was known
        keep_within(limit_(of_query.min_distance), tile);
      }
    }
    return std::move(selected_);
  }

private:
  uint8_t& is_deferred(int64_t tile, int64_t query) {
    return deferred_[static_cast<size_t>(tile * count_ + query)];
  }

  /// Distances of the tile to some of the queries, and the rows within the limits known by now.
  void scan_tile(int64_t tile, const std::vector<int64_t>& queries, bool may_defer) {
    const int64_t begin = tile * tile_rows_, rows = std::min(tile_rows_, stored_.count() - begin);
    const auto count = static_cast<int64_t>(queries.size()), words = queries_.words();
    const uint64_t* compared = queries_.data() + first_ * words;
    std::vector<uint64_t> gathered;
    if (count < count_) {
      for (const int64_t q : queries) {
        gathered.insert(gathered.end(), compared + q * words, compared + (q + 1) * words);
      }
      compared = gathered.data();
    }
    const auto distances = tile_distances(compared, count, stored_, begin, rows);
    const auto near = std::make_unique_for_overwrite<int32_t[]>(static_cast<size_t>(2 * rows));
    for (int64_t i = 0; i < count; ++i) {
      const auto q = static_cast<size_t>(queries[static_cast<size_t>(i)]);
      const int32_t* of_query = distances.get() + i * rows;
      if (!k_) {
        min_[q].lower(kernels::min_distance(of_query, rows));
      }
      const auto select = [&](int64_t of_rows) {
        return kernels::select_rows({.distances = of_query,
                                     .rows = near.get(),
                                     .row_distances = near.get() + rows,
                                     .num_rows = of_rows,
                                     .limit = limit_(min_[q].value()),
                                     .first_row = static_cast<int32_t>(begin)});
      };
      constexpr int64_t kSample = 64, kSelectedMax = 16; // what is deferred matters to time alone
      if (may_defer && rows > kSample && select(kSample) > kSelectedMax) {
        is_deferred(tile, static_cast<int64_t>(q)) = 1;
      } else if (const int64_t selected = select(rows); selected > 0) {
        RowDistances& kept = selected_[q].tiles[static_cast<size_t>(tile)];
        kept = {{near.get(), near.get() + selected}, {near.get() + rows, near.get() + rows + selected}};
        if (k_) {
          keep_nearest(smallest_[q], min_[q], kept);
        }
      }
    }
  }

  /// Lowers the limit of a query by the rows of a tile, and leaves out rows beyond it.
  void keep_nearest(SmallestDistances& smallest, SharedMin& limit, RowDistances& tile) const {
    if (*k_ == 0) {
      limit.lower(-1);
    } else {
      std::vector<int32_t> nearest = tile.distances;
      if (std::ssize(nearest) > *k_) {
        std::ranges::nth_element(nearest, nearest.begin() + *k_);
        nearest.resize(static_cast<size_t>(*k_));
      }
      limit.lower(smallest.add(nearest, *k_));
    }
    keep_within(limit.value(), tile);
  }

  static void keep_within(int32_t limit, RowDistances& tile) {
    size_t kept = 0;
    for (size_t i = 0; i < tile.rows.size(); ++i) {
      tile.rows[kept] = tile.rows[i];
      tile.distances[kept] = tile.distances[i];
      kept += tile.distances[i] <= limit ? 1 : 0;
    }
    tile.rows.resize(kept);
    tile.distances.resize(kept);
  }

  const BitPatterns& queries_;
  int64_t first_, count_;
  const BitPatterns& stored_;
  const DistanceLimit& limit_;
  std::optional<int64_t> k_;
  int64_t tile_rows_, tiles_;
  std::vector<NearRows> selected_;
  std::vector<SharedMin> min_;
  std::vector<SmallestDistances> smallest_; ///< where there is a k
  std::vector<uint8_t> deferred_;           ///< [tiles, count]
};

} // namespace

int64_t NearRows::count() const {
  int64_t rows = 0;
  for (const RowDistances& tile : tiles) {
    rows += std::ssize(tile.rows);
  }
  return rows;
}

int64_t queries_per_scan(int64_t num_stored) {
  constexpr int64_t kSelectedMax = 1 << 23; // if all rows are selected: 64 MB
  return std::clamp<int64_t>(kSelectedMax / std::max<int64_t>(num_stored, 1), 1, 64);
}

std::vector<NearRows> scan_near(const BitPatterns& queries, int64_t first, int64_t count,
                                const BitPatterns& stored, const DistanceLimit& limit) {
  return Scan(queries, first, count, stored, limit).run();
}

std::vector<NearRows> scan_nearest(const BitPatterns& queries, int64_t first, int64_t count,
                                   const BitPatterns& stored, int64_t k) {
  return Scan(
             queries, first, count, stored, [](int32_t bound) { return bound; }, k)
      .run();
}

std::vector<int64_t> count_within(const BitPatterns& queries, int64_t first,
                                  const std::vector<int32_t>& limits, const BitPatterns& stored) {
  const auto count = static_cast<int64_t>(limits.size());
  const int64_t tile_rows = rows_per_tile(count, stored.count());
  std::vector<std::atomic<int64_t>> within(limits.size());
  parallel_for(stored.count(), tile_rows, [&](int64_t begin, int64_t end) {
    const int64_t rows = end - begin;
    const auto distances =
        tile_distances(queries.data() + first * queries.words(), count, stored, begin, rows);
    for (int64_t q = 0; q < count; ++q) {
      const int32_t* of_query = distances.get() + q * rows;
      const int32_t limit = limits[static_cast<size_t>(q)];
      within[static_cast<size_t>(q)] +=
          std::count_if(of_query, of_query + rows, [limit](int32_t distance) { return distance <= limit; });
    }
  });
  return {within.begin(), within.end()};
}

void require_scannable(const BitPatterns& stored) {
  if (stored.count() >= int64_t{1} << 30) {
    throw UsageError(fmt::format("mneme: there are {} stored patterns, but at most 2^30 - 1 bit patterns can "
                                 "be compared by their Hamming "
                                 "distance.\n  Use several memories or several searches.",
                                 stored.count()));
  }
  if (stored.bits() >= int64_t{1} << 30) {
    throw UsageError(fmt::format(
        "mneme: the stored patterns have {} bits, but at most 2^30 - 1 are supported.", stored.bits()));
  }
}

} // namespace mneme
