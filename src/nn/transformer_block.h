// SPDX-License-Identifier: MIT

/// Layers and checks that the transformer blocks share.
#pragma once

#include <string>

#include <torch/nn/modules/linear.h>
#include <torch/nn/modules/normalization.h>

#include "mneme/nn/hopfield.h"
#include "nn/activation.h"

namespace mneme::nn {

/// Options of the encoder and the decoder block.
struct BlockOptions {
  const char* layer;
  int64_t dim_feedforward;
  double dropout;
  const std::string& activation;

  /// Errors  UsageError
  void check() const;
};

/// The number of features of a block that contains this layer. Errors  UsageError if the layer's output has
/// another number of features than its input, so that there can be no residual connection
int64_t block_features(const char* block, const Hopfield& layer);

/// Layer norm over the last dimension, with the default options of LibTorch.
torch::nn::LayerNorm block_norm(int64_t features);

/// dropout(x) in training, else x
at::Tensor apply_dropout(const at::Tensor& x, double dropout, bool training);

/// Post-norm feed-forward layer: norm(x + dropout(output(dropout(activation(residual(x))))))
at::Tensor feed_forward(const BlockOptions& options, const at::Tensor& x, torch::nn::Linear& residual,
                        torch::nn::Linear& output, torch::nn::LayerNorm& norm, bool training);

} // namespace mneme::nn
