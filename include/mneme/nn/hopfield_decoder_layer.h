// SPDX-License-Identifier: MIT

/// Transformer decoder layer with Hopfield layers in place of self-attention and cross-attention.
#pragma once

#include <string>

#include "mneme/nn/hopfield.h"

namespace mneme::nn {

struct HopfieldDecoderLayerOptions {
  HopfieldDecoderLayerOptions(HopfieldOptions hopfield_association_self,
                              HopfieldOptions hopfield_association_cross)
      : hopfield_association_self_(std::move(hopfield_association_self)),
        hopfield_association_cross_(std::move(hopfield_association_cross)) {}

  /// Options of the two Hopfield layers, from the targets to themselves and from the targets to the memory.
  /// Both need the same input_size, which must also be their output size, and the same batch_first.
  TORCH_ARG(HopfieldOptions, hopfield_association_self);
  TORCH_ARG(HopfieldOptions, hopfield_association_cross);
  /// Features between the two linear layers, >= 1.
  TORCH_ARG(int64_t, dim_feedforward) = 2048;
  /// Dropout probability after each sub-layer and within the feed-forward network, in [0, 1].
  TORCH_ARG(double, dropout) = 0.1;
  /// Activation between the two linear layers: relu, gelu, ... (the error for an unknown name lists all).
  TORCH_ARG(std::string, activation) = "relu";
};

/// Formula  x = norm_residual_self(tgt + dropout(self(tgt)))
///          x = norm_residual_cross(x + dropout(cross(stored = memory, state = x)))
///          y = norm_output(x + dropout(linear_output(dropout(activation(linear_residual(x))))))
/// Shapes   tgt [N, L, input_size], memory [N, S, stored_pattern_size] -> as tgt; or length first
/// Errors   UsageError, as HopfieldCore
class HopfieldDecoderLayerImpl : public torch::nn::Cloneable<HopfieldDecoderLayerImpl> {
public:
  explicit HopfieldDecoderLayerImpl(HopfieldDecoderLayerOptions options_);

  void reset() override;
  void reset_parameters();

  at::Tensor forward(const at::Tensor& tgt, const at::Tensor& memory, const HopfieldMasks& tgt_masks = {},
                     const HopfieldMasks& memory_masks = {});
  /// Association [N, H, L, S'] of one Hopfield layer with the given inputs, without the sub-layers before it,
  /// computed without gradient.
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
