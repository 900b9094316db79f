// SPDX-License-Identifier: MIT

#include "nn/transformer_block.h"

#include <ATen/Functions.h>

#include "nn/refuse.h"

namespace mneme::nn {

void BlockOptions::check() const {
  if (dim_feedforward < 1) {
    refuse(layer, c10::str("dim_feedforward is ", dim_feedforward, ", at least 1 is needed."),
           "The default is 2048.");
  }
  if (!(dropout >= 0 && dropout <= 1)) {
    refuse(layer, c10::str("dropout is ", dropout, ", but must lie in [0, 1]."),
           "It is the share that is dropped.");
  }
  activation_named(layer, activation);
}

int64_t block_features(const char* block, const Hopfield& layer) {
  const std::optional<int64_t> input = layer->options.input_size(), output = layer->output_size();
  if (!input || !output || *input != *output) {
    const auto said = [](std::optional<int64_t> size) { return size ? c10::str(*size) : "not known"; };
    refuse(block,
           c10::str("input_size of its Hopfield layer is ", said(input), " but the output's is ",
                    said(output), "."),
           "What the layer gives is added to what it got: give input_size, and leave output_size out.");
  }
  return *input;
}

torch::nn::LayerNorm block_norm(int64_t features) {
  return torch::nn::LayerNorm(torch::nn::LayerNormOptions({features}));
}

at::Tensor dropped(const at::Tensor& part, double dropout, bool training) {
  return training && dropout > 0 ? at::dropout(part, dropout, true) : part;
}

at::Tensor feed_forward(const BlockOptions& options, const at::Tensor& x, torch::nn::Linear& residual,
                        torch::nn::Linear& output, torch::nn::LayerNorm& norm, bool training) {
  const Activation activation = activation_named(options.layer, options.activation);
  const at::Tensor inner = dropped(activation(residual->forward(x)), options.dropout, training);
  return norm->forward(x + dropped(output->forward(inner), options.dropout, training));
}

} // namespace mneme::nn
