// SPDX-License-Identifier: MIT

/// The feed-forward layer of LEAP and Fastformer blocks; "boom" and "unboom" are its published names.
#pragma once

#include <torch/nn/modules/linear.h>
#include <torch/nn/modules/normalization.h>

namespace mneme::nn {

/// Pre-norm feed-forward layer with residual connection: x + dropout(unboom(gelu(boom(norm(x)))))
at::Tensor pre_norm_feed_forward(const at::Tensor& x, torch::nn::LayerNorm& norm, torch::nn::Linear& boom,
                                 torch::nn::Linear& unboom, double dropout, bool training);

} // namespace mneme::nn
