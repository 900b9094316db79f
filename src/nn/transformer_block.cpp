// SPDX-License-Identifier: MIT

#include "nn/apply_norm.h"
#include "nn/transformer_block.h"

#include <ATen/Functions.h>

#include "nn/apply_linear.h"
#include "nn/checks.h"
#include "nn/refuse.h"

namespace mneme::nn {

void BlockOptions::check() const {
  check_size(layer, "dim_feedforward", dim_feedforward);
  if (!(dropout >= 0 && dropout <= 1)) {
    refuse(layer, c10::str("dropout is ", dropout, ", but must be in [0, 1]."), "It is a probability.");
  }
  activation_named(layer, activation);
}

int64_t block_features(const char* block, const Hopfield& layer) {
  const std::optional<int64_t> input = layer->options.input_size(), output = layer->output_size();
  if (!input || !output || *input != *output) {
    const auto shown = [](std::optional<int64_t> size) { return size ? c10::str(*size) : "not known"; };
    refuse(block,
           c10::str("input_size of its Hopfield layer is ", shown(input), " but the output's is ",
                    shown(output), "."),
           "The output is added to the input: give input_size, and leave output_size out.");
  }
  return *input;
}

torch::nn::LayerNorm block_norm(int64_t features) {
  return torch::nn::LayerNorm(torch::nn::LayerNormOptions({features}));
}

at::Tensor apply_dropout(const at::Tensor& x, double dropout, bool training) {
  return training && dropout > 0 ? at::dropout(x, dropout, true) : x;
}

at::Tensor feed_forward(const BlockOptions& options, const at::Tensor& x, torch::nn::Linear& residual,
                        torch::nn::Linear& output, torch::nn::LayerNorm& norm, bool training) {
  const Activation activation = activation_named(options.layer, options.activation);
  const at::Tensor inner = apply_dropout(activation(apply_linear(*residual, x)), options.dropout, training);
  return apply_norm(*norm, x + apply_dropout(apply_linear(*output, inner), options.dropout, training));
}

} // namespace mneme::nn
