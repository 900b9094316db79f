// SPDX-License-Identifier: MIT

/// A decoder block of a transformer with Hopfield layers in place of its attention.
#pragma once

#include <string>

#include "mneme/nn/hopfield.h"

namespace mneme::nn {

struct HopfieldDecoderLayerOptions {
  HopfieldDecoderLayerOptions(HopfieldOptions hopfield_association_self,
                              HopfieldOptions hopfield_association_cross)
      : hopfield_association_self_(std::move(hopfield_association_self)),
        hopfield_association_cross_(std::move(hopfield_association_cross)) {}

  /// Among the targets, and from them to the memory. input_size is needed and must be the size of both outputs.
  TORCH_ARG(HopfieldOptions, hopfield_association_self);
  TORCH_ARG(HopfieldOptions, hopfield_association_cross);
  /// Features between the two linear layers.
  TORCH_ARG(int64_t, dim_feedforward) = 2048;
  /// Share of numbers dropped after each of the parts while training, in [0, 1].
  TORCH_ARG(double, dropout) = 0.1;
  /// Between the two linear layers; names as in HopfieldOptions.
  TORCH_ARG(std::string, activation) = "relu";
};

/// x = norm_residual_self(tgt + dropout(self(tgt))),
/// x = norm_residual_cross(x + dropout(cross(stored = memory, state = x))),
/// y = norm_output(x + dropout(linear_output(dropout(activation(linear_residual(x)))))).
///
/// Shapes  tgt [N, L, input_size], memory [N, S, stored_pattern_size] -> as tgt, or length first
/// Errors  UsageError, as HopfieldCore
class HopfieldDecoderLayerImpl : public torch::nn::Cloneable<HopfieldDecoderLayerImpl> {
public:
  explicit HopfieldDecoderLayerImpl(HopfieldDecoderLayerOptions options_);

  void reset() override;
  void reset_parameters();

  at::Tensor forward(const at::Tensor& tgt, const at::Tensor& memory, const HopfieldMasks& tgt_masks = {},
                     const HopfieldMasks& memory_masks = {});
  /// Of the two Hopfield layers alone: `state` as it is given, not as the block would change it.
  at::Tensor get_association_matrix_self(const at::Tensor& tgt, const HopfieldMasks& masks = {});
  at::Tensor get_association_matrix_cross(const at::Tensor& memory, const at::Tensor& state,
                                          const HopfieldMasks& masks = {});

  HopfieldDecoderLayerOptions options;
  Hopfield hopfield_association_self{nullptr}, hopfield_association_cross{nullptr};
  torch::nn::Linear linear_residual{nullptr}, linear_output{nullptr};
  torch::nn::LayerNorm norm_residual_self{nullptr}, norm_residual_cross{nullptr}, norm_output{nullptr};

private:
  FORWARD_HAS_DEFAULT_ARGS({2, torch::nn::AnyValue(HopfieldMasks())},
                           {3, torch::nn::AnyValue(HopfieldMasks())})
};
TORCH_MODULE(HopfieldDecoderLayer);

} // namespace mneme::nn
