// SPDX-License-Identifier: MIT

#include "nn/learnt_patterns.h"

#include <ATen/Functions.h>
#include <torch/nn/init.h>

#include "nn/core_sizes.h"
#include "nn/refuse.h"

namespace mneme::nn {

int64_t LearntPatterns::features(bool is_static, std::optional<int64_t> size) const {
  if (quantity < 1) {
    refuse(layer, c10::str("quantity is ", quantity, ", at least 1 is needed."),
           "It is the number of patterns learnt.");
  }
  if (!options.input_size() || *options.input_size() < 1 || options.num_heads() < 1 || (size && *size < 1)) {
    refuse(layer,
           c10::str("input_size is ", options.input_size() ? c10::str(*options.input_size()) : "missing",
                    ", num_heads is ", options.num_heads(), ", at least 1 of each is needed."),
           "Patterns that are learnt need a size.");
  }
  const std::optional<int64_t> head = core_sizes(options.core()).head;
  return is_static && head ? *head : size.value_or(*options.input_size());
}

at::Tensor LearntPatterns::made(int64_t features) const {
  at::Tensor patterns =
      options.batch_first() ? at::empty({1, quantity, features}) : at::empty({quantity, 1, features});
  draw(patterns);
  return patterns;
}

void LearntPatterns::draw(at::Tensor& patterns) {
  constexpr double kDeviation = 0.02; // of the published first values
  torch::nn::init::normal_(patterns, 0, kDeviation);
}

} // namespace mneme::nn
