// SPDX-License-Identifier: MIT

/// Hopfield lookup layer: attention of the input (state patterns) over stored patterns that are learned
/// parameters.
#pragma once

#include "mneme/nn/hopfield.h"

namespace mneme::nn {

struct HopfieldLayerOptions {
  HopfieldLayerOptions(HopfieldOptions hopfield) : hopfield_(std::move(hopfield)) {}
  HopfieldLayerOptions(int64_t input_size) : hopfield_(input_size) {}

  /// Options of the Hopfield layer; input_size is required.
  TORCH_ARG(HopfieldOptions, hopfield);
  /// true: the pattern projections are a parameter of their own, `target_weights`; false: the stored patterns
  /// `lookup_weights` are also the pattern projections.
  TORCH_ARG(bool, lookup_weights_as_separated) = false;
  /// false: `target_weights` keep their initial values.
  TORCH_ARG(bool, lookup_targets_as_trainable) = true;
  /// Number of learned stored patterns, >= 1.
  TORCH_ARG(int64_t, quantity) = 1;
  /// false: `lookup_weights` keep their initial values.
  TORCH_ARG(bool, trainable) = true;
};

/// Symbols as in hopfield.h, with S = quantity.
///
/// Shapes  state_pattern [N, L, input_size] -> [N, L, output_size], or length first
/// Errors  UsageError, as HopfieldCore, and if state_pattern is undefined
class HopfieldLayerImpl : public torch::nn::Cloneable<HopfieldLayerImpl> {
public:
  explicit HopfieldLayerImpl(HopfieldLayerOptions options_);

  void reset() override;
  void reset_parameters();

  at::Tensor forward(const at::Tensor& state_pattern, const HopfieldMasks& masks = {});
  /// As `forward`; also returns the association [N, H, L, S'] and the course of the updates.
  HopfieldRetrieval retrieve(const at::Tensor& state_pattern, const HopfieldMasks& masks = {});
  /// The association [N, H, L, S'], computed without gradient.
  at::Tensor get_association_matrix(const at::Tensor& state_pattern, const HopfieldMasks& masks = {});
  /// The projected patterns [N, H, S', e], computed without gradient.
  at::Tensor get_projected_pattern_matrix(const at::Tensor& state_pattern, const HopfieldMasks& masks = {});

  HopfieldLayerOptions options;
  at::Tensor lookup_weights; ///< the stored patterns, [1, quantity, features], or length first
  /// The pattern projections, [1, quantity, features], or length first; undefined unless
  /// lookup_weights_as_separated.
  at::Tensor target_weights;
  Hopfield hopfield{nullptr};

private:
  const at::Tensor& targets() const;

  FORWARD_HAS_DEFAULT_ARGS({1, torch::nn::AnyValue(HopfieldMasks())})
};
TORCH_MODULE(HopfieldLayer);

} // namespace mneme::nn
