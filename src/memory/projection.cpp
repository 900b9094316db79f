// SPDX-License-Identifier: MIT

#include "mneme/memory/projection.h"

#include <algorithm>
#include <span>
#include <vector>

#include <fmt/format.h>

#include "kernels/weighted_sum/weighted_sum.h"
#include "memory/projecting.h"
#include "mneme/core/error.h"
#include "mneme/core/parallel.h"

namespace mneme {
namespace {

template <class Patterns> void require_matching(const RealPatterns& weights, const Patterns& values) {
  if (weights.size() != values.count()) {
    throw UsageError(fmt::format("mneme::project: there are weights for {} stored patterns but {} values.",
                                 weights.size(), values.count()));
  }
}

void add_block(const double* weights, int64_t num_queries, const RealPatterns& values, double* sums) {
  add_weighted(weights, num_queries, values.data(), values.count(), values.size(), sums);
}
void add_block(const double* weights, int64_t num_queries, const BitPatterns& values, double* sums) {
  add_weighted(weights, num_queries, values, sums);
}

template <class Patterns>
Patterns project_all(const RealPatterns& weights, const Patterns& values, int64_t value_size,
                     const Projection& projection) {
  require_matching(weights, values);
  require_projection(projection, values);
  Patterns readout(weights.count(), value_size);
  constexpr int64_t kQueriesPerBlock = 48;
  parallel_for(weights.count(), kQueriesPerBlock, [&](int64_t begin, int64_t end) {
    std::vector<double> sums(static_cast<size_t>((end - begin) * value_size), 0.0);
    add_block(weights.data() + begin * weights.size(), end - begin, values, sums.data());
    for (int64_t q = begin; q < end; ++q) {
      read_out(std::span(sums).subspan(static_cast<size_t>((q - begin) * value_size),
                                       static_cast<size_t>(value_size)),
               projection, readout[q]);
    }
  });
  return readout;
}

} // namespace

void require_projection(const Projection& projection, const BitPatterns&) {
  if (!std::holds_alternative<Majority>(projection)) {
    throw UsageError(
        "mneme: the projection of binary patterns must be Majority, so that the readout is binary.\n"
        "  For averages, convert the patterns to real numbers: to_bipolar(patterns).");
  }
}

void require_projection(const Projection&, const RealPatterns&) {}

template <class T>
void add_weighted(const T* weights, int64_t num_queries, const T* values, int64_t num_stored,
                  int64_t value_size, T* sums) {
  constexpr int64_t kColumnsPerTask =
      256; // with all rows of these columns, so that sums do not depend on the tasks
  parallel_for(value_size, kColumnsPerTask, [&](int64_t begin, int64_t end) {
    kernels::weighted_sum(kernels::WeightedSumArgs<T>{.weights = weights,
                                                      .values = values + begin,
                                                      .sums = sums + begin,
                                                      .num_queries = num_queries,
                                                      .num_stored = num_stored,
                                                      .value_size = end - begin,
                                                      .weight_stride = num_stored,
                                                      .value_stride = value_size});
  });
}

template <class T>
void add_weighted(const T* weights, int64_t num_queries, const BitPatterns& values, T* sums) {
  constexpr int64_t kStoredPerTile = 64; // the expanded tile stays in the cache
  std::vector<T> expanded(static_cast<size_t>(kStoredPerTile * values.bits()));
  for (int64_t s = 0; s < values.count(); s += kStoredPerTile) {
    const int64_t rows = std::min(kStoredPerTile, values.count() - s);
    for (int64_t r = 0; r < rows; ++r) {
      T* to = expanded.data() + r * values.bits();
      const std::span<const uint64_t> words = values[s + r];
      for (int64_t b = 0; b < values.bits(); ++b) {
        to[b] =
            static_cast<T>(static_cast<int>((words[static_cast<size_t>(b / 64)] >> (b % 64)) & 1U) * 2 - 1);
      }
    }
    kernels::weighted_sum(kernels::WeightedSumArgs<T>{.weights = weights + s,
                                                      .values = expanded.data(),
                                                      .sums = sums,
                                                      .num_queries = num_queries,
                                                      .num_stored = rows,
                                                      .value_size = values.bits(),
                                                      .weight_stride = values.count()});
  }
}

template void add_weighted(const float*, int64_t, const float*, int64_t, int64_t, float*);
template void add_weighted(const double*, int64_t, const double*, int64_t, int64_t, double*);
template void add_weighted(const float*, int64_t, const BitPatterns&, float*);
template void add_weighted(const double*, int64_t, const BitPatterns&, double*);

void read_out(std::span<double> sums, const Projection&, std::span<uint64_t> readout) {
  std::ranges::fill(readout, 0);
  for (size_t b = 0; b < sums.size(); ++b) {
    readout[b / 64] |= static_cast<uint64_t>(sums[b] > 0) << (b % 64);
  }
}

void read_out(std::span<double> sums, const Projection& projection, std::span<double> readout) {
  std::ranges::copy(sums, readout.begin());
  if (std::holds_alternative<Majority>(projection)) {
    std::ranges::transform(sums, readout.begin(), [](double x) { return x > 0 ? 1.0 : -1.0; });
  } else if (std::holds_alternative<Normalise>(projection)) {
    scale_to_length(readout, 1.0);
  }
}

RealPatterns project(const RealPatterns& weights, const RealPatterns& values, const Projection& projection) {
  return project_all(weights, values, values.size(), projection);
}

BitPatterns project(const RealPatterns& weights, const BitPatterns& values, const Projection& projection) {
  return project_all(weights, values, values.bits(), projection);
}

} // namespace mneme
