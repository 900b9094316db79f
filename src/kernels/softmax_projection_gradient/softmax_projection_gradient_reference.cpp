// SPDX-License-Identifier: MIT

#include "kernels/softmax_projection_gradient/softmax_projection_gradient.h"

#include <cmath>
#include <limits>
#include <vector>

namespace mneme::kernels::reference {
namespace {

template <class T> double product(const T* a, const T* b, int64_t size) {
  double sum = 0;
  for (int64_t i = 0; i < size; ++i) {
    sum += static_cast<double>(a[i]) * static_cast<double>(b[i]);
  }
  return sum;
}

/// to += factor * from
template <class T> void add(double factor, const T* from, double* to, int64_t size) {
  for (int64_t i = 0; i < size; ++i) {
    to[i] += factor * static_cast<double>(from[i]);
  }
}

template <class T> void add_to(T* total, const std::vector<double>& gradient) {
  for (size_t i = 0; total != nullptr && i < gradient.size(); ++i) {
    total[i] += static_cast<T>(gradient[i]);
  }
}

template <class T> void gradient_of(const SoftmaxProjectionGradientArgs<T>& args) {
  std::vector<double> d_queries(static_cast<size_t>(args.num_queries * args.size)),
      d_stored(static_cast<size_t>(args.num_stored * args.size)),
      d_values(static_cast<size_t>(args.num_stored * args.value_size));
  for (int64_t q = 0; q < args.num_queries; ++q) {
    if (args.row_sum[q] == 0) {
      continue;
    }
    const T* query = args.queries + q * args.size;
    const T* d_readout = args.d_readout + q * args.value_size;
    for (int64_t s = 0; s < args.num_stored; ++s) {
      const T* stored = args.stored + s * args.size;
      const double score = masked(product(query, stored, args.size), args.mask, q, s);
      if (score == -std::numeric_limits<double>::infinity()) {
        continue;
      }
      const double p =
          std::exp(score - static_cast<double>(args.row_max[q])) / static_cast<double>(args.row_sum[q]);
      const double factor = args.dropout.factor(q, s);
      add(factor * p, d_readout, d_values.data() + s * args.value_size, args.value_size);
      const double d_p = factor * product(d_readout, args.values + s * args.value_size, args.value_size);
      const double d_score = p * (d_p - static_cast<double>(args.delta[q]));
      add(d_score, stored, d_queries.data() + q * args.size, args.size);
      add(d_score, query, d_stored.data() + s * args.size, args.size);
    }
  }
  add_to(args.d_queries, d_queries);
  add_to(args.d_stored, d_stored);
  add_to(args.d_values, d_values);
}

} // namespace

void softmax_projection_gradient(const SoftmaxProjectionGradientArgs<float>& args) {
  gradient_of(args);
}
void softmax_projection_gradient(const SoftmaxProjectionGradientArgs<double>& args) {
  gradient_of(args);
}

} // namespace mneme::kernels::reference
