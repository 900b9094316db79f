// SPDX-License-Identifier: MIT

/// A pre-norm transformer block with LEAP in place of attention.
#pragma once

#include <torch/nn/modules/normalization.h>

#include "mneme/nn/multihead_leap.h"

namespace mneme::nn {

/// x <- x + leap(attn_norm(x)); x <- x + dropout(unboom(gelu(boom(boom_norm(x))))), with an inner size of
/// 4 hidden_size.
///
/// Shapes      x [B, T, hidden_size] -> the same
/// Errors      UsageError, as MultiheadLeap
/// state_dict  attn_norm.*, leap.projections.weight, boom.*, unboom.*, boom_norm.*
/// Source      LEAP, LeapBlock; `leap` has the block's dropout
class LeapBlockImpl : public torch::nn::Cloneable<LeapBlockImpl> {
public:
  explicit LeapBlockImpl(MultiheadLeapOptions leap_options);

  void reset() override;
  /// key_padding_mask: as MultiheadLeap::forward.
  at::Tensor forward(const at::Tensor& x, const at::Tensor& key_padding_mask = {});
  /// As MultiheadLeap::step.
  MultiheadLeapStep step(const at::Tensor& x, ops::LeapState state);

  MultiheadLeapOptions options;
  MultiheadLeap leap{nullptr};
  torch::nn::LayerNorm attn_norm{nullptr}, boom_norm{nullptr};
  torch::nn::Linear boom{nullptr}, unboom{nullptr};
};
TORCH_MODULE(LeapBlock);

} // namespace mneme::nn
