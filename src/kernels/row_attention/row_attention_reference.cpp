// SPDX-License-Identifier: MIT

#include <cmath>
#include <vector>

#include "kernels/row_attention/row_attention.h"
#include "kernels/softmax_projection/softmax_projection.h"
#include "kernels/softmax_projection_gradient/softmax_projection_gradient.h"

namespace mneme::kernels::reference {
namespace {

template <class T> std::vector<T> copy_of(const StridedRows<const T>& rows, int64_t count, int64_t columns) {
  std::vector<T> copy;
  for (int64_t r = 0; r < count; ++r) {
    copy.insert(copy.end(), rows.row(r), rows.row(r) + columns);
  }
  return copy;
}

/// to = rows, or to += rows.
template <class T>
void write(const std::vector<T>& rows, int64_t count, int64_t columns, bool adds, const StridedRows<T>& to) {
  for (int64_t r = 0; r < count && to.data != nullptr; ++r) {
    for (int64_t c = 0; c < columns; ++c) {
      const T x = rows[static_cast<size_t>(r * columns + c)];
      to.row(r)[c] = adds ? to.row(r)[c] + x : x;
    }
  }
}

template <class T> void attention(const RowAttentionArgs<T>& args) {
  const auto queries = copy_of(args.queries, args.num_queries, args.size),
             stored = copy_of(args.stored, args.num_stored, args.size),
             values = copy_of(args.values, args.num_stored, args.value_size);
  std::vector<T> readout(static_cast<size_t>(args.num_queries * args.value_size)),
      row_max(static_cast<size_t>(args.num_queries)), row_sum(row_max.size());
  reference::softmax_projection(SoftmaxProjectionArgs<T>{
      queries.data(), stored.data(), values.data(), args.beta, readout.data(), row_max.data(), row_sum.data(),
      args.num_queries, args.num_stored, args.size, args.value_size, args.mask, args.dropout});
  write(readout, args.num_queries, args.value_size, false, args.readout);
  for (int64_t q = 0; q < args.num_queries; ++q) {
    const T max = row_max[static_cast<size_t>(q)], sum = row_sum[static_cast<size_t>(q)];
    if (args.row_max != nullptr) {
      args.row_max[q] = max;
    }
    if (args.row_sum != nullptr) {
      args.row_sum[q] = sum;
    }
    for (int64_t s = 0; s < args.num_stored && args.weights.data != nullptr; ++s) {
      double score = 0;
      for (int64_t i = 0; i < args.size; ++i) {
        score += static_cast<double>(args.queries.row(q)[i]) * static_cast<double>(args.stored.row(s)[i]);
      }
      score = masked(static_cast<double>(args.beta) * score, args.mask, q, s);
      args.weights.row(q)[s] =
          sum == 0 ? T{0}
                   : static_cast<T>(std::exp(score - static_cast<double>(max)) / static_cast<double>(sum));
    }
  }
}

template <class T> void gradient(const RowAttentionGradientArgs<T>& args) {
  const auto stored = copy_of(args.stored, args.num_stored, args.size),
             values = copy_of(args.values, args.num_stored, args.value_size),
             readout = copy_of(args.readout, args.num_queries, args.value_size),
             d_readout = copy_of(args.d_readout, args.num_queries, args.value_size);
  std::vector<T> queries = copy_of(args.queries, args.num_queries, args.size);
  for (T& x : queries) {
    x *= args.beta;
  }
  std::vector<T> delta(static_cast<size_t>(args.num_queries));
  for (int64_t q = 0; q < args.num_queries; ++q) {
    double dot = 0;
    for (int64_t v = q * args.value_size; v < (q + 1) * args.value_size; ++v) {
      dot += static_cast<double>(readout[static_cast<size_t>(v)]) *
             static_cast<double>(d_readout[static_cast<size_t>(v)]);
    }
    delta[static_cast<size_t>(q)] = static_cast<T>(dot);
  }
  std::vector<T> d_queries(queries.size()), d_stored(stored.size()), d_values(values.size());
  reference::softmax_projection_gradient(SoftmaxProjectionGradientArgs<T>{
      queries.data(), stored.data(), values.data(), args.row_max, args.row_sum, d_readout.data(),
      delta.data(), d_queries.data(), d_stored.data(), d_values.data(), args.num_queries, args.num_stored,
      args.size, args.value_size, args.mask, args.dropout});
  for (T& x : d_queries) {
    x *= args.beta;
  }
  write(d_queries, args.num_queries, args.size, false, args.d_queries);
  write(d_stored, args.num_stored, args.size, args.adds, args.d_stored);
  write(d_values, args.num_stored, args.value_size, args.adds, args.d_values);
}

} // namespace

void row_attention(const RowAttentionArgs<float>& args) {
  attention(args);
}
void row_attention(const RowAttentionArgs<double>& args) {
  attention(args);
}
void row_attention_gradient(const RowAttentionGradientArgs<float>& args) {
  gradient(args);
}
void row_attention_gradient(const RowAttentionGradientArgs<double>& args) {
  gradient(args);
}

} // namespace mneme::kernels::reference
