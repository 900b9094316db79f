// SPDX-License-Identifier: MIT

#include "mneme/ops/associate_heads.h"

#include <array>
#include <cmath>
#include <limits>
#include <memory>
#include <vector>

#include <ATen/Dispatch.h>
#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>
#include <torch/csrc/autograd/custom_function.h>

#include "kernels/row_attention/row_attention.h"
#include "kernels/scratch.h"
#include "mneme/core/parallel.h"
#include "mneme/ops/associate.h"
#include "mneme/ops/attention_plan.h"
#include "mneme/ops/backend.h"
#include "ops/attention_masks.h"
#include "ops/checks.h"
#include "ops/head_attention.h"
#include "ops/huge_pages.h"
#include "ops/row_chunks.h"
#include "ops/softmax_readout.h"

namespace mneme::ops {
namespace {

const Checks kChecks("associate_heads");
constexpr const char* kDimensions = "batch, heads, patterns, features";

/// Inputs of one call, [N, H, rows, features] with contiguous features; N may be 1.
struct Inputs {
  at::Tensor query, stored, value;
  double beta;
  AttentionMasks masks;
  kernels::PhiloxDropout dropout;

  int64_t batch() const { return std::max({query.size(0), stored.size(0), value.size(0)}); }
  int64_t heads() const { return query.size(1); }
  /// True if the batch entries of a head can be computed as queries of one problem.
  bool shares_stored() const {
    return query.size(0) > 1 && stored.size(0) == 1 && value.size(0) == 1 && masks.empty();
  }
  /// Dropout of the queries in the order of the problems, [heads, batch, states] if they share the stored
  /// patterns.
  kernels::PhiloxDropout dropout_of_problems() const {
    kernels::PhiloxDropout ordered = dropout;
    if (shares_stored()) {
      ordered.num_heads = heads(), ordered.batch = batch(), ordered.length = query.size(2);
    }
    return ordered;
  }
};

/// Readout [N, H, L, e], and softmax statistics from which backward recomputes the weights; their order is
/// that of the problems.
struct Result {
  at::Tensor readout, row_max, row_sum;
};

/// True if the rows of all batch entries are equally spaced, as those of a layer that is batch first.
bool is_evenly_spaced(const at::Tensor& rows) {
  return rows.size(0) == 1 || rows.size(2) == 1 || rows.stride(0) == rows.size(2) * rows.stride(2);
}

at::Tensor evenly_spaced(const at::Tensor& rows) {
  return is_evenly_spaced(rows) ? rows : rows.transpose(1, 2).contiguous().transpose(1, 2);
}

at::Tensor with_contiguous_rows(const at::Tensor& rows) {
  return rows.size(3) <= 1 || rows.stride(3) == 1 ? rows : rows.contiguous();
}

/// Uninitialised [N, H, rows, columns] whose dimensions have the order in memory of those of `like`: of a
/// layer that is batch first, length first, or of heads one after another. `even`: evenly spaced, as batch
/// first.
at::Tensor empty_ordered(const at::Tensor& like, int64_t batch, int64_t rows, int64_t columns, bool even) {
  const int64_t heads = like.size(1);
  std::array<int64_t, 3> order{0, 2, 1}; // dimensions from the outermost in memory on
  if (!even && like.stride(2) < like.stride(1) && heads > 1) {
    order = {0, 1, 2};
  } else if (!even && like.stride(0) < like.stride(2) && like.size(0) > 1 && rows > 1) {
    order = {2, 0, 1};
  }
  const std::array<int64_t, 4> sizes{batch, heads, rows, columns};
  std::array<int64_t, 4> strides{};
  strides[3] = 1;
  int64_t stride = columns;
  for (const int64_t dimension : {order[2], order[1], order[0]}) {
    strides[static_cast<size_t>(dimension)] = stride;
    stride *= sizes[static_cast<size_t>(dimension)];
  }
  return empty_on_huge_pages(sizes, strides, like.options().requires_grad(false));
}

/// Problems of the kernel `row_attention`: one per batch entry and head, or one per head if the batch entries
/// share the stored patterns; then the states of all entries are its queries.
template <class T> struct RowProblems {
  const Inputs& in;
  bool shared;
  int64_t batch, heads, count, queries, stored, size, value_size;

  explicit RowProblems(const Inputs& inputs)
      : in(inputs), shared(inputs.shares_stored()), batch(inputs.batch()), heads(inputs.heads()),
        count(shared ? heads : batch * heads),
        queries(shared ? batch * inputs.query.size(2) : inputs.query.size(2)), stored(inputs.stored.size(2)),
        size(inputs.stored.size(3)), value_size(inputs.value.size(3)) {}

  /// Rows of each problem; with `shared`, the rows of all batch entries are equally spaced.
  template <class Element> struct Rows {
    Element* data = nullptr;
    int64_t entry_stride = 0, head_stride = 0, row_stride = 0, heads = 1;

    kernels::StridedRows<Element> operator()(int64_t problem) const {
      return {data + problem / heads * entry_stride + problem % heads * head_stride, row_stride};
    }
  };
  template <class Element = T> Rows<Element> rows(const at::Tensor& all) const {
    if (!all.defined() || all.numel() == 0) {
      return {};
    }
    const bool is_for_all = shared || all.size(0) == 1; // one entry of all problems
    return {.data = static_cast<T*>(all.data_ptr()),
            .entry_stride = is_for_all ? 0 : all.stride(0),
            .head_stride = all.stride(1),
            .row_stride = shared && all.size(2) == 1 && all.size(0) > 1 ? all.stride(0) : all.stride(2),
            .heads = heads};
  }
  Rows<const T> inputs(const at::Tensor& all) const { return rows<const T>(all); }
  kernels::ScoreMask<T> mask(int64_t problem) const { return in.masks.of_batch<T>(problem, count); }
  bool transposes_stored() const { return kernels::is_transposing_faster<T>(queries, stored, size); }
  bool transposes_values() const { return kernels::is_transposing_faster<T>(queries, stored, value_size); }
};

/// Division of the problems into items for threads.
struct Items {
  RowChunks queries, stored;
  int64_t count, block; ///< block: items that a thread takes at once

  Items(int64_t problems, int64_t num_queries, int64_t num_stored, int64_t columns, bool is_backward)
      : queries(num_queries, query_chunks(problems, num_queries, num_stored, columns, is_backward),
                kMinQueries),
        stored(num_stored, stored_chunks(problems * queries.num_chunks, num_stored),
               std::max<int64_t>(kMinStored, kMinChunk / std::max<int64_t>(columns, 1))),
        count(problems * queries.num_chunks * stored.num_chunks),
        block(block_of(count, cost(queries.chunk_size * stored.chunk_size, columns) + kCall)) {}

private:
  static constexpr int64_t kMinQueries = 64, kMinStored = 256;
  static constexpr int64_t kMinChunk = 1 << 17; // numbers of a chunk of stored patterns
  // Multiply-adds: those for which starting a thread is worth while, those of the time of a call, and of the
  // weight of a pair of a query and a stored pattern.
  static constexpr int64_t kItem = 1 << 19, kCall = 1 << 12, kWeight = 24;

  static int64_t cost(int64_t pairs, int64_t columns) { return pairs * (columns + kWeight); }
  /// Items that are taken at once: all, or about a quarter of kItem, so that threads end together.
  static int64_t block_of(int64_t items, int64_t cost_of_item) {
    return items * cost_of_item < kItem ? std::max<int64_t>(items, 1)
                                        : std::max<int64_t>(1, kItem / (4 * cost_of_item));
  }
  static int64_t query_chunks(int64_t problems, int64_t num_queries, int64_t num_stored, int64_t columns,
                              bool is_backward) {
    if (is_backward) { // each chunk has partial gradients of all stored patterns
      return std::min((kTargetChunks + problems - 1) / std::max<int64_t>(problems, 1),
                      1 + num_queries / (16 * kMinQueries));
    }
    return 1 + cost(num_queries * num_stored, columns) / (2 * kItem);
  }
  static int64_t stored_chunks(int64_t items, int64_t num_stored) {
    constexpr int64_t kMaxStored = 1 << 14; // bounds the scratch memory
    return std::max(items >= 4 ? 1 : kTargetChunks / std::max<int64_t>(items, 1),
                    (num_stored + kMaxStored - 1) / kMaxStored);
  }
};

/// Readouts of a problem over chunks of its stored patterns, merged in order.
template <class T>
void merge_chunks(const T* readouts, const T* row_max, const T* row_sum, int64_t chunks, int64_t queries,
                  int64_t value_size, const kernels::StridedRows<T>& readout, T* to_max, T* to_sum) {
  for (int64_t q = 0; q < queries; ++q) {
    T max = std::numeric_limits<T>::lowest(), sum = 0;
    for (int64_t c = 0; c < chunks; ++c) {
      max = std::max(max, row_max[c * queries + q]);
    }
    T* to = readout.row(q);
    std::fill_n(to, value_size, T{0});
    for (int64_t c = 0; c < chunks; ++c) {
      const int64_t at = c * queries + q;
      const T weight = row_sum[at] * std::exp(row_max[at] - max);
      sum += weight;
      for (int64_t v = 0; v < value_size; ++v) {
        to[v] += weight * readouts[at * value_size + v];
      }
    }
    const T inverse = sum == 0 ? T{0} : T{1} / sum;
    for (int64_t v = 0; v < value_size; ++v) {
      to[v] *= inverse;
    }
    to_max[q] = max;
    to_sum[q] = sum;
  }
}

template <class T> void forward_by_rows(const Inputs& in, const Result& to, const at::Tensor* weights) {
  const RowProblems<T> n(in);
  const Items items(n.count, n.queries, n.stored, n.size + n.value_size, false);
  const int64_t chunks = weights == nullptr ? items.stored.num_chunks : 1;
  const int64_t stored_chunk = chunks == 1 ? n.stored : items.stored.chunk_size;
  T *row_max = to.row_max.mutable_data_ptr<T>(), *row_sum = to.row_sum.mutable_data_ptr<T>();
  // Partial readouts over chunks of the stored patterns, [problem, chunk, query].
  const int64_t partial_rows = chunks == 1 ? 0 : n.count * chunks * n.queries;
  const auto partials =
      std::make_unique_for_overwrite<T[]>(static_cast<size_t>(partial_rows * (n.value_size + 2)));
  T *partial_max = partials.get() + partial_rows * n.value_size, *partial_sum = partial_max + partial_rows;
  const int64_t query_chunks = items.queries.num_chunks;
  const kernels::PhiloxDropout dropout = in.dropout_of_problems();
  const auto all_queries = n.inputs(in.query), all_stored = n.inputs(in.stored),
             all_values = n.inputs(in.value);
  const auto all_readouts = n.rows(to.readout);
  const bool transposes = n.transposes_stored();
  T* const all_weights = weights == nullptr ? nullptr : weights->mutable_data_ptr<T>();
  parallel_for(n.count * query_chunks * chunks, items.block, [&](int64_t begin, int64_t end) {
    const kernels::Scratch<T> workspace = kernels::take_scratch<T>(
        kernels::row_attention_workspace(items.queries.chunk_size, stored_chunk, transposes ? n.size : 0));
    for (int64_t item = begin; item < end; ++item) {
      const int64_t chunk = item % chunks, query_chunk = item / chunks % query_chunks,
                    problem = item / chunks / query_chunks;
      const int64_t first = items.queries.begin(query_chunk),
                    queries = items.queries.end(query_chunk) - first;
      const int64_t s = chunk * stored_chunk, stored = std::min(stored_chunk, n.stored - s);
      const auto query_rows = all_queries(problem), stored_rows = all_stored(problem),
                 value_rows = all_values(problem);
      const auto readout = all_readouts(problem);
      const int64_t row = problem * n.queries + first,
                    partial = (problem * chunks + chunk) * n.queries + first;
      kernels::row_attention(kernels::RowAttentionArgs<T>{
          .queries = {query_rows.row(first), query_rows.stride},
          .stored = {stored_rows.row(s), stored_rows.stride},
          .values = {value_rows.row(s), value_rows.stride},
          .beta = static_cast<T>(in.beta),
          .readout = chunks == 1
                         ? kernels::StridedRows<T>{readout.row(first), readout.stride}
                         : kernels::StridedRows<T>{partials.get() + partial * n.value_size, n.value_size},
          .row_max = chunks == 1 ? row_max + row : partial_max + partial,
          .row_sum = chunks == 1 ? row_sum + row : partial_sum + partial,
          .weights = weights == nullptr ? kernels::StridedRows<T>{}
                                        : kernels::StridedRows<T>{all_weights + row * n.stored, n.stored},
          .num_queries = queries,
          .num_stored = stored,
          .size = n.size,
          .value_size = n.value_size,
          .mask = n.mask(problem).at(first, s),
          .dropout = dropout.at(row, s),
          .transposes_stored = transposes,
          .workspace = workspace.get()});
    }
  });
  for (int64_t problem = 0; problem < n.count && chunks > 1; ++problem) {
    const int64_t first = problem * chunks * n.queries;
    merge_chunks(partials.get() + first * n.value_size, partial_max + first, partial_sum + first, chunks,
                 n.queries, n.value_size, all_readouts(problem), row_max + problem * n.queries,
                 row_sum + problem * n.queries);
  }
}

/// Gradient of one input: for each chunk of the other side, and each batch entry, a partial gradient.
template <class T> struct PartialGradient {
  at::Tensor total;    ///< [N or 1, H, rows, columns]: the gradient, if there is only one partial
  at::Tensor partials; ///< [chunks, N, rows, H, columns]: otherwise
  std::vector<at::Tensor>
      of_chunks; ///< views [N, H, rows, columns]: making one takes as long as a small problem

  PartialGradient(bool is_needed, const at::Tensor& input, int64_t batch, int64_t chunks, bool even) {
    if (!is_needed) {
      return;
    }
    if (chunks == 1 && input.size(0) == batch) {
      total = empty_ordered(input, batch, input.size(2), input.size(3), even);
    } else {
      partials = empty_on_huge_pages({chunks, batch, input.size(2), input.size(1), input.size(3)},
                                     input.options().requires_grad(false));
      for (int64_t chunk = 0; chunk < chunks; ++chunk) {
        of_chunks.push_back(partials.select(0, chunk).transpose(1, 2));
      }
    }
  }

  /// Rows of each problem, of the given chunk.
  std::vector<typename RowProblems<T>::template Rows<T>> rows(const RowProblems<T>& n) const {
    std::vector<typename RowProblems<T>::template Rows<T>> result;
    for (const at::Tensor& chunk : of_chunks) {
      result.push_back(n.rows(chunk));
    }
    if (!partials.defined()) {
      result.push_back(n.rows(total));
    }
    return result;
  }

  at::Tensor sum(const at::Tensor& input) const {
    if (!partials.defined()) {
      return total;
    }
    at::Tensor result = sum_partials<T>(partials);
    if (input.size(0) == 1 && result.size(0) > 1) {
      result = sum_partials<T>(result).unsqueeze(0);
    }
    return result.transpose(1, 2);
  }
};

using Gradients = std::array<at::Tensor, 3>;

template <class T>
Gradients backward_by_rows(const Inputs& in, const Result& forward, const at::Tensor& d_readout,
                           std::array<bool, 3> needs_gradient) {
  const RowProblems<T> n(in);
  const Items items(n.count, n.queries, n.stored, n.size + n.value_size, true);
  const int64_t query_chunks = items.queries.num_chunks, stored_chunks = items.stored.num_chunks;
  const int64_t stored_batch = n.shared ? 1 : n.batch;
  const kernels::PhiloxDropout dropout = in.dropout_of_problems();
  const PartialGradient<T> d_query(needs_gradient[0], in.query, n.batch, stored_chunks, n.shared),
      d_stored(needs_gradient[1], in.stored, stored_batch, query_chunks, false),
      d_value(needs_gradient[2], in.value, stored_batch, query_chunks, false);
  const auto all_queries = n.inputs(in.query), all_stored = n.inputs(in.stored),
             all_values = n.inputs(in.value), all_readouts = n.inputs(forward.readout),
             all_d_readouts = n.inputs(d_readout);
  const auto all_d_queries = d_query.rows(n), all_d_stored = d_stored.rows(n), all_d_values = d_value.rows(n);
  const bool transposes_stored = n.transposes_stored(), transposes_values = n.transposes_values();
  parallel_for(items.count, items.block, [&](int64_t begin, int64_t end) {
    const kernels::Scratch<T> workspace = kernels::take_scratch<T>(kernels::row_attention_workspace(
        items.queries.chunk_size, items.stored.chunk_size,
        2 * ((n.transposes_stored() ? n.size : 0) + (n.transposes_values() ? n.value_size : 0))));
    for (int64_t item = begin; item < end; ++item) {
      const int64_t stored_chunk = item % stored_chunks, query_chunk = item / stored_chunks % query_chunks,
                    problem = item / stored_chunks / query_chunks;
      const int64_t first = items.queries.begin(query_chunk), s = items.stored.begin(stored_chunk);
      const int64_t row = problem * n.queries + first;
      const auto from = [&](const auto& rows, int64_t index) {
        auto result = rows(problem);
        result.data = rows.data == nullptr ? nullptr : result.row(index);
        return result;
      };
      const auto of_chunk = [&](const auto& chunks, int64_t chunk, int64_t index) {
        return from(chunks[chunks.size() == 1 ? 0 : static_cast<size_t>(chunk)], index);
      };
      kernels::row_attention_gradient(
          kernels::RowAttentionGradientArgs<T>{.queries = from(all_queries, first),
                                               .stored = from(all_stored, s),
                                               .values = from(all_values, s),
                                               .readout = from(all_readouts, first),
                                               .d_readout = from(all_d_readouts, first),
                                               .beta = static_cast<T>(in.beta),
                                               .row_max = forward.row_max.const_data_ptr<T>() + row,
                                               .row_sum = forward.row_sum.const_data_ptr<T>() + row,
                                               .d_queries = of_chunk(all_d_queries, stored_chunk, first),
                                               .d_stored = of_chunk(all_d_stored, query_chunk, s),
                                               .d_values = of_chunk(all_d_values, query_chunk, s),
                                               .adds = false,
                                               .num_queries = items.queries.end(query_chunk) - first,
                                               .num_stored = items.stored.end(stored_chunk) - s,
                                               .size = n.size,
                                               .value_size = n.value_size,
                                               .mask = n.mask(problem).at(first, s),
                                               .dropout = dropout.at(row, s),
                                               .transposes_stored = transposes_stored,
                                               .transposes_values = transposes_values,
                                               .workspace = workspace.get()});
    }
  });
  return {d_query.sum(in.query), d_stored.sum(in.stored), d_value.sum(in.value)};
}

/// The inputs as softmax_readout needs them: [problems, rows, features], contiguous, queries times beta.
struct LaneInputs {
  at::Tensor query, stored, value;
  bool shared;
  int64_t batch;

  explicit LaneInputs(const Inputs& in) : shared(in.shares_stored()), batch(in.batch()) {
    // With shared stored patterns, the states of all batch entries are the queries of one problem per head.
    query = shared ? fold_batch(in.query) : flattened(in.query);
    if (in.beta != 1) {
      query = query.is_alias_of(in.query) ? query * in.beta : query.mul_(in.beta);
    }
    stored = flattened(in.stored);
    value = in.value.is_same(in.stored) ? stored : flattened(in.value);
  }

  /// [N, H, L, c] -> [H, N * L, c]
  at::Tensor fold_batch(const at::Tensor& rows) const {
    return rows.transpose(0, 1)
        .reshape({rows.size(1), rows.size(0) * rows.size(2), rows.size(3)})
        .contiguous();
  }
  /// [N or 1, H, rows, c] -> [N * H, rows, c]
  at::Tensor flattened(const at::Tensor& rows) const {
    const int64_t entries = shared ? rows.size(0) : batch;
    return rows.expand({entries, -1, -1, -1})
        .contiguous()
        .view({entries * rows.size(1), rows.size(2), rows.size(3)});
  }
  /// Inverse of `flattened`, or of `fold_batch`.
  at::Tensor by_batch(const at::Tensor& rows, int64_t heads) const {
    return shared ? rows.view({heads, batch, -1, rows.size(2)}).transpose(0, 1)
                  : rows.view({batch, heads, rows.size(1), rows.size(2)});
  }
};

AttentionStrategy strategy_of(const Inputs& in, bool has_gradient) {
  const bool shared = in.shares_stored();
  return chosen_strategy({.problems = shared ? in.heads() : in.batch() * in.heads(),
                          .queries = shared ? in.batch() * in.query.size(2) : in.query.size(2),
                          .stored = in.stored.size(2),
                          .size = in.stored.size(3),
                          .value_size = in.value.size(3),
                          .bytes_per_number = in.query.element_size(),
                          .has_gradient = has_gradient,
                          .is_strided = !in.query.is_contiguous(),
                          .has_dropout = in.dropout.probability != 0,
                          .attended = in.masks.attended()});
}

Result forward(Inputs& in, AttentionStrategy strategy, at::Tensor* weights) {
  const int64_t batch = in.batch(), heads = in.heads(), states = in.query.size(2);
  if (strategy == AttentionStrategy::lanes) {
    const bool values_are_stored = in.value.is_same(in.stored);
    in.query = in.query.contiguous(); // copied once, for backward as well
    in.stored = in.stored.contiguous();
    in.value = values_are_stored ? in.stored : in.value.contiguous();
    const LaneInputs lanes(in);
    const SoftmaxReadout readout =
        softmax_readout(lanes.query, lanes.stored, lanes.value, in.masks, in.dropout_of_problems());
    return {lanes.by_batch(readout.readout, heads), readout.row_max, readout.row_sum};
  }
  in.query = with_contiguous_rows(in.query);
  in.stored = with_contiguous_rows(in.stored);
  in.value = with_contiguous_rows(in.value);
  const bool shares_stored = in.shares_stored();
  if (shares_stored) {
    in.query = evenly_spaced(in.query);
  }
  const at::TensorOptions options = in.query.options().requires_grad(false);
  Result result{empty_ordered(in.query, batch, states, in.value.size(3), shares_stored),
                at::empty({batch * heads * states}, options), at::empty({batch * heads * states}, options)};
  at::Tensor problem_weights;
  if (weights != nullptr) {
    problem_weights = at::empty({batch * heads, states, in.stored.size(2)}, options);
    *weights = shares_stored ? problem_weights.view({heads, batch, states, -1}).transpose(0, 1)
                             : problem_weights.view({batch, heads, states, -1});
  }
  AT_DISPATCH_FLOATING_TYPES(in.query.scalar_type(), "mneme::associate_heads", [&] {
    forward_by_rows<scalar_t>(in, result, weights == nullptr ? nullptr : &problem_weights);
  });
  return result;
}

Gradients backward(const Inputs& in, AttentionStrategy strategy, const Result& result,
                   const at::Tensor& given, std::array<bool, 3> needs_gradient) {
  if (strategy == AttentionStrategy::lanes) {
    const LaneInputs lanes(in);
    const int64_t heads = in.heads();
    const auto flat = [&](const at::Tensor& rows) {
      return lanes.shared ? lanes.fold_batch(rows) : lanes.flattened(rows);
    };
    Gradients d = softmax_readout_gradient(flat(given), lanes.query, lanes.stored, lanes.value,
                                           {flat(result.readout), result.row_max, result.row_sum},
                                           needs_gradient, in.masks, in.dropout_of_problems());
    if (d[0].defined() && in.beta != 1) {
      d[0].mul_(in.beta);
    }
    const auto to_input = [&](const at::Tensor& gradient, const at::Tensor& input) {
      if (!gradient.defined() || input.size(0) != 1 || lanes.batch == 1 || lanes.shared) {
        return gradient.defined() ? gradient.view({-1, heads, input.size(2), input.size(3)}) : gradient;
      }
      return AT_DISPATCH_FLOATING_TYPES(gradient.scalar_type(), "mneme::associate_heads", [&] {
        return sum_partials<scalar_t>(gradient.view({lanes.batch, heads, input.size(2), input.size(3)}))
            .unsqueeze(0);
      });
    };
    return {d[0].defined() ? (in.query.size(0) == 1 ? to_input(d[0], in.query) : lanes.by_batch(d[0], heads))
                           : d[0],
            to_input(d[1], in.stored), to_input(d[2], in.value)};
  }
  at::Tensor d_readout = with_contiguous_rows(given);
  if (in.shares_stored()) {
    d_readout = evenly_spaced(d_readout);
  }
  return AT_DISPATCH_FLOATING_TYPES(in.query.scalar_type(), "mneme::associate_heads", [&] {
    return backward_by_rows<scalar_t>(in, result, d_readout, needs_gradient);
  });
}

class AssociateHeads : public torch::autograd::Function<AssociateHeads> {
public:
  static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& query,
                            const at::Tensor& stored, const at::Tensor& value, double beta,
                            const AttentionMasks& masks, const kernels::PhiloxDropout& dropout,
                            at::Tensor* weights) {
    at::AutoDispatchBelowADInplaceOrView below;
    Inputs in{query, stored, value, beta, masks, dropout};
    const AttentionStrategy strategy = weights != nullptr ? AttentionStrategy::rows : strategy_of(in, true);
    const Result result = ops::forward(in, strategy, weights);
    context->save_for_backward({in.query, in.stored, in.value, result.readout, result.row_max, result.row_sum,
                                masks.key_padding_mask(), masks.attention_mask()});
    context->saved_data["beta"] = beta;
    context->saved_data["by_rows"] = strategy == AttentionStrategy::rows;
    context->saved_data["dropout"] = dropout.probability;
    context->saved_data["dropout_seed"] = static_cast<int64_t>(dropout.seed);
    return result.readout;
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 torch::autograd::variable_list gradients) {
    kChecks.no_double_backward();
    const torch::autograd::variable_list saved = context->get_saved_variables();
    const Inputs in{saved[0],
                    saved[1],
                    saved[2],
                    context->saved_data["beta"].toDouble(),
                    AttentionMasks(saved[6], saved[7]),
                    {context->saved_data["dropout"].toDouble(),
                     static_cast<uint64_t>(context->saved_data["dropout_seed"].toInt())}};
    const Gradients d = ops::backward(
        in, context->saved_data["by_rows"].toBool() ? AttentionStrategy::rows : AttentionStrategy::lanes,
        {saved[3], saved[4], saved[5]}, gradients[0],
        {context->needs_input_grad(0), context->needs_input_grad(1), context->needs_input_grad(2)});
    return {d[0], d[1], d[2], {}, {}, {}, {}};
  }
};

bool requires_gradient(const at::Tensor& tensor) {
  return tensor.defined() && tensor.requires_grad() && at::GradMode::is_enabled();
}

/// Checks all arguments. Returns the masks of the call.
AttentionMasks checked_masks(const at::Tensor& query, const at::Tensor& stored, const at::Tensor& value,
                             const AssociateHeadsOptions& options) {
  const Checks::Named q{"query", query}, s{"stored", stored}, v{"value", value};
  for (const Checks::Named& input : {q, s, v}) {
    kChecks.dimensions(input, 4, kDimensions, "Use unflatten to split features into heads.");
    kChecks.floating_point(input);
    kChecks.same_type_and_device(q, input);
    kChecks.same_size(q, 1, input, 1, "heads", "Expand a tensor that all heads share.");
  }
  kChecks.associated_sizes(q, s, v);
  kChecks.probability("dropout", options.dropout);
  if (!std::isfinite(options.beta)) {
    kChecks.fail(c10::str("beta is ", options.beta, ", but must be finite."), "The default is 1.");
  }
  if (!options.key_padding_mask.defined() && !options.attention_mask.defined()) {
    return {};
  }
  const int64_t batch = std::max({query.size(0), stored.size(0), value.size(0)});
  const at::Tensor one_head = query.select(1, 0), one_stored = stored.select(1, 0);
  return {kChecks,
          options.key_padding_mask,
          options.attention_mask.defined() ? options.attention_mask.flatten(0, 1) : at::Tensor(),
          {"query", one_head},
          {"stored", one_stored},
          batch * query.size(1)};
}

/// By `associate`: any device and type, and gradients of masks.
at::Tensor by_associate(const at::Tensor& query, const at::Tensor& stored, const at::Tensor& value,
                        const AssociateHeadsOptions& options) {
  const int64_t batch = std::max({query.size(0), stored.size(0), value.size(0)}), heads = query.size(1);
  const auto flat = [&](const at::Tensor& rows) { return rows.expand({batch, -1, -1, -1}).flatten(0, 1); };
  return associate(options.beta == 1 ? flat(query) : flat(query) * options.beta, flat(stored), flat(value),
                   {.beta = 1.0,
                    .key_padding_mask = options.key_padding_mask,
                    .attention_mask = options.attention_mask.defined() ? options.attention_mask.flatten(0, 1)
                                                                       : at::Tensor(),
                    .dropout = options.dropout,
                    .dropout_seed = options.dropout_seed})
      .view({batch, heads, query.size(2), value.size(3)});
}

} // namespace

at::Tensor associate_heads(const at::Tensor& query, const at::Tensor& stored, const at::Tensor& value,
                           const AssociateHeadsOptions& options) {
  const AttentionMasks masks = checked_masks(query, stored, value, options);
  if (!has_kernel(query) || requires_gradient(options.attention_mask) || query.numel() == 0 ||
      value.numel() == 0) {
    if (options.weights != nullptr) {
      kChecks.fail("weights were requested, but are not available for these inputs.",
                   "They require float32 or float64 on a CPU, no empty input, and no gradient of a mask.");
    }
    return by_associate(query, stored, value, options);
  }
  return head_attention(query, stored, value, options.beta, masks,
                        {options.dropout, static_cast<uint64_t>(options.dropout_seed)}, options.weights);
}

at::Tensor head_attention(const at::Tensor& query, const at::Tensor& stored, const at::Tensor& value,
                          double beta, const AttentionMasks& masks, const kernels::PhiloxDropout& dropout,
                          at::Tensor* weights) {
  if (requires_gradient(query) || requires_gradient(stored) || requires_gradient(value)) {
    return AssociateHeads::apply(query, stored, value, beta, masks, dropout, weights);
  }
  at::AutoDispatchBelowADInplaceOrView below;
  Inputs in{query, stored, value, beta, masks, dropout};
  return forward(in, weights != nullptr ? AttentionStrategy::rows : strategy_of(in, false), weights).readout;
}

} // namespace mneme::ops
