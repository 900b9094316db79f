// SPDX-License-Identifier: MIT

#include "kernels/softmax_change/softmax_change.h"

#include <cmath>
#include <limits>

namespace mneme::kernels::reference {
namespace {

template <class T>
double weight(const SoftmaxChangeArgs<T>& args, const typename SoftmaxChangeArgs<T>::State& state, int64_t q,
              int64_t s) {
  double score = 0;
  for (int64_t i = 0; i < args.size; ++i) {
    score += static_cast<double>(state.queries[q * args.size + i]) *
             static_cast<double>(args.stored[s * args.size + i]);
  }
  score = masked(score, args.mask, q, s);
  if (state.row_sum[q] == 0 || score == -std::numeric_limits<double>::infinity()) {
    return 0;
  }
  return std::exp(score - static_cast<double>(state.row_max[q])) / static_cast<double>(state.row_sum[q]);
}

template <class T> void softmax_change_of(const SoftmaxChangeArgs<T>& args) {
  for (int64_t q = 0; q < args.num_queries; ++q) {
    double squares = 0;
    for (int64_t s = 0; s < args.num_stored; ++s) {
      const double change = weight<T>(args, args.after, q, s) - weight<T>(args, args.before, q, s);
      squares += change * change;
    }
    args.squares[q] = squares;
  }
}

} // namespace

void softmax_change(const SoftmaxChangeArgs<float>& args) {
  softmax_change_of(args);
}
void softmax_change(const SoftmaxChangeArgs<double>& args) {
  softmax_change_of(args);
}

} // namespace mneme::kernels::reference
