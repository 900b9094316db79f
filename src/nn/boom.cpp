// SPDX-License-Identifier: MIT

#include "nn/apply_norm.h"
#include "nn/boom.h"

#include <ATen/Functions.h>

#include "mneme/ops/linear.h"
#include "nn/apply_linear.h"
#include "nn/transformer_block.h"

namespace mneme::nn {

at::Tensor pre_norm_feed_forward(const at::Tensor& x, torch::nn::LayerNorm& norm, torch::nn::Linear& boom,
                                 torch::nn::Linear& unboom, double dropout, bool training) {
  const at::Tensor inner = ops::linear_gelu(apply_norm(*norm, x), boom->weight, boom->bias);
  return x + apply_dropout(apply_linear(*unboom, inner), dropout, training);
}

} // namespace mneme::nn
