// SPDX-License-Identifier: MIT

#include "nn/learned_patterns.h"

#include <ATen/Functions.h>
#include <torch/nn/init.h>

#include "nn/checks.h"
#include "nn/core_sizes.h"
#include "nn/refuse.h"

namespace mneme::nn {

int64_t LearnedPatterns::features(bool is_static, std::optional<int64_t> size) const {
  check_size(layer, "quantity", quantity);
  if (!options.input_size() || *options.input_size() < 1 || options.num_heads() < 1 || (size && *size < 1)) {
    refuse(layer,
           c10::str("input_size is ", options.input_size() ? c10::str(*options.input_size()) : "missing",
                    ", num_heads is ", options.num_heads(), ", but both must be at least 1."),
           "They determine the size of the learned patterns.");
  }
  const std::optional<int64_t> head = core_sizes(options.core()).head;
  return is_static && head ? *head : size.value_or(*options.input_size());
}

at::Tensor LearnedPatterns::create(int64_t features) const {
  at::Tensor patterns =
      options.batch_first() ? at::empty({1, quantity, features}) : at::empty({quantity, 1, features});
  initialise(patterns);
  return patterns;
}

void LearnedPatterns::initialise(at::Tensor& patterns) {
  constexpr double kInitialStd = 0.02; // as published
  torch::nn::init::normal_(patterns, 0, kInitialStd);
}

} // namespace mneme::nn
