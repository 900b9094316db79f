// SPDX-License-Identifier: MIT

/// An encoder block of a transformer with a Hopfield layer in place of its attention.
#pragma once

#include <string>

#include "mneme/nn/hopfield.h"

namespace mneme::nn {

struct HopfieldEncoderLayerOptions {
  HopfieldEncoderLayerOptions(HopfieldOptions hopfield_association)
      : hopfield_association_(std::move(hopfield_association)) {}

  /// input_size is needed and must be the size of its output.
  TORCH_ARG(HopfieldOptions, hopfield_association);
  /// Features between the two linear layers.
  TORCH_ARG(int64_t, dim_feedforward) = 2048;
  /// Share of numbers dropped after each of the parts while training, in [0, 1].
  TORCH_ARG(double, dropout) = 0.1;
  /// Between the two linear layers; names as in HopfieldOptions.
  TORCH_ARG(std::string, activation) = "relu";
};

/// x = norm_residual(src + dropout(hopfield(src))),
/// y = norm_output(x + dropout(linear_output(dropout(activation(linear_residual(x)))))).
///
/// Shapes  src [N, L, input_size] -> the same, or length first
/// Errors  UsageError, as HopfieldCore
class HopfieldEncoderLayerImpl : public torch::nn::Cloneable<HopfieldEncoderLayerImpl> {
public:
  explicit HopfieldEncoderLayerImpl(HopfieldEncoderLayerOptions options_);

  void reset() override;
  void reset_parameters();

  at::Tensor forward(const at::Tensor& src, const HopfieldMasks& masks = {});
  /// Of the Hopfield layer alone.
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
