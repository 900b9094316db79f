// SPDX-License-Identifier: MIT

/// Pools a bag of patterns of any size: learnt state patterns look them up.
#pragma once

#include "mneme/nn/hopfield.h"

namespace mneme::nn {

struct HopfieldPoolingOptions {
  HopfieldPoolingOptions(HopfieldOptions hopfield) : hopfield_(std::move(hopfield)) {}
  HopfieldPoolingOptions(int64_t input_size) : hopfield_(input_size) {}

  /// input_size is needed.
  TORCH_ARG(HopfieldOptions, hopfield);
  /// How many state patterns are learnt.
  TORCH_ARG(int64_t, quantity) = 1;
  /// false: they stay as they are.
  TORCH_ARG(bool, trainable) = true;
};

/// Shapes  stored_pattern [N, S, stored_pattern_size], pattern_projection [N, S, pattern_projection_size] or
///         left out -> [N, quantity * output_size]; length first takes [S, N, ...] and gives the same
///         (hopfield_.compat: [quantity, N * output_size])
/// Errors  UsageError, as HopfieldCore
class HopfieldPoolingImpl : public torch::nn::Cloneable<HopfieldPoolingImpl> {
public:
  explicit HopfieldPoolingImpl(HopfieldPoolingOptions options_);

  void reset() override;
  void reset_parameters();

  at::Tensor forward(const at::Tensor& stored_pattern, const at::Tensor& pattern_projection = {},
                     const HopfieldMasks& masks = {});
  /// The same for one bag that need not fit in memory: see Hopfield. A data::RowFile is one in a file.
  at::Tensor forward_from(const std::shared_ptr<const RowSource>& stored_pattern);
  /// As `forward`, with the association [N, H, quantity, S'] and how it was reached.
  HopfieldRetrieval retrieve(const at::Tensor& stored_pattern, const at::Tensor& pattern_projection = {},
                             const HopfieldMasks& masks = {});
  at::Tensor get_association_matrix(const at::Tensor& stored_pattern,
                                    const at::Tensor& pattern_projection = {},
                                    const HopfieldMasks& masks = {});
  at::Tensor get_projected_pattern_matrix(const at::Tensor& stored_pattern,
                                          const at::Tensor& pattern_projection = {},
                                          const HopfieldMasks& masks = {});

  /// Features of one bag's output; none where the input decides.
  std::optional<int64_t> output_size() const;

  HopfieldPoolingOptions options;
  at::Tensor pooling_weights; ///< [1, quantity, features of a state pattern], or length first
  Hopfield hopfield{nullptr};

private:
  at::Tensor flat(const at::Tensor& output) const;

  FORWARD_HAS_DEFAULT_ARGS({1, torch::nn::AnyValue(at::Tensor())}, {2, torch::nn::AnyValue(HopfieldMasks())})
};
TORCH_MODULE(HopfieldPooling);

} // namespace mneme::nn
