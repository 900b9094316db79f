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
#include "ops/rows.h"

namespace mneme::ops {
namespace {

constexpr int64_t kQueriesPerBlock = 192;  // four panels of the kernel on AVX-512
constexpr int64_t kStoredPerPiece = 4096;  // at least: a piece costs a readout of its own
constexpr int64_t kQueriesPerPiece = 1024; // at least: a piece costs gradients of all stored patterns

/// The call as independent problems: one per batch, or a single one where all batches share what is stored and see all
/// of it.
struct Problems {
  int64_t count, num_queries, num_stored, size, value_size;
  bool shared_query, shared_stored, shared_value; ///< the same for all problems

  Problems(const at::Tensor& query, const at::Tensor& stored, const at::Tensor& value, const Seen& seen)
      : count(stored.size(0) == 1 ? value.size(0) : stored.size(0)), num_queries(query.size(1)),
        num_stored(stored.size(1)), size(stored.size(2)), value_size(value.size(2)),
        shared_query(query.size(0) == 1), shared_stored(stored.size(0) == 1),
        shared_value(value.size(0) == 1) {
    if (count == 1 && seen.everything()) {
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

/// What some stored patterns answer to some queries. Answers add up in any grouping.
template <class T> struct Answer {
  T *readout, *largest, *sum;

  Answer at(int64_t query, int64_t value_size) const {
    return {readout + query * value_size, largest + query, sum + query};
  }

  void clear(int64_t queries, int64_t value_size) const {
    std::fill_n(readout, queries * value_size, T{0});
    std::fill_n(largest, queries, std::numeric_limits<T>::lowest());
    std::fill_n(sum, queries, T{0});
  }

  /// Takes in the answer of further stored patterns to the same queries.
  void add(const Answer& other, int64_t queries, int64_t value_size) const {
    for (int64_t q = 0; q < queries; ++q) {
      const T most = std::max(largest[q], other.largest[q]);
      const T ours = sum[q] * std::exp(largest[q] - most);
      const T theirs = other.sum[q] * std::exp(other.largest[q] - most);
      const T total = ours + theirs;
      const T share = total == 0 ? T{0} : ours / total, other_share = total == 0 ? T{0} : theirs / total;
      for (int64_t v = q * value_size; v < (q + 1) * value_size; ++v) {
        readout[v] = share * readout[v] + other_share * other.readout[v];
      }
      largest[q] = most;
      sum[q] = total;
    }
  }
};

/// Memory for answers.
template <class T> class Answers {
public:
  Answers(int64_t queries, int64_t value_size)
      : memory_(std::make_unique_for_overwrite<T[]>(static_cast<size_t>(queries * (value_size + 2)))),
        all_{memory_.get(), memory_.get() + queries * value_size,
             memory_.get() + queries * (value_size + 1)} {}
  const Answer<T>& all() const { return all_; }

private:
  std::unique_ptr<T[]> memory_;
  Answer<T> all_;
};

template <class T>
void forward(const Problems& n, const T* query, const T* stored, const at::Tensor& value, const Seen& seen,
             const kernels::PairDropout& dropout, const Answer<T>& to) {
  const int64_t blocks = (n.num_queries + kQueriesPerBlock - 1) / kQueriesPerBlock;
  const Cut cut(n.num_stored, (kPiecesWanted + n.count * blocks - 1) / std::max<int64_t>(1, n.count * blocks),
                kStoredPerPiece);
  const int64_t all_queries = n.count * n.num_queries;
  // Where stored patterns are cut, each piece answers for itself; the first one straight into the result.
  const Answers<T> further(all_queries * (cut.pieces - 1), n.value_size);
  const auto answer_of = [&](int64_t piece, int64_t first_query) {
    return piece == 0 ? to.at(first_query, n.value_size)
                      : further.all().at((piece - 1) * all_queries + first_query, n.value_size);
  };
  parallel_for(n.count * blocks * cut.pieces, 1, [&](int64_t begin, int64_t end) {
    for (int64_t item = begin; item < end; ++item) {
      const int64_t piece = item % cut.pieces, block = item / cut.pieces % blocks;
      const int64_t problem = item / cut.pieces / blocks;
      const int64_t first = block * kQueriesPerBlock;
      const int64_t queries = std::min(kQueriesPerBlock, n.num_queries - first);
      const Answer<T> answer = answer_of(piece, problem * n.num_queries + first);
      RowReader<T> values(value, n.value_size);
      const int64_t chunk = std::max<int64_t>(1, values.chunk(cut.piece));
      const bool in_chunks = chunk < cut.end(piece) - cut.begin(piece);
      const Answers<T> of_chunk(in_chunks ? queries : 0, n.value_size);
      if (in_chunks) {
        answer.clear(queries, n.value_size);
      }
      int64_t s = cut.begin(piece);
      do { // once even if nothing is stored
        const int64_t count = std::min(chunk, cut.end(piece) - s);
        const Answer<T>& part = in_chunks ? of_chunk.all() : answer;
        kernels::softmax_projection(
            kernels::SoftmaxProjectionArgs<T>{.queries = query + (n.query_row(problem) + first) * n.size,
                                              .stored = stored + (n.stored_row(problem) + s) * n.size,
                                              .values = values.read(n.value_row(problem) + s, count),
                                              .beta = T{1},
                                              .readout = part.readout,
                                              .largest = part.largest,
                                              .sum = part.sum,
                                              .num_queries = queries,
                                              .num_stored = count,
                                              .size = n.size,
                                              .value_size = n.value_size,
                                              .mask = seen.of<T>(problem, n.count).at(first, s),
                                              .dropout = dropout.at(problem * n.num_queries + first, s)});
        if (in_chunks) {
          answer.add(part, queries, n.value_size);
        }
        s += count;
      } while (s < cut.end(piece));
    }
  });
  constexpr int64_t kBlock = 8;
  parallel_for(cut.pieces > 1 ? all_queries : 0, kBlock, [&](int64_t begin, int64_t end) {
    for (int64_t piece = 1; piece < cut.pieces; ++piece) {
      to.at(begin, n.value_size).add(answer_of(piece, begin), end - begin, n.value_size);
    }
  });
}

/// gradient . readout of every query
template <class T> std::vector<T> shifts(const at::Tensor& d_readout, const at::Tensor& readout) {
  const int64_t value_size = readout.size(2), queries = readout.size(0) * readout.size(1);
  std::vector<T> shift(static_cast<size_t>(queries));
  const T *g = d_readout.const_data_ptr<T>(), *o = readout.const_data_ptr<T>();
  constexpr int64_t kBlock = 64;
  parallel_for(queries, kBlock, [&](int64_t begin, int64_t end) {
    for (int64_t q = begin; q < end; ++q) {
      double sum = 0;
      for (int64_t v = q * value_size; v < (q + 1) * value_size; ++v) {
        sum += static_cast<double>(g[v]) * static_cast<double>(o[v]);
      }
      shift[static_cast<size_t>(q)] = static_cast<T>(sum);
    }
  });
  return shift;
}

template <class T>
std::array<at::Tensor, 3> backward(const at::Tensor& d_readout, const at::Tensor& query,
                                   const at::Tensor& stored, const at::Tensor& value,
                                   const SoftmaxReadout& saved, std::array<bool, 3> wanted, const Seen& seen,
                                   const kernels::PairDropout& dropout) {
  const Problems n(query, stored, value, seen);
  const Cut stored_cut(n.num_stored, (kPiecesWanted + n.count - 1) / std::max<int64_t>(1, n.count),
                       kStoredPerPiece / 16); // all it costs is a gradient of the queries
  const int64_t pieces = std::max<int64_t>(1, n.count * stored_cut.pieces);
  const Cut query_cut(n.num_queries, (kPiecesWanted + pieces - 1) / pieces, kQueriesPerPiece);

  const auto parts = [&](bool is_wanted, int64_t copies, int64_t rows, int64_t columns) {
    return is_wanted ? at::zeros({copies, n.count, rows, columns}, query.options()) : at::Tensor();
  };
  const at::Tensor d_query = parts(wanted[0], stored_cut.pieces, n.num_queries, n.size);
  const at::Tensor d_stored = parts(wanted[1], query_cut.pieces, n.num_stored, n.size);
  const at::Tensor d_value = parts(wanted[2], query_cut.pieces, n.num_stored, n.value_size);
  const std::vector<T> shift = shifts<T>(d_readout, saved.readout);

  parallel_for(n.count * stored_cut.pieces * query_cut.pieces, 1, [&](int64_t begin, int64_t end) {
    for (int64_t item = begin; item < end; ++item) {
      const int64_t piece = item % stored_cut.pieces, block = item / stored_cut.pieces % query_cut.pieces;
      const int64_t problem = item / stored_cut.pieces / query_cut.pieces;
      const int64_t first = query_cut.begin(block), queries = query_cut.end(block) - first;
      const int64_t answer = problem * n.num_queries + first;
      RowReader<T> values(value, n.value_size);
      const int64_t chunk = std::max<int64_t>(1, values.chunk(stored_cut.piece));
      const auto gradient = [&](const at::Tensor& all, int64_t copy, int64_t rows, int64_t row,
                                int64_t columns) {
        return all.defined() ? all.mutable_data_ptr<T>() + ((copy * n.count + problem) * rows + row) * columns
                             : nullptr;
      };
      for (int64_t s = stored_cut.begin(piece); s < stored_cut.end(piece); s += chunk) {
        const int64_t count = std::min(chunk, stored_cut.end(piece) - s);
        kernels::softmax_projection_gradient(kernels::SoftmaxProjectionGradientArgs<T>{
            .queries = query.const_data_ptr<T>() + (n.query_row(problem) + first) * n.size,
            .stored = stored.const_data_ptr<T>() + (n.stored_row(problem) + s) * n.size,
            .values = values.read(n.value_row(problem) + s, count),
            .largest = saved.largest.const_data_ptr<T>() + answer,
            .sum = saved.sum.const_data_ptr<T>() + answer,
            .d_readout = d_readout.const_data_ptr<T>() + answer * n.value_size,
            .shift = shift.data() + answer,
            .d_queries = gradient(d_query, piece, n.num_queries, first, n.size),
            .d_stored = gradient(d_stored, block, n.num_stored, s, n.size),
            .d_values = gradient(d_value, block, n.num_stored, s, n.value_size),
            .num_queries = queries,
            .num_stored = count,
            .size = n.size,
            .value_size = n.value_size,
            .mask = seen.of<T>(problem, n.count).at(first, s),
            .dropout = dropout.at(answer, s)});
      }
    }
  });

  /// Adds up copies, and problems where they share the input.
  const auto total = [&](const at::Tensor& copies, const at::Tensor& input) {
    if (!copies.defined()) {
      return at::Tensor();
    }
    at::Tensor sum = sum_of_parts<T>(copies);
    if (input.size(0) == 1 && n.count > 1) {
      sum = sum_of_parts<T>(sum);
    }
    return n.count == 0 && input.size(0) == 1 ? at::zeros_like(input) : sum.view(input.sizes());
  };
  return {total(d_query, query), total(d_stored, stored), total(d_value, value)};
}

} // namespace

SoftmaxReadout softmax_readout(const at::Tensor& query, const at::Tensor& stored, const at::Tensor& value,
                               const Seen& seen, const kernels::PairDropout& dropout) {
  const Problems n(query, stored, value, seen);
  const int64_t batches = n.count == 1 ? query.size(0) : n.count;
  SoftmaxReadout result{at::empty({batches, query.size(1), n.value_size}, query.options()),
                        at::empty({batches, query.size(1)}, query.options()),
                        at::empty({batches, query.size(1)}, query.options())};
  AT_DISPATCH_FLOATING_TYPES(query.scalar_type(), "mneme::softmax_readout", [&] {
    forward<scalar_t>(n, query.const_data_ptr<scalar_t>(), stored.const_data_ptr<scalar_t>(), value, seen,
                      dropout,
                      {result.readout.mutable_data_ptr<scalar_t>(),
                       result.largest.mutable_data_ptr<scalar_t>(), result.sum.mutable_data_ptr<scalar_t>()});
  });
  return result;
}

std::array<at::Tensor, 3> softmax_readout_gradient(const at::Tensor& d_readout, const at::Tensor& query,
                                                   const at::Tensor& stored, const at::Tensor& value,
                                                   const SoftmaxReadout& forward, std::array<bool, 3> wanted,
                                                   const Seen& seen, const kernels::PairDropout& dropout) {
  return AT_DISPATCH_FLOATING_TYPES(query.scalar_type(), "mneme::softmax_readout_gradient", [&] {
    return backward<scalar_t>(d_readout, query, stored, value, forward, wanted, seen, dropout);
  });
}

} // namespace mneme::ops
