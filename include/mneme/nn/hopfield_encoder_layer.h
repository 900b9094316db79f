// SPDX-License-Identifier: MIT

/// Transformer encoder layer with a Hopfield layer in place of self-attention.
#pragma once

#include <string>

#include "mneme/nn/hopfield.h"

namespace mneme::nn {

struct HopfieldEncoderLayerOptions {
  HopfieldEncoderLayerOptions(HopfieldOptions hopfield_association)
      : hopfield_association_(std::move(hopfield_association)) {}

  /// Options of the Hopfield layer. input_size is required, and the output must have the same size.
  TORCH_ARG(HopfieldOptions, hopfield_association);
  /// Features between the two linear layers, >= 1.
  TORCH_ARG(int64_t, dim_feedforward) = 2048;
  /// Dropout probability after each sub-layer and within the feed-forward network, in [0, 1].
  TORCH_ARG(double, dropout) = 0.1;
  /// Activation between the two linear layers: relu, gelu, ... (the error for an unknown name lists all).
  TORCH_ARG(std::string, activation) = "relu";
};

/// Formula  x = norm_residual(src + dropout(hopfield(src)))
///          y = norm_output(x + dropout(linear_output(dropout(activation(linear_residual(x))))))
/// Shapes   src [N, L, input_size] -> the same; or length first
/// Errors   UsageError, as HopfieldCore
class HopfieldEncoderLayerImpl : public torch::nn::Cloneable<HopfieldEncoderLayerImpl> {
public:
  explicit HopfieldEncoderLayerImpl(HopfieldEncoderLayerOptions options_);

  void reset() override;
  void reset_parameters();

  at::Tensor forward(const at::Tensor& src, const HopfieldMasks& masks = {});
  /// Association [N, H, L, S'] of the Hopfield layer, computed without gradient.
  at::Tensor get_association_matrix(const at::Tensor& src, const HopfieldMasks& masks = {});

  HopfieldEncoderLayerOptions options;
  Hopfield hopfield_association{nullptr};
  torch::nn::Linear linear_residual{nullptr}, linear_output{nullptr};
  torch::nn::LayerNorm norm_residual{nullptr}, norm_output{nullptr};

private:
  FORWARD_HAS_DEFAULT_ARGS({1, torch::nn::AnyValue(HopfieldMasks())})
};
TORCH_MODULE(HopfieldEncoderLayer);

} // namespace mneme::nn
