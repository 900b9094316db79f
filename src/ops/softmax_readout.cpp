// SPDX-License-Identifier: MIT

#include "ops/softmax_readout.h"

#include <cmath>
#include <limits>

#include <ATen/Dispatch.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>

#include "kernels/softmax_projection/softmax_projection.h"
#include "kernels/softmax_projection_gradient/softmax_projection_gradient.h"
#include "mneme/core/parallel.h"
#include "ops/row_chunks.h"

namespace mneme::ops {
namespace {

constexpr int64_t kMaxQueriesPerBlock = 192; // four panels of the kernel on AVX-512
// Minimum chunk sizes: each chunk of stored patterns costs a partial readout, each chunk of queries in
// backward partial gradients of all stored patterns.
constexpr int64_t kMinStoredPerChunk = 4096, kMinQueriesPerChunk = 1024;

/// The call as independent problems: one per batch, or a single one if all batches share the stored patterns
/// and there are no masks.
struct Problems {
  int64_t count, num_queries, num_stored, size, value_size;
  bool shared_query, shared_stored, shared_value; ///< by all problems

  Problems(const at::Tensor& query, const at::Tensor& stored, const at::Tensor& value,
           const AttentionMasks& masks)
      : count(stored.size(0) == 1 ? value.size(0) : stored.size(0)), num_queries(query.size(1)),
        num_stored(stored.size(1)), size(stored.size(2)), value_size(value.size(2)),
        shared_query(query.size(0) == 1), shared_stored(stored.size(0) == 1),
        shared_value(value.size(0) == 1) {
    if (count == 1 && masks.empty()) {
      num_queries *= query.size(0);
    } else if (query.size(0) != 1) {
      count = query.size(0); // may be 0
    }
  }

  /// First row of a problem in a tensor of `rows` rows per batch.
  static int64_t row(int64_t problem, bool shared, int64_t rows) { return shared ? 0 : problem * rows; }
  int64_t query_row(int64_t problem) const { return row(problem, shared_query, num_queries); }
  int64_t stored_row(int64_t problem) const { return row(problem, shared_stored, num_stored); }
  int64_t value_row(int64_t problem) const { return row(problem, shared_value, num_stored); }
};

/// Readout of some queries over some of the stored patterns, with the statistics to merge it with that of
/// others.
template <class T> struct PartialReadout {
  T *readout, *row_max, *row_sum;

  PartialReadout at(int64_t query, int64_t value_size) const {
    return {readout + query * value_size, row_max + query, row_sum + query};
  }

  void clear(int64_t queries, int64_t value_size) const {
    std::fill_n(readout, queries * value_size, T{0});
    std::fill_n(row_max, queries, std::numeric_limits<T>::lowest());
    std::fill_n(row_sum, queries, T{0});
  }

  /// Merges the readout of the same queries over further stored patterns.
  void merge(const PartialReadout& other, int64_t queries, int64_t value_size) const {
    for (int64_t q = 0; q < queries; ++q) {
      const T new_max = std::max(row_max[q], other.row_max[q]);
      const T own_sum = row_sum[q] * std::exp(row_max[q] - new_max);
      const T other_sum = other.row_sum[q] * std::exp(other.row_max[q] - new_max);
      const T new_sum = own_sum + other_sum;
      const T own_weight = new_sum == 0 ? T{0} : own_sum / new_sum;
      const T other_weight = new_sum == 0 ? T{0} : other_sum / new_sum;
      for (int64_t v = q * value_size; v < (q + 1) * value_size; ++v) {
        readout[v] = own_weight * readout[v] + other_weight * other.readout[v];
      }
      row_max[q] = new_max;
      row_sum[q] = new_sum;
    }
  }
};

/// Buffers of partial readouts.
template <class T> class PartialReadouts {
public:
  PartialReadouts(int64_t queries, int64_t value_size)
      : memory_(std::make_unique_for_overwrite<T[]>(static_cast<size_t>(queries * (value_size + 2)))),
        all_{memory_.get(), memory_.get() + queries * value_size,
             memory_.get() + queries * (value_size + 1)} {}
  const PartialReadout<T>& all() const { return all_; }

private:
  std::unique_ptr<T[]> memory_;
  PartialReadout<T> all_;
};

/// Queries that one thread computes at once; no result depends on it. Few large blocks of few problems would
/// leave threads without work; smaller ones read the stored patterns more often, and are worth starting a
/// thread only if they have enough of them.
int64_t queries_per_block(const Problems& n) {
  constexpr int64_t kPanel = 48, kMinQueries = 32; // on AVX-512: three vectors, and two
  constexpr int64_t kMinMultiplyAdds = 1 << 19;    // about 10 us
  constexpr int64_t kWeight = 24;                  // multiply-adds in the time of a softmax weight
  if (threads() == 1 || in_parallel_loop()) {
    return kMaxQueriesPerBlock;
  }
  const int64_t of_query = n.num_stored * (n.size + n.value_size + kWeight);
  const int64_t others =
      std::max<int64_t>(1, n.count) * std::max<int64_t>(1, n.num_stored / kMinStoredPerChunk);
  const RowChunks blocks(n.num_queries, (kTargetChunks + others - 1) / others,
                         std::max(kMinQueries, kMinMultiplyAdds / std::max<int64_t>(1, of_query)));
  return blocks.chunk_size < kPanel
             ? kMinQueries
             : std::min(kMaxQueriesPerBlock, (blocks.chunk_size + kPanel - 1) / kPanel * kPanel);
}

template <class T>
void forward(const Problems& n, const T* query, const T* stored, const at::Tensor& value,
             const AttentionMasks& masks, const kernels::PhiloxDropout& dropout,
             const PartialReadout<T>& to) {
  const int64_t block_size = queries_per_block(n), blocks = (n.num_queries + block_size - 1) / block_size;
  const RowChunks chunks(n.num_stored,
                         (kTargetChunks + n.count * blocks - 1) / std::max<int64_t>(1, n.count * blocks),
                         kMinStoredPerChunk);
  const int64_t all_queries = n.count * n.num_queries;
  // Each chunk of stored patterns has a partial readout; that of the first chunk is written to the result.
  const PartialReadouts<T> further(all_queries * (chunks.num_chunks - 1), n.value_size);
  const auto partial_of = [&](int64_t chunk, int64_t first_query) {
    return chunk == 0 ? to.at(first_query, n.value_size)
                      : further.all().at((chunk - 1) * all_queries + first_query, n.value_size);
  };
  parallel_for(n.count * blocks * chunks.num_chunks, 1, [&](int64_t begin, int64_t end) {
    for (int64_t item = begin; item < end; ++item) {
      const int64_t chunk = item % chunks.num_chunks, block = item / chunks.num_chunks % blocks;
      const int64_t problem = item / chunks.num_chunks / blocks;
      const int64_t first = block * block_size;
      const int64_t queries = std::min(block_size, n.num_queries - first);
      const PartialReadout<T> partial = partial_of(chunk, problem * n.num_queries + first);
      RowReader<T> values(value, n.value_size);
      const int64_t rows_per_read = std::max<int64_t>(1, values.rows_per_read(chunks.chunk_size));
      const bool is_read_in_steps = rows_per_read < chunks.end(chunk) - chunks.begin(chunk);
      const PartialReadouts<T> of_step(is_read_in_steps ? queries : 0, n.value_size);
      if (is_read_in_steps) {
        partial.clear(queries, n.value_size);
      }
      int64_t s = chunks.begin(chunk);
      do { // at least once, also without stored patterns
        const int64_t count = std::min(rows_per_read, chunks.end(chunk) - s);
        const PartialReadout<T>& step = is_read_in_steps ? of_step.all() : partial;
        kernels::softmax_projection(
            kernels::SoftmaxProjectionArgs<T>{.queries = query + (n.query_row(problem) + first) * n.size,
                                              .stored = stored + (n.stored_row(problem) + s) * n.size,
                                              .values = values.read(n.value_row(problem) + s, count),
                                              .beta = T{1},
                                              .readout = step.readout,
                                              .row_max = step.row_max,
                                              .row_sum = step.row_sum,
                                              .num_queries = queries,
                                              .num_stored = count,
                                              .size = n.size,
                                              .value_size = n.value_size,
                                              .mask = masks.of_batch<T>(problem, n.count).at(first, s),
                                              .dropout = dropout.at(problem * n.num_queries + first, s)});
        if (is_read_in_steps) {
          partial.merge(step, queries, n.value_size);
        }
        s += count;
      } while (s < chunks.end(chunk));
    }
  });
  constexpr int64_t kBlock = 8;
  parallel_for(chunks.num_chunks > 1 ? all_queries : 0, kBlock, [&](int64_t begin, int64_t end) {
    for (int64_t chunk = 1; chunk < chunks.num_chunks; ++chunk) {
      to.at(begin, n.value_size).merge(partial_of(chunk, begin), end - begin, n.value_size);
    }
  });
}

/// delta of each query: d_readout . readout, accumulated in double.
template <class T> std::vector<T> deltas(const at::Tensor& d_readout, const at::Tensor& readout) {
  const int64_t value_size = readout.size(2), queries = readout.size(0) * readout.size(1);
  std::vector<T> delta(static_cast<size_t>(queries));
  const T *g = d_readout.const_data_ptr<T>(), *o = readout.const_data_ptr<T>();
  constexpr int64_t kBlock = 64;
  parallel_for(queries, kBlock, [&](int64_t begin, int64_t end) {
    for (int64_t q = begin; q < end; ++q) {
      double sum = 0;
      for (int64_t v = q * value_size; v < (q + 1) * value_size; ++v) {
        sum += static_cast<double>(g[v]) * static_cast<double>(o[v]);
      }
      delta[static_cast<size_t>(q)] = static_cast<T>(sum);
    }
  });
  return delta;
}

template <class T>
std::array<at::Tensor, 3> backward(const at::Tensor& d_readout, const at::Tensor& query,
                                   const at::Tensor& stored, const at::Tensor& value,
                                   const SoftmaxReadout& saved, std::array<bool, 3> needs_gradient,
                                   const AttentionMasks& masks, const kernels::PhiloxDropout& dropout) {
  const Problems n(query, stored, value, masks);
  // A chunk of stored patterns only costs a partial gradient of the queries, so it may be smaller than in
  // forward.
  const RowChunks stored_chunks(n.num_stored, (kTargetChunks + n.count - 1) / std::max<int64_t>(1, n.count),
                                kMinStoredPerChunk / 16);
  const int64_t items = std::max<int64_t>(1, n.count * stored_chunks.num_chunks);
  const RowChunks query_chunks(n.num_queries, (kTargetChunks + items - 1) / items, kMinQueriesPerChunk);

  const auto partials = [&](bool is_needed, int64_t copies, int64_t rows, int64_t columns) {
    return is_needed ? at::zeros({copies, n.count, rows, columns}, query.options()) : at::Tensor();
  };
  const at::Tensor d_query = partials(needs_gradient[0], stored_chunks.num_chunks, n.num_queries, n.size);
  const at::Tensor d_stored = partials(needs_gradient[1], query_chunks.num_chunks, n.num_stored, n.size);
  const at::Tensor d_value = partials(needs_gradient[2], query_chunks.num_chunks, n.num_stored, n.value_size);
  const std::vector<T> delta = deltas<T>(d_readout, saved.readout);

  parallel_for(
      n.count * stored_chunks.num_chunks * query_chunks.num_chunks, 1, [&](int64_t begin, int64_t end) {
        for (int64_t item = begin; item < end; ++item) {
          const int64_t stored_chunk = item % stored_chunks.num_chunks,
                        query_chunk = item / stored_chunks.num_chunks % query_chunks.num_chunks;
          const int64_t problem = item / stored_chunks.num_chunks / query_chunks.num_chunks;
          const int64_t first = query_chunks.begin(query_chunk),
                        queries = query_chunks.end(query_chunk) - first;
          const int64_t first_row = problem * n.num_queries + first; // in the readout
          RowReader<T> values(value, n.value_size);
          const int64_t rows_per_read = std::max<int64_t>(1, values.rows_per_read(stored_chunks.chunk_size));
          const auto gradient = [&](const at::Tensor& all, int64_t copy, int64_t rows, int64_t row,
                                    int64_t columns) {
            return all.defined()
                       ? all.mutable_data_ptr<T>() + ((copy * n.count + problem) * rows + row) * columns
                       : nullptr;
          };
          for (int64_t s = stored_chunks.begin(stored_chunk); s < stored_chunks.end(stored_chunk);
               s += rows_per_read) {
            const int64_t count = std::min(rows_per_read, stored_chunks.end(stored_chunk) - s);
            kernels::softmax_projection_gradient(kernels::SoftmaxProjectionGradientArgs<T>{
                .queries = query.const_data_ptr<T>() + (n.query_row(problem) + first) * n.size,
                .stored = stored.const_data_ptr<T>() + (n.stored_row(problem) + s) * n.size,
                .values = values.read(n.value_row(problem) + s, count),
                .row_max = saved.row_max.const_data_ptr<T>() + first_row,
                .row_sum = saved.row_sum.const_data_ptr<T>() + first_row,
                .d_readout = d_readout.const_data_ptr<T>() + first_row * n.value_size,
                .delta = delta.data() + first_row,
                .d_queries = gradient(d_query, stored_chunk, n.num_queries, first, n.size),
                .d_stored = gradient(d_stored, query_chunk, n.num_stored, s, n.size),
                .d_values = gradient(d_value, query_chunk, n.num_stored, s, n.value_size),
                .num_queries = queries,
                .num_stored = count,
                .size = n.size,
                .value_size = n.value_size,
                .mask = masks.of_batch<T>(problem, n.count).at(first, s),
                .dropout = dropout.at(first_row, s)});
          }
        }
      });

  // Sum of the partial gradients, and over the problems if they share the input.
  const auto total = [&](const at::Tensor& partial, const at::Tensor& input) {
    if (!partial.defined()) {
      return at::Tensor();
    }
    at::Tensor sum = sum_partials<T>(partial);
    if (input.size(0) == 1 && n.count > 1) {
      sum = sum_partials<T>(sum);
    }
    return n.count == 0 && input.size(0) == 1 ? at::zeros_like(input) : sum.view(input.sizes());
  };
  return {total(d_query, query), total(d_stored, stored), total(d_value, value)};
}

} // namespace

SoftmaxReadout softmax_readout(const at::Tensor& query, const at::Tensor& stored, const at::Tensor& value,
                               const AttentionMasks& masks, const kernels::PhiloxDropout& dropout) {
  const Problems n(query, stored, value, masks);
  const int64_t batches = n.count == 1 ? query.size(0) : n.count;
  SoftmaxReadout result{at::empty({batches, query.size(1), n.value_size}, query.options()),
                        at::empty({batches, query.size(1)}, query.options()),
                        at::empty({batches, query.size(1)}, query.options())};
  AT_DISPATCH_FLOATING_TYPES(query.scalar_type(), "mneme::softmax_readout", [&] {
    forward<scalar_t>(
        n, query.const_data_ptr<scalar_t>(), stored.const_data_ptr<scalar_t>(), value, masks, dropout,
        {result.readout.mutable_data_ptr<scalar_t>(), result.row_max.mutable_data_ptr<scalar_t>(),
         result.row_sum.mutable_data_ptr<scalar_t>()});
  });
  return result;
}

std::array<at::Tensor, 3> softmax_readout_gradient(const at::Tensor& d_readout, const at::Tensor& query,
                                                   const at::Tensor& stored, const at::Tensor& value,
                                                   const SoftmaxReadout& forward,
                                                   std::array<bool, 3> needs_gradient,
                                                   const AttentionMasks& masks,
                                                   const kernels::PhiloxDropout& dropout) {
  return AT_DISPATCH_FLOATING_TYPES(query.scalar_type(), "mneme::softmax_readout_gradient", [&] {
    return backward<scalar_t>(d_readout, query, stored, value, forward, needs_gradient, masks, dropout);
  });
}

} // namespace mneme::ops
