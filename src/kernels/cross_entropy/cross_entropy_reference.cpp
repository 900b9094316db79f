// SPDX-License-Identifier: MIT

#include <algorithm>
#include <cmath>

#include "kernels/cross_entropy/cross_entropy.h"

namespace mneme::kernels::reference {
namespace {

template <class T> void run(const CrossEntropyArgs<T>& args) {
  for (int64_t row = 0; row < args.rows; ++row) {
    T* logits = args.logits + row * args.words;
    const int64_t target = args.targets[row];
    const double max = *std::max_element(logits, logits + args.words);
    double sum = 0;
    for (int64_t j = 0; j < args.words; ++j) {
      sum += std::exp(logits[j] - max);
    }
    args.losses[row] = max + std::log(sum) - logits[target];
    for (int64_t j = 0; args.gradient && j < args.words; ++j) {
      logits[j] = static_cast<T>(std::exp(logits[j] - max) / sum - (j == target ? 1 : 0));
    }
  }
}

} // namespace

void cross_entropy(const CrossEntropyArgs<float>& args) {
  run(args);
}
void cross_entropy(const CrossEntropyArgs<double>& args) {
  run(args);
}

} // namespace mneme::kernels::reference
