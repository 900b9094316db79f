// SPDX-License-Identifier: MIT

#include "memory/bit_association.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <numbers>

#include "kernels/weighted_bit_sum/weighted_bit_sum.h"
#include "memory/overloaded.h"
#include "memory/scoring.h"
#include "mneme/core/parallel.h"

namespace mneme {
namespace {

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

/// sums [64 words] += weighted values of the rows, in parallel over groups of tiles that do not depend on
/// the number of threads.
void add_values(const NearRows& near, const std::vector<double>& weights, const BitPatterns& values,
                std::vector<double>& sums) {
  constexpr int64_t kRowsPerGroup =
      1 << 14;                      // the values of a group stay in a cache from one distance to the next
  std::vector<size_t> begins = {0}; // first tile of every group, and the end
  int64_t rows = 0;
  for (size_t tile = 0; tile < near.tiles.size(); ++tile) {
    rows += std::ssize(near.tiles[tile].rows);
    if (rows >= kRowsPerGroup || tile + 1 == near.tiles.size()) {
      begins.push_back(tile + 1);
      rows = 0;
    }
  }
  std::vector<std::vector<double>> of_groups(begins.size() - 1);
  parallel_for(std::ssize(of_groups), 1, [&](int64_t group, int64_t) {
    std::vector<double>& of_group = of_groups[static_cast<size_t>(group)];
    of_group.assign(sums.size(), 0.0);
    RowDistances together;
    for (size_t tile = begins[static_cast<size_t>(group)]; tile < begins[static_cast<size_t>(group) + 1];
         ++tile) {
      const RowDistances& of_tile = near.tiles[tile];
      together.rows.insert(together.rows.end(), of_tile.rows.begin(), of_tile.rows.end());
      together.distances.insert(together.distances.end(), of_tile.distances.begin(), of_tile.distances.end());
    }
    kernels::weighted_bit_sum({.values = values.data(),
                               .rows = together.rows.data(),
                               .distances = together.distances.data(),
                               .weights = weights.data(),
                               .sums = of_group.data(),
                               .num_rows = std::ssize(together.rows),
                               .words = values.words(),
                               .num_distances = std::ssize(weights)});
  });
  for (const auto& of_group : of_groups) {
    std::ranges::transform(sums, of_group, sums.begin(), std::plus<>());
  }
}

} // namespace

BitAssociation::BitAssociation(const Separation& separation, const Similarity& similarity, int64_t bits)
    : scores_(scores_by_distance(similarity, bits)) {
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
      if (beta * (scores_.front() - scores_.back()) < 700) { // exp(-700) > 0
        beta_ = beta;
      }
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
    Separator(separation, score_kind(similarity), bits).separate(table, 0, 0);
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
                 [&](const auto&) { return of_table(); }}, // CircleIntersection, CapIntersection, Radius
      separation);
}

int32_t BitAssociation::limit(int32_t min_distance, int64_t num_stored, bool signs_only) const {
  const int32_t reach = reach_(min_distance);
  if (!signs_only || !beta_) {
    return reach;
  }
  // All rows beyond together weigh at most 2^-10 of the nearest one.
  const double negligible = std::log(static_cast<double>(num_stored)) + 10 * std::numbers::ln2;
  const double best = scores_[static_cast<size_t>(min_distance)];
  return last_where(
      reach, [&](int32_t d) { return *beta_ * (best - scores_[static_cast<size_t>(d)]) <= negligible; });
}

BitAssociation::Weights BitAssociation::weights(const NearRows& near, const Separator& separator) const {
  std::vector<int64_t> rows_at(scores_.size(), 0);
  for (const RowDistances& tile : near.tiles) {
    for (const int32_t distance : tile.distances) {
      ++rows_at[static_cast<size_t>(distance)];
    }
  }
  std::vector<double> row; // scores of the distances that occur, each once or as often as it occurs
  for (size_t d = 0; d < scores_.size(); ++d) {
    row.insert(row.end(), static_cast<size_t>(counts_matter_ ? rows_at[d] : std::min<int64_t>(rows_at[d], 1)),
               scores_[d]);
  }
  separator.separate(row, 0, 0);
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
                                             const Separator& separator, EmptyRead empty_read) const {
  const Weights of_query = weights(near, separator);
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
                                                            const Separator& separator, bool signs_only,
                                                            EmptyRead empty_read) const {
  const auto limit_to = [&](bool may_skip) {
    return [this, &stored, may_skip](int32_t min_distance) {
      return limit(min_distance, stored.count(), may_skip);
    };
  };
  const std::vector<NearRows> near = scan_near(queries, first, count, stored, limit_to(signs_only));
  std::vector<Sums> sums(near.size());
  parallel_for(count, 1, [&](int64_t begin, int64_t end) {
    for (int64_t q = begin; q < end; ++q) {
      const NearRows& of_query = near[static_cast<size_t>(q)];
      Sums& result = sums[static_cast<size_t>(q)];
      result = sums_of(queries, first + q, of_query, stored, values, separator, empty_read);
      const int64_t skipped = beta_ ? stored.count() - of_query.count() : 0;
      if (skipped > 0) {
        const double best = scores_[static_cast<size_t>(of_query.min_distance)];
        const auto next = static_cast<size_t>(limit(of_query.min_distance, stored.count(), signs_only)) + 1;
        const double bound = static_cast<double>(skipped) * std::exp(*beta_ * (scores_[next] - best));
        const double rounding = 1e-12 * result.row.sum;
        if (std::ranges::any_of(result.values,
                                [&](double sum) { return std::abs(sum) <= bound + rounding; })) {
          const std::vector<NearRows> all = scan_near(queries, first + q, 1, stored, limit_to(false));
          result = sums_of(queries, first + q, all.front(), stored, values, separator, empty_read);
        }
        result.row.reached = stored.count(); // no weight underflows
      }
    }
  });
  return sums;
}

} // namespace mneme
