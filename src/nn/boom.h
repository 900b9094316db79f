// SPDX-License-Identifier: MIT

/// The feed-forward half of the blocks of LEAP and of the fastformer.
#pragma once

#include <torch/nn/modules/linear.h>
#include <torch/nn/modules/normalization.h>

namespace mneme::nn {

/// x + dropout(unboom(gelu(boom(norm(x)))))
at::Tensor with_boom(const at::Tensor& x, torch::nn::LayerNorm& norm, torch::nn::Linear& boom,
                     torch::nn::Linear& unboom, double dropout, bool training);

} // namespace mneme::nn
