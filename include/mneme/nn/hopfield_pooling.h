// SPDX-License-Identifier: MIT

/// Hopfield pooling: attention of learned state patterns over a bag of stored patterns; its output has one
/// size for bags of any size.
#pragma once

#include "mneme/nn/hopfield.h"

namespace mneme::nn {

struct HopfieldPoolingOptions {
  HopfieldPoolingOptions(HopfieldOptions hopfield) : hopfield_(std::move(hopfield)) {}
  HopfieldPoolingOptions(int64_t input_size) : hopfield_(input_size) {}

  /// Options of the Hopfield layer; input_size is required.
  TORCH_ARG(HopfieldOptions, hopfield);
  /// Number of learned state patterns, >= 1.
  TORCH_ARG(int64_t, quantity) = 1;
  /// false: the state patterns keep their initial values.
  TORCH_ARG(bool, trainable) = true;
};

/// Symbols as in hopfield.h, with L = quantity.
///
/// Shapes  stored_pattern [N, S, stored_pattern_size], pattern_projection [N, S, pattern_projection_size] or
///         undefined (then the stored pattern) -> [N, quantity * output_size]. Length first: inputs [S, N,
///         ...], the same output (with hopfield.compat: [quantity, N * output_size])
/// Errors  UsageError, as HopfieldCore
class HopfieldPoolingImpl : public torch::nn::Cloneable<HopfieldPoolingImpl> {
public:
  explicit HopfieldPoolingImpl(HopfieldPoolingOptions options_);

  void reset() override;
  void reset_parameters();

  at::Tensor forward(const at::Tensor& stored_pattern, const at::Tensor& pattern_projection = {},
                     const HopfieldMasks& masks = {});
  /// `forward` for a single bag that need not fit in memory (Hopfield::forward_from), such as a file:
  /// data::RowFile.
  at::Tensor forward_from(const std::shared_ptr<const RowSource>& stored_pattern);
  /// As `forward`; also returns the association [N, H, quantity, S'] and the course of the updates.
  HopfieldRetrieval retrieve(const at::Tensor& stored_pattern, const at::Tensor& pattern_projection = {},
                             const HopfieldMasks& masks = {});
  /// The association [N, H, quantity, S'], computed without gradient.
  at::Tensor get_association_matrix(const at::Tensor& stored_pattern,
                                    const at::Tensor& pattern_projection = {},
                                    const HopfieldMasks& masks = {});
  /// The projected patterns [N, H, S', e], computed without gradient.
  at::Tensor get_projected_pattern_matrix(const at::Tensor& stored_pattern,
                                          const at::Tensor& pattern_projection = {},
                                          const HopfieldMasks& masks = {});

  /// Features of the output of one bag, quantity * output_size of the Hopfield layer; nullopt if they depend
  /// on the input.
  std::optional<int64_t> output_size() const;

  HopfieldPoolingOptions options;
  at::Tensor pooling_weights; ///< the state patterns, [1, quantity, features], or length first
  Hopfield hopfield{nullptr};

private:
  at::Tensor flatten(const at::Tensor& output) const;

  FORWARD_HAS_DEFAULT_ARGS({1, torch::nn::AnyValue(at::Tensor())}, {2, torch::nn::AnyValue(HopfieldMasks())})
};
TORCH_MODULE(HopfieldPooling);

} // namespace mneme::nn
