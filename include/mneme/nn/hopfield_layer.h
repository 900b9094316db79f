// SPDX-License-Identifier: MIT

/// Looks up learnt patterns: a layer that associates its input with a memory of its own.
#pragma once

#include "mneme/nn/hopfield.h"

namespace mneme::nn {

struct HopfieldLayerOptions {
  HopfieldLayerOptions(HopfieldOptions hopfield) : hopfield_(std::move(hopfield)) {}
  HopfieldLayerOptions(int64_t input_size) : hopfield_(input_size) {}

  /// input_size is needed.
  TORCH_ARG(HopfieldOptions, hopfield);
  /// What is returned are patterns of their own, `target_weights`; else the stored patterns themselves.
  TORCH_ARG(bool, lookup_weights_as_separated) = false;
  /// false: `target_weights` stay as they are.
  TORCH_ARG(bool, lookup_targets_as_trainable) = true;
  /// How many stored patterns are learnt.
  TORCH_ARG(int64_t, quantity) = 1;
  /// false: `lookup_weights` stay as they are.
  TORCH_ARG(bool, trainable) = true;
};

/// Shapes  state_pattern [N, L, input_size] -> [N, L, output_size], or length first
/// Errors  UsageError, as HopfieldCore
class HopfieldLayerImpl : public torch::nn::Cloneable<HopfieldLayerImpl> {
public:
  explicit HopfieldLayerImpl(HopfieldLayerOptions options_);

  void reset() override;
  void reset_parameters();

  at::Tensor forward(const at::Tensor& state_pattern, const HopfieldMasks& masks = {});
  /// The same with the association [N, H, L, quantity] and how it was reached.
  HopfieldRetrieval retrieve(const at::Tensor& state_pattern, const HopfieldMasks& masks = {});
  at::Tensor get_association_matrix(const at::Tensor& state_pattern, const HopfieldMasks& masks = {});
  at::Tensor get_projected_pattern_matrix(const at::Tensor& state_pattern, const HopfieldMasks& masks = {});

  HopfieldLayerOptions options;
  at::Tensor lookup_weights; ///< [1, quantity, features of a stored pattern], or length first
  at::Tensor
      target_weights; ///< the same with the features of a pattern projection; undefined if not separated
  Hopfield hopfield{nullptr};

private:
  const at::Tensor& targets() const;

  FORWARD_HAS_DEFAULT_ARGS({1, torch::nn::AnyValue(HopfieldMasks())})
};
TORCH_MODULE(HopfieldLayer);

} // namespace mneme::nn
