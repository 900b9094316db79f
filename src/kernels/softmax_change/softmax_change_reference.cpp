// SPDX-License-Identifier: MIT

#include "kernels/softmax_change/softmax_change.h"

#include <cmath>

namespace mneme::kernels::reference {
namespace {

template <class T>
double weight(const typename SoftmaxChangeArgs<T>::State& state, int64_t q, const T* stored, int64_t size) {
  double score = 0;
  for (int64_t i = 0; i < size; ++i) {
    score += static_cast<double>(state.queries[q * size + i]) * static_cast<double>(stored[i]);
  }
  return std::exp(score - static_cast<double>(state.largest[q])) / static_cast<double>(state.sum[q]);
}

template <class T> void softmax_change_plain(const SoftmaxChangeArgs<T>& args) {
  for (int64_t q = 0; q < args.num_queries; ++q) {
    double squares = 0;
    for (int64_t s = 0; s < args.num_stored; ++s) {
      const T* stored = args.stored + s * args.size;
      const double change =
          weight<T>(args.after, q, stored, args.size) - weight<T>(args.before, q, stored, args.size);
      squares += change * change;
    }
    args.squares[q] = squares;
  }
}

} // namespace

void softmax_change(const SoftmaxChangeArgs<float>& args) {
  softmax_change_plain(args);
}
void softmax_change(const SoftmaxChangeArgs<double>& args) {
  softmax_change_plain(args);
}

} // namespace mneme::kernels::reference
