// SPDX-License-Identifier: MIT

#include "kernels/weighted_sum/weighted_sum.h"

namespace mneme::kernels::reference {
namespace {

template <class T> void weighted_sum_plain(const WeightedSumArgs<T>& args) {
  for (int64_t q = 0; q < args.num_queries; ++q) {
    for (int64_t v = 0; v < args.value_size; ++v) {
      double sum = static_cast<double>(args.sums[q * args.row_stride() + v]);
      for (int64_t s = 0; s < args.num_stored; ++s) {
        sum += static_cast<double>(args.weights[q * args.weight_stride + s]) *
               static_cast<double>(args.values[s * args.row_stride() + v]);
      }
      args.sums[q * args.row_stride() + v] = static_cast<T>(sum);
    }
  }
}

} // namespace

void weighted_sum(const WeightedSumArgs<float>& args) {
  weighted_sum_plain(args);
}
void weighted_sum(const WeightedSumArgs<double>& args) {
  weighted_sum_plain(args);
}

} // namespace mneme::kernels::reference
