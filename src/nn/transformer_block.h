// SPDX-License-Identifier: MIT

/// What the encoder and the decoder block have in common.
#pragma once

#include <string>

#include <torch/nn/modules/linear.h>
#include <torch/nn/modules/normalization.h>

#include "mneme/nn/hopfield.h"
#include "nn/activation.h"

namespace mneme::nn {

/// The options of both blocks; checked where a block is made.
struct BlockOptions {
  const char* layer;
  int64_t dim_feedforward;
  double dropout;
  const std::string& activation;

  /// Errors  UsageError
  void check() const;
};

/// Features of a block around this layer. Errors  UsageError if its output has other features than its input
int64_t block_features(const char* block, const Hopfield& layer);

torch::nn::LayerNorm block_norm(int64_t features);

/// dropout(part), while training
at::Tensor dropped(const at::Tensor& part, double dropout, bool training);

/// norm(x + dropout(output(dropout(activation(residual(x))))))
at::Tensor feed_forward(const BlockOptions& options, const at::Tensor& x, torch::nn::Linear& residual,
                        torch::nn::Linear& output, torch::nn::LayerNorm& norm, bool training);

} // namespace mneme::nn
