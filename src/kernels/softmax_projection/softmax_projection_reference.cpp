// SPDX-License-Identifier: MIT

#include "kernels/softmax_projection/softmax_projection.h"

#include <cmath>
#include <limits>
#include <vector>

namespace mneme::kernels::reference {
namespace {

template <class T> void softmax_projection_of(const SoftmaxProjectionArgs<T>& args) {
  std::vector<double> weights(static_cast<size_t>(args.num_stored));
  for (int64_t q = 0; q < args.num_queries; ++q) {
    double row_max = static_cast<double>(std::numeric_limits<T>::lowest());
    for (int64_t s = 0; s < args.num_stored; ++s) {
      double score = 0;
      for (int64_t i = 0; i < args.size; ++i) {
        score += static_cast<double>(args.queries[q * args.size + i]) *
                 static_cast<double>(args.stored[s * args.size + i]);
      }
      weights[static_cast<size_t>(s)] = masked(static_cast<double>(args.beta) * score, args.mask, q, s);
      row_max = std::fmax(row_max, weights[static_cast<size_t>(s)]);
    }
    double row_sum = 0;
    for (double& weight : weights) {
      weight = std::exp(weight - row_max); // exp overflows beyond 709
      row_sum += weight;
    }
    for (int64_t v = 0; v < args.value_size; ++v) {
      double total = 0;
      for (int64_t s = 0; s < args.num_stored; ++s) {
        if (args.mask.key_padding_mask == nullptr || args.mask.key_padding_mask[s] == 0) {
          total += args.dropout.factor(q, s) * weights[static_cast<size_t>(s)] *
                   static_cast<double>(args.values[s * args.value_size + v]);
        }
      }
      args.readout[q * args.value_size + v] = static_cast<T>(row_sum == 0 ? 0.0 : total / row_sum);
    }
    if (args.row_max != nullptr) {
      args.row_max[q] = static_cast<T>(row_max);
    }
    if (args.row_sum != nullptr) {
      args.row_sum[q] = static_cast<T>(row_sum);
    }
  }
}

} // namespace

void softmax_projection(const SoftmaxProjectionArgs<float>& args) {
  softmax_projection_of(args);
}
void softmax_projection(const SoftmaxProjectionArgs<double>& args) {
  softmax_projection_of(args);
}

} // namespace mneme::kernels::reference
