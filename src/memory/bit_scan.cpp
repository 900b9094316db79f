// SPDX-License-Identifier: MIT

#include "memory/bit_scan.h"

#include <algorithm>
#include <atomic>
#include <limits>
#include <memory>
#include <mutex>
#include <optional>
#include <span>

#include <fmt/format.h>

#include "kernels/hamming/hamming.h"
#include "kernels/radius_scan/radius_scan.h"
#include "mneme/core/error.h"
#include "mneme/core/parallel.h"

namespace mneme {
namespace {

/// Rows that are compared at once. A tile takes about a microsecond besides its comparisons, but there are at
/// least 8 tiles to share between threads. Where the limits of many queries fall while rows are scanned,
/// small tiles select fewer rows before they have fallen.
int64_t rows_per_tile(int64_t num_queries, int64_t num_stored, bool limits_are_fixed) {
  constexpr int64_t kMin = 1024, kMax = 8192, kFewQueries = 4;
  return num_queries > kFewQueries && !limits_are_fixed
             ? kMin
             : std::clamp(num_stored / 8 / kMin * kMin, kMin, kMax);
}

/// Buffers of one thread for the rows of a tile that are near each query. They are kept for the next search,
/// at most 4 MB: fresh memory of the system takes as long as a search among 10 000 patterns.
struct TileScratch {
  static TileScratch& of_this_thread(int64_t num_queries, int64_t rows) {
    thread_local TileScratch scratch;
    const auto queries = static_cast<size_t>(num_queries), size = 2 * queries * static_cast<size_t>(rows);
    if (scratch.size_ < size) {
      scratch.lists = std::make_unique_for_overwrite<int32_t[]>(size);
      scratch.size_ = size;
    }
    scratch.limits.resize(queries), scratch.min_distances.resize(queries), scratch.counts.resize(queries);
    return scratch;
  }

  std::unique_ptr<int32_t[]> lists; ///< rows, then distances
  std::vector<int32_t> limits, min_distances;
  std::vector<int64_t> counts;

private:
  size_t size_ = 0; ///< of the lists
};

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
  /// Adds distances; returns the k-th smallest so far, the largest int32_t if there are fewer, and -1 if k is
  /// 0.
  int32_t add(std::span<const int32_t> distances, int64_t k) {
    if (k == 0) {
      return -1;
    }
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

/// Queries whose distances are kept until the smallest one is known. More are compared bit-sliced, which
/// selects rows at once.
constexpr int64_t kKeptQueriesMax = 4;
constexpr int64_t kKeptBitsMax = std::numeric_limits<uint16_t>::max();

/// With `k`, limits are upper bounds of the k-th smallest distance of each query.
class Scan {
public:
  Scan(const BitPatterns& queries, int64_t first, int64_t count, const BitPatterns& stored,
       const DistanceLimit& limit, std::optional<int64_t> k = std::nullopt)
      : queries_(queries), first_(first), count_(count), stored_(stored), limit_(limit), k_(k),
        limits_are_fixed_(!k && limit(0) == limit(static_cast<int32_t>(stored.bits()))),
        tile_rows_(rows_per_tile(count, stored.count(), limits_are_fixed_)),
        tiles_((stored.count() + tile_rows_ - 1) / tile_rows_), selected_(static_cast<size_t>(count)),
        min_(static_cast<size_t>(count)), smallest_(static_cast<size_t>(k ? count : 0)),
        deferred_(static_cast<size_t>(tiles_ * count), 0),
        prepared_(kernels::prepare_radius_queries(queries.data() + first * queries.words(), count,
                                                  queries.words(), stored.count())) {
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
    const bool may_defer = !k_ && !limits_are_fixed_;
    const auto bits = static_cast<int32_t>(stored_.bits());
    const bool only_nearest = limit_(0) == 0 && limit_(bits / 2) == bits / 2; // few rows are selected early
    if (may_defer && !only_nearest && count_ <= kKeptQueriesMax && bits <= kKeptBitsMax) {
      return run_with_distances();
    }
    if (may_defer || k_) {
      sample_distances();
    }
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
        if (!limits_are_fixed_) {
          keep_within(limit_(of_query.min_distance), tile);
        }
      }
    }
    return std::move(selected_);
  }

private:
  /// Reads the stored patterns once: all distances are kept, in 2 bytes each, until the limits are known.
  std::vector<NearRows> run_with_distances() {
    const int64_t num_stored = stored_.count(), words = stored_.words();
    const auto kept = std::make_unique_for_overwrite<uint16_t[]>(static_cast<size_t>(count_ * num_stored));
    parallel_for(tiles_, 1, [&](int64_t tile, int64_t) {
      const TileScratch& buffers = TileScratch::of_this_thread(count_, tile_rows_);
      const int64_t begin = tile * tile_rows_, rows = std::min(tile_rows_, num_stored - begin);
      kernels::hamming({.queries = queries_.data() + first_ * words,
                        .stored = stored_.data() + begin * words,
                        .distances = buffers.lists.get(),
                        .num_queries = count_,
                        .num_stored = rows,
                        .words = words});
      for (int64_t q = 0; q < count_; ++q) {
        const int32_t* distances = buffers.lists.get() + q * rows;
        uint16_t* to = kept.get() + q * num_stored + begin;
        int32_t min = std::numeric_limits<int32_t>::max();
        for (int64_t i = 0; i < rows; ++i) {
          min = std::min(min, distances[i]);
          to[i] = static_cast<uint16_t>(distances[i]);
        }
        min_[static_cast<size_t>(q)].lower(min);
      }
    });
    for (size_t q = 0; q < selected_.size() && tiles_ > 0; ++q) {
      NearRows& of_query = selected_[q];
      of_query.min_distance = min_[q].value();
      const int32_t limit = limit_(of_query.min_distance);
      const uint16_t* distances = kept.get() + static_cast<int64_t>(q) * num_stored;
      parallel_for(tiles_, 1, [&](int64_t tile, int64_t) {
        RowDistances& near = of_query.tiles[static_cast<size_t>(tile)];
        for (int64_t row = tile * tile_rows_; row < std::min(num_stored, (tile + 1) * tile_rows_); ++row) {
          if (distances[row] <= limit) {
            near.rows.push_back(static_cast<int32_t>(row));
            near.distances.push_back(distances[row]);
          }
        }
      });
      std::erase_if(of_query.tiles, [](const RowDistances& tile) { return tile.rows.empty(); });
    }
    return std::move(selected_);
  }

  uint8_t& is_deferred(int64_t tile, int64_t query) {
    return deferred_[static_cast<size_t>(tile * count_ + query)];
  }

  /// Lowers the smallest distances, or the bounds of the k-th smallest ones, by those of a few rows:
  /// otherwise all rows of the first tiles are selected.
  void sample_distances() {
    constexpr int64_t kSample = 512;
    const int64_t rows = std::min(kSample, stored_.count());
    std::vector<int32_t> distances(static_cast<size_t>(count_ * rows));
    kernels::hamming({.queries = queries_.data() + first_ * queries_.words(),
                      .stored = stored_.data(),
                      .distances = distances.data(),
                      .num_queries = count_,
                      .num_stored = rows,
                      .words = stored_.words()});
    for (int64_t q = 0; q < count_; ++q) {
      const std::span of_query(distances.data() + q * rows, static_cast<size_t>(rows));
      min_[static_cast<size_t>(q)].lower(SmallestDistances().add(of_query, k_.value_or(1)));
    }
  }

  /// Compares a tile with some of the queries, and keeps the rows within the limits known by now.
  void scan_tile(int64_t tile, const std::vector<int64_t>& queries, bool may_defer) {
    TileScratch& buffers = TileScratch::of_this_thread(count_, tile_rows_);
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
    for (size_t i = 0; i < queries.size(); ++i) {
      const int32_t min = min_[static_cast<size_t>(queries[i])].value();
      buffers.limits[i] = k_ ? limit_(min) : limit_(std::min(min, static_cast<int32_t>(stored_.bits())));
      buffers.min_distances[i] = min;
    }
    const int64_t capacity = may_defer ? rows / 4 : rows; // what is deferred matters to time alone
    int32_t* near_rows = buffers.lists.get();
    int32_t* near_distances = near_rows + count_ * tile_rows_;
    kernels::radius_scan({.queries = compared,
                          .stored = stored_.data() + begin * words,
                          .limits = buffers.limits.data(),
                          .rows = near_rows,
                          .distances = near_distances,
                          .counts = buffers.counts.data(),
                          .min_distances = k_ ? nullptr : buffers.min_distances.data(),
                          .num_queries = count,
                          .num_stored = rows,
                          .words = words,
                          .capacity = capacity,
                          .first_row = static_cast<int32_t>(begin),
                          .prepared = count < count_ ? nullptr : &prepared_});
    for (int64_t i = 0; i < count; ++i) {
      const auto q = static_cast<size_t>(queries[static_cast<size_t>(i)]);
      const int64_t selected = buffers.counts[static_cast<size_t>(i)];
      if (!k_) {
        min_[q].lower(buffers.min_distances[static_cast<size_t>(i)]);
      }
      if (selected > capacity) {
        is_deferred(tile, static_cast<int64_t>(q)) = 1;
      } else if (selected > 0) {
        const int32_t* from = near_rows + i * capacity;
        const int32_t* distances = near_distances + i * capacity;
        RowDistances& kept = selected_[q].tiles[static_cast<size_t>(tile)];
        kept = {{from, from + selected}, {distances, distances + selected}};
        if (k_) {
          keep_nearest(smallest_[q], min_[q], kept);
        } else if (!limits_are_fixed_) {
          keep_within(limit_(min_[q].value()), kept);
        }
      }
    }
  }

  /// Lowers the limit of a query by the rows of a tile, and leaves out rows beyond it.
  void keep_nearest(SmallestDistances& smallest, SharedMin& limit, RowDistances& tile) const {
    std::vector<int32_t> nearest = tile.distances;
    if (std::ssize(nearest) > *k_) {
      std::ranges::nth_element(nearest, nearest.begin() + *k_);
      nearest.resize(static_cast<size_t>(*k_));
    }
    limit.lower(smallest.add(nearest, *k_));
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
  bool limits_are_fixed_;
  int64_t tile_rows_, tiles_;
  std::vector<NearRows> selected_;
  std::vector<SharedMin> min_;
  std::vector<SmallestDistances> smallest_; ///< where there is a k
  std::vector<uint8_t> deferred_;           ///< [tiles, count]
  kernels::RadiusQueries prepared_;
};

} // namespace

int64_t NearRows::count() const {
  int64_t rows = 0;
  for (const RowDistances& tile : tiles) {
    rows += std::ssize(tile.rows);
  }
  return rows;
}

int64_t queries_per_scan(int64_t selected) {
  constexpr int64_t kSelectedMax = 1 << 23; // of all queries: 64 MB
  return std::clamp<int64_t>(kSelectedMax / std::max<int64_t>(selected, 1), 1, 64);
}

int64_t expected_selection(const BitPatterns& queries, const BitPatterns& stored,
                           const DistanceLimit& limit) {
  constexpr int64_t kSample = 1024;
  const int64_t sampled = std::min(kSample, stored.count());
  if (queries.empty() || sampled == 0) {
    return 0;
  }
  int32_t none = -1, min_distance = static_cast<int32_t>(stored.bits());
  int64_t selected = 0;
  kernels::RadiusScanArgs args{.queries = queries.data(),
                               .stored = stored.data(),
                               .limits = &none,
                               .rows = nullptr,
                               .distances = nullptr,
                               .counts = &selected,
                               .min_distances = &min_distance,
                               .num_queries = 1,
                               .num_stored = sampled,
                               .words = stored.words(),
                               .capacity = 0,
                               .first_row = 0};
  kernels::radius_scan(args);
  const int32_t reach = limit(min_distance);
  args.limits = &reach;
  kernels::radius_scan(args);
  return selected * (stored.count() / sampled);
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
  const int64_t tile_rows = rows_per_tile(count, stored.count(), true);
  std::vector<std::atomic<int64_t>> within(limits.size());
  const kernels::RadiusQueries prepared = kernels::prepare_radius_queries(
      queries.data() + first * queries.words(), count, queries.words(), stored.count());
  parallel_for(stored.count(), tile_rows, [&](int64_t begin, int64_t end) {
    std::vector<int64_t> counts(limits.size());
    kernels::radius_scan({.queries = queries.data() + first * queries.words(),
                          .stored = stored.data() + begin * stored.words(),
                          .limits = limits.data(),
                          .rows = nullptr,
                          .distances = nullptr,
                          .counts = counts.data(),
                          .min_distances = nullptr,
                          .num_queries = count,
                          .num_stored = end - begin,
                          .words = stored.words(),
                          .capacity = 0,
                          .first_row = 0,
                          .prepared = &prepared});
    for (size_t q = 0; q < within.size(); ++q) {
      within[q] += counts[q];
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
