// SPDX-License-Identifier: MIT

#include "memory/bit_association.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <numbers>

#include "kernels/hamming/hamming.h"
#include "kernels/radius_scan/radius_scan.h"
#include "kernels/weighted_bit_sum/weighted_bit_sum.h"
#include "memory/overloaded.h"
#include "memory/pool.h"
#include "memory/scoring.h"
#include "mneme/core/parallel.h"

namespace mneme {
namespace {

/// With fewer stored patterns, the counts of a query take longer than its lists.
constexpr int64_t kStoredMinTileByTile = 100'000;

/// Largest distance in [0, last] with holds(distance), which holds up to some distance and not after it; -1
/// if for none.
template <class Holds> int32_t last_where(int32_t last, Holds holds) {
  int32_t low = -1, high = last;
  while (low < high) {
    const int32_t middle = low + (high - low + 1) / 2;
    holds(middle) ? low = middle : high = middle - 1;
  }
  return low;
}

/// sums [64 words] += weighted values of the rows, in parallel over groups of rows. Groups depend on the
/// ordinals of the selected rows alone, and are added in order.
void add_values(const NearRows& near, const std::vector<double>& weights, const BitPatterns& values,
                std::vector<double>& sums) {
  constexpr int64_t kRowsPerGroup = 1 << 14; // their values stay in a cache from one distance to the next
  std::vector<int64_t> tile_begins;          // ordinal of the first row of every tile
  int64_t num_rows = 0;
  for (const RowDistances& tile : near.tiles) {
    tile_begins.push_back(num_rows);
    num_rows += std::ssize(tile.rows);
  }
  std::vector<std::vector<double>> of_groups(
      static_cast<size_t>((num_rows + kRowsPerGroup - 1) / kRowsPerGroup));
  parallel_for(num_rows, kRowsPerGroup, [&](int64_t begin, int64_t end) {
    RowDistances group;
    const auto after = std::ranges::upper_bound(tile_begins, begin); // the tile before it has row `begin`
    for (auto tile = static_cast<size_t>(after - tile_begins.begin()) - 1;
         tile < near.tiles.size() && tile_begins[tile] < end; ++tile) {
      const RowDistances& of_tile = near.tiles[tile];
      const int64_t from = std::max<int64_t>(begin - tile_begins[tile], 0);
      const int64_t to = std::min(end - tile_begins[tile], std::ssize(of_tile.rows));
      group.rows.insert(group.rows.end(), of_tile.rows.begin() + from, of_tile.rows.begin() + to);
      group.distances.insert(group.distances.end(), of_tile.distances.begin() + from,
                             of_tile.distances.begin() + to);
    }
    std::vector<double>& of_group = of_groups[static_cast<size_t>(begin / kRowsPerGroup)];
    of_group.assign(sums.size(), 0.0);
    kernels::weighted_bit_sum({.values = values.data(),
                               .rows = group.rows.data(),
                               .distances = group.distances.data(),
                               .weights = weights.data(),
                               .sums = of_group.data(),
                               .num_rows = std::ssize(group.rows),
                               .words = values.words(),
                               .num_distances = std::ssize(weights)});
  });
  for (const auto& of_group : of_groups) {
    std::ranges::transform(sums, of_group, sums.begin(), std::plus<>());
  }
}

/// Buffers of one thread for a tile, and its counts for each query.
struct CountScratch {
  CountScratch(int64_t num_queries, int64_t rows, int64_t words, int64_t num_distances, int64_t max_rows)
      : lists(static_cast<size_t>(2 * num_queries * rows)), num_near(static_cast<size_t>(num_queries)) {
    for (int64_t q = 0; q < num_queries; ++q) {
      counts.emplace_back(words, num_distances, max_rows);
    }
  }

  std::vector<int32_t> lists; ///< distances, then rows
  std::vector<int64_t> num_near;
  std::vector<kernels::BitCounts> counts;
};

/// Number of stored patterns at each distance up to `limit`, and of those among them whose value has each
/// bit. Tile by tile: distances first, then counts, while the tile is in a cache. If most patterns are near,
/// those beyond the limit are counted as well, and no lists are made.
std::vector<kernels::BitCounts> count_near(const BitPatterns& queries, int64_t first, int64_t count,
                                           const BitPatterns& stored, const BitPatterns& values,
                                           int32_t limit, bool most_are_near) {
  // A tile stays in the cache of a core. The sums of a tile end the stream of reads from memory, so that
  // short tiles are slow, too.
  constexpr int64_t kTileWords = 1 << 15, kTilesPerBlockMax = 16;
  const int64_t rows_per_tile =
      std::clamp<int64_t>(kTileWords / std::max<int64_t>(stored.words(), 1), 256, 4096);
  const std::vector<int32_t> limits(static_cast<size_t>(count), limit);
  const auto create = [&] {
    return CountScratch(count, rows_per_tile, values.words(), stored.bits() + 1, stored.count());
  };
  const auto count_tile = [&](int64_t begin, int64_t rows, CountScratch& scratch) {
    int32_t* distances = scratch.lists.data();
    int32_t* near = distances + count * rows_per_tile;
    const uint64_t* compared = queries.data() + first * queries.words();
    if (most_are_near) {
      kernels::hamming({.queries = compared,
                        .stored = stored.data() + begin * stored.words(),
                        .distances = distances,
                        .num_queries = count,
                        .num_stored = rows,
                        .words = stored.words()});
      std::ranges::fill(scratch.num_near, rows);
    } else {
      kernels::radius_scan({.queries = compared,
                            .stored = stored.data() + begin * stored.words(),
                            .limits = limits.data(),
                            .rows = near,
                            .distances = distances,
                            .counts = scratch.num_near.data(),
                            .min_distances = nullptr,
                            .num_queries = count,
                            .num_stored = rows,
                            .words = stored.words(),
                            .capacity = rows,
                            .first_row = static_cast<int32_t>(begin)});
    }
    for (int64_t q = 0; q < count; ++q) {
      kernels::count_bits({.counts = &scratch.counts[static_cast<size_t>(q)],
                           .values = values.data(),
                           .rows = most_are_near ? nullptr : near + q * rows,
                           .distances = distances + q * rows,
                           .num_rows = scratch.num_near[static_cast<size_t>(q)],
                           .first_row = static_cast<int32_t>(begin)});
    }
  };
  Pool<CountScratch> pool;
  const int64_t tiles = std::clamp(stored.count() / (8 * rows_per_tile), int64_t{1}, kTilesPerBlockMax);
  parallel_for(stored.count(), tiles * rows_per_tile, [&](int64_t begin, int64_t end) {
    pool.with(create, [&](CountScratch& scratch) {
      for (int64_t tile = begin; tile < end; tile += rows_per_tile) {
        count_tile(tile, std::min(rows_per_tile, end - tile), scratch);
      }
    });
  });
  std::vector<kernels::BitCounts> all;
  for (int64_t q = 0; q < count; ++q) {
    all.emplace_back(values.words(), stored.bits() + 1, stored.count());
  }
  parallel_for(count, 1, [&](int64_t q, int64_t) {
    kernels::BitCounts& merged = all[static_cast<size_t>(q)];
    for (size_t i = 0; i < pool.objects().size(); ++i) {
      kernels::BitCounts& of_thread = pool.objects()[i]->counts[static_cast<size_t>(q)];
      kernels::count_pending_bits(of_thread, values.data());
      if (i == 0) {
        merged = std::move(of_thread);
      } else {
        kernels::merge_counts(merged, of_thread);
      }
    }
  });
  return all;
}

/// Number of rows at each distance.
std::vector<int64_t> rows_by_distance(const kernels::BitCounts& counts) {
  std::vector<int64_t> rows_at(counts.slots.size(), 0);
  for (size_t d = 0; d < rows_at.size(); ++d) {
    rows_at[d] = counts.slots[d] < 0 ? 0 : counts.num_rows[static_cast<size_t>(counts.slots[d])];
  }
  return rows_at;
}
std::vector<int64_t> rows_by_distance(const NearRows& near, size_t num_distances) {
  std::vector<int64_t> rows_at(num_distances, 0);
  for (const RowDistances& tile : near.tiles) {
    for (const int32_t distance : tile.distances) {
      ++rows_at[static_cast<size_t>(distance)];
    }
  }
  return rows_at;
}

} // namespace

BitAssociation::BitAssociation(const Separator& separator, const Separation& separation,
                               const Similarity& similarity, int64_t bits)
    : separator_(separator), scores_(scores_by_distance(similarity, bits)) {
  const auto last = static_cast<int32_t>(bits);
  const auto all = [last](int32_t) { return last; };
  const auto nearest = [](int32_t min_distance) { return min_distance; };
  // Distances with beta * factor * (score(min_distance) - score) < 1; all others have weight 0.
  const auto within_threshold = [this, last](double beta, double factor) -> DistanceLimit {
    counts_matter_ = true;
    return [this, last, slope = beta * factor](int32_t min_distance) {
      const double best = scores_[static_cast<size_t>(min_distance)];
      return last_where(last,
                        [&](int32_t d) { return slope * (best - scores_[static_cast<size_t>(d)]) < 1; });
    };
  };
  const auto of_simplex = [&](SimplexSeparation simplex, double beta) -> DistanceLimit {
    using Kind = SimplexSeparation::Kind;
    if (std::isinf(beta)) {
      return nearest;
    }
    switch (simplex.kind) {
    case Kind::softmax:
      beta_ = beta;
      return all;
    case Kind::entmax15:
      return within_threshold(beta, 0.5);
    case Kind::entmax:
      return within_threshold(beta, simplex.alpha - 1);
    default:
      return within_threshold(beta, 1);
    }
  };
  // Weights that depend on the distance alone end where the last of them is not 0.
  const auto of_table = [&]() -> DistanceLimit {
    std::vector<double> table = scores_;
    separator_.separate(table, 0, 0);
    int32_t end = last;
    while (end >= 0 && table[static_cast<size_t>(end)] == 0) {
      --end;
    }
    return [end](int32_t) { return end; };
  };
  reach_ = std::visit(
      Overloaded{[&](const BestMatch&) -> DistanceLimit { return nearest; },
                 [&](const Identity&) -> DistanceLimit { return all; },
                 [&](const Softmax& softmax) { return of_simplex(SimplexSeparation::softmax, softmax.beta); },
                 [&](const Sparsemax& sparsemax) {
                   return of_simplex(SimplexSeparation::sparsemax, sparsemax.beta);
                 },
                 [&](const Entmax15& entmax) { return of_simplex(SimplexSeparation::entmax15, entmax.beta); },
                 [&](const SimplexWeights& simplex) { return of_simplex(simplex.separation, simplex.beta); },
                 [&](const Polynomial&) -> DistanceLimit {
                   const int32_t end =
                       last_where(last, [&](int32_t d) { return scores_[static_cast<size_t>(d)] > 0; });
                   return [end](int32_t) { return end; };
                 },
                 [&](const CircleIntersection&) { return of_table(); },
                 [&](const CapIntersection&) { return of_table(); },
                 [&](const Radius&) { return of_table(); }},
      separation);
  reach_is_fixed_ = !beta_ && !counts_matter_ && !std::holds_alternative<BestMatch>(separation) &&
                    reach_(0) == reach_(last);
}

int32_t BitAssociation::relevant_limit(int32_t min_distance, int64_t num_stored) const {
  if (!beta_) {
    return reach_(min_distance);
  }
  // All rows beyond together weigh at most 2^-10 of the nearest one.
  const double negligible = std::log(static_cast<double>(num_stored)) + 10 * std::numbers::ln2;
  const double best = scores_[static_cast<size_t>(min_distance)];
  return last_where(static_cast<int32_t>(scores_.size()) - 1, [&](int32_t d) {
    return *beta_ * (best - scores_[static_cast<size_t>(d)]) <= negligible;
  });
}

BitAssociation::Weights BitAssociation::weights(const std::vector<int64_t>& rows_at) const {
  std::vector<double> row; // scores of the distances that occur, each once or as often as it occurs
  for (size_t d = 0; d < scores_.size(); ++d) {
    row.insert(row.end(), static_cast<size_t>(counts_matter_ ? rows_at[d] : std::min<int64_t>(rows_at[d], 1)),
               scores_[d]);
  }
  separator_.separate(row, 0, 0);
  Weights weights{std::vector<double>(scores_.size(), 0.0), {0, 0}};
  for (size_t d = 0, i = 0; d < scores_.size(); ++d) {
    if (rows_at[d] > 0) {
      weights.by_distance[d] = row[i];
      weights.row.sum += row[i] * static_cast<double>(rows_at[d]);
      weights.row.reached += row[i] != 0 ? rows_at[d] : 0;
      i += static_cast<size_t>(counts_matter_ ? rows_at[d] : 1);
    }
  }
  return weights;
}

BitAssociation::Sums BitAssociation::sums_of(const BitPatterns& queries, int64_t query, const NearRows& near,
                                             const BitPatterns& stored, const BitPatterns& values,
                                             EmptyRead empty_read) const {
  const Weights of_query = weights(rows_by_distance(near, scores_.size()));
  Sums sums{std::vector<double>(static_cast<size_t>(64 * values.words()), 0.0), of_query.row};
  if (sums.row.reached == 0 && empty_read == EmptyRead::mean_of_values) {
    const std::vector<NearRows> everything =
        scan_near(queries, query, 1, stored, [&](int32_t) { return static_cast<int32_t>(stored.bits()); });
    add_values(everything.front(), std::vector<double>(scores_.size(), 1.0), values, sums.values);
    sums.row.sum = static_cast<double>(stored.count());
  } else {
    add_values(near, of_query.by_distance, values, sums.values);
  }
  sums.values.resize(static_cast<size_t>(values.bits()));
  return sums;
}

std::vector<BitAssociation::Sums> BitAssociation::associate(const BitPatterns& queries, int64_t first,
                                                            int64_t count, const BitPatterns& stored,
                                                            const BitPatterns& values,
                                                            EmptyRead empty_read) const {
  if (reach_is_fixed_ && stored.count() >= kStoredMinTileByTile) {
    constexpr int64_t kFewOf = 16;       // of a sample with fewer rows, lists are short
    constexpr int64_t kSlicingPays = 12; // queries of radius_scan
    const int64_t expected = expected_selection(queries, stored, reach_);
    if (expected * kFewOf > stored.count() || count < kSlicingPays) {
      return associate_tile_by_tile(queries, first, count, stored, values, empty_read,
                                    2 * expected > stored.count());
    }
  }
  const std::vector<NearRows> near = scan_near(queries, first, count, stored, [&](int32_t min_distance) {
    return relevant_limit(min_distance, stored.count());
  });
  std::vector<Sums> sums(near.size());
  parallel_for(count, 1, [&](int64_t q, int64_t) {
    const NearRows& of_query = near[static_cast<size_t>(q)];
    Sums& result = sums[static_cast<size_t>(q)];
    result = sums_of(queries, first + q, of_query, stored, values, empty_read);
    if (skipped(of_query, stored) > 0 && !decided(of_query, stored, result)) {
      const std::vector<NearRows> all = scan_near(queries, first + q, 1, stored, reach_);
      result = sums_of(queries, first + q, all.front(), stored, values, empty_read);
    }
  });
  if (beta_ && !stored.empty()) {
    count_activated(queries, first, near, stored, sums);
  }
  return sums;
}

int64_t BitAssociation::queries_together(const BitPatterns& queries, const BitPatterns& stored) const {
  return queries_per_scan(expected_selection(
      queries, stored, [&](int32_t min_distance) { return relevant_limit(min_distance, stored.count()); }));
}

std::vector<BitAssociation::Sums>
BitAssociation::associate_tile_by_tile(const BitPatterns& queries, int64_t first, int64_t count,
                                       const BitPatterns& stored, const BitPatterns& values,
                                       EmptyRead empty_read, bool most_are_near) const {
  constexpr int64_t kQueriesTogether = 4; // their counts nearly fit in the L2 cache
  std::vector<Sums> sums(static_cast<size_t>(count));
  for (int64_t begin = 0; begin < count; begin += kQueriesTogether) {
    const int64_t together = std::min(kQueriesTogether, count - begin);
    const std::vector<kernels::BitCounts> counts =
        count_near(queries, first + begin, together, stored, values, reach_(0), most_are_near);
    parallel_for(together, 1, [&](int64_t q, int64_t) {
      const kernels::BitCounts& of_query = counts[static_cast<size_t>(q)];
      const Weights weights_of_query = weights(rows_by_distance(of_query));
      Sums& result = sums[static_cast<size_t>(begin + q)];
      result = {std::vector<double>(static_cast<size_t>(64 * values.words()), 0.0), weights_of_query.row};
      if (result.row.reached == 0 && empty_read == EmptyRead::mean_of_values) {
        result = sums_of(queries, first + begin + q, NearRows{}, stored, values, empty_read);
        return;
      }
      kernels::add_weighted_counts(of_query, weights_of_query.by_distance.data(), result.values.data());
      result.values.resize(static_cast<size_t>(values.bits()));
    });
  }
  return sums;
}

int64_t BitAssociation::skipped(const NearRows& near, const BitPatterns& stored) const {
  return beta_ ? stored.count() - near.count() : 0;
}

bool BitAssociation::decided(const NearRows& near, const BitPatterns& stored, const Sums& sums) const {
  const double best = scores_[static_cast<size_t>(near.min_distance)];
  const auto next = static_cast<size_t>(relevant_limit(near.min_distance, stored.count())) + 1;
  const double bound = static_cast<double>(skipped(near, stored)) * std::exp(*beta_ * (scores_[next] - best));
  // One addition per distance and group of rows.
  const double additions =
      static_cast<double>(scores_.size()) * (1 + static_cast<double>(near.count()) / (1 << 14));
  const double rounding = std::numeric_limits<double>::epsilon() * additions * sums.row.sum;
  return std::ranges::all_of(sums.values, [&](double sum) { return std::abs(sum) > bound + rounding; });
}

void BitAssociation::count_activated(const BitPatterns& queries, int64_t first,
                                     const std::vector<NearRows>& near, const BitPatterns& stored,
                                     std::vector<Sums>& sums) const {
  std::vector<int32_t> limits;
  for (const NearRows& of_query : near) {
    const double best = scores_[static_cast<size_t>(of_query.min_distance)];
    limits.push_back(last_where(static_cast<int32_t>(scores_.size()) - 1, [&](int32_t d) {
      return std::exp(*beta_ * (scores_[static_cast<size_t>(d)] - best)) > 0;
    }));
  }
  const bool all =
      std::ranges::all_of(limits, [&](int32_t limit) { return limit + 1 == std::ssize(scores_); });
  const std::vector<int64_t> counts =
      all ? std::vector<int64_t>(near.size(), stored.count()) : count_within(queries, first, limits, stored);
  for (size_t q = 0; q < sums.size(); ++q) {
    sums[q].row.reached = counts[q];
  }
}

} // namespace mneme
