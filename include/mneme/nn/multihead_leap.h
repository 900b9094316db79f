// SPDX-License-Identifier: MIT

/// LEAP as a layer: causal attention in linear time with exact attention weights.
#pragma once

#include <optional>
#include <vector>

#include <torch/arg.h>
#include <torch/nn/cloneable.h>
#include <torch/nn/modules/linear.h>
#include <torch/nn/pimpl.h>

#include "mneme/ops/leap.h"

namespace mneme::nn {

struct MultiheadLeapOptions {
  MultiheadLeapOptions(int64_t hidden_size, int64_t num_heads)
      : hidden_size_(hidden_size), num_heads_(num_heads) {}

  TORCH_ARG(int64_t, hidden_size);
  /// Must divide hidden_size.
  TORCH_ARG(int64_t, num_heads);
  /// Window in tokens, the query position included; 0 = unlimited. One for all heads, or one per head.
  TORCH_ARG(std::vector<int64_t>, windows) = {0};
  /// Dropout probability of queries, focus, values and focus logits in training, in [0, 1). A dropped logit
  /// gives its token the neutral weight 1.
  TORCH_ARG(double, dropout) = 0.1;
  TORCH_ARG(ops::FocusWeight, weight) = ops::FocusWeight::elu;
  /// c: queries, focus, keys and values are standardised per head, and both dot products are scaled by c /
  /// head_size, which bounds focus logits by c. The published exponential form uses 10. Without a value: no
  /// standardisation, and the scale 1 / sqrt(head_size).
  TORCH_ARG(std::optional<double>, rescale);
  TORCH_ARG(ops::LeapGate, gate) = ops::LeapGate::sigmoid;
  /// See ops::LeapOptions.
  TORCH_ARG(std::optional<double>, gate_scale);
  /// See ops::Windows: one for all heads, or one per head.
  TORCH_ARG(std::vector<double>, decay) = {0};
  /// Rotates queries, focus and keys by their position, so that the gate depends on the distances of keys;
  /// focus weights do not change. Requires an even head size.
  TORCH_ARG(bool, rotary) = false;
  /// An encoder: windows contain as many tokens after the query position as before it.
  TORCH_ARG(bool, both_sides) = false;
  TORCH_ARG(double, epsilon) = ops::kWindowEpsilon;
  TORCH_ARG(bool, check_finite) = true; ///< see ops::LeapOptions
};

/// The slopes 2^(-8 h / H), h = 1 .. H, of attention with linear biases (ALiBi), as decays per head.
std::vector<double> alibi_slopes(int64_t num_heads);

struct MultiheadLeapStep {
  at::Tensor output;
  ops::LeapState state;
};

/// output = concatenated heads of ops::leap, where query | focus | key | value = x . projections^T.
///
/// Shapes      x [B, T, hidden_size] -> the same; B, T >= 0
/// Types       as ops::leap; x must have the type of the parameters
/// Errors      UsageError if an option is out of its range, or x does not fit
/// state_dict  projections.weight [4 hidden_size, hidden_size]
/// Source      LEAP ("Linear Explainable Attention in Parallel"), MultiheadLeap
class MultiheadLeapImpl : public torch::nn::Cloneable<MultiheadLeapImpl> {
public:
  explicit MultiheadLeapImpl(MultiheadLeapOptions options_);

  void reset() override;
  /// key_padding_mask: bool [B, T]; true = ignored (padding). Undefined: no padding.
  at::Tensor forward(const at::Tensor& x, const at::Tensor& key_padding_mask = {});
  /// The output for the next tokens of a sequence. `state`: the state that the previous call returned; {} for
  /// the first call. Without gradients or dropout.
  MultiheadLeapStep step(const at::Tensor& x, ops::LeapState state);
  /// The intermediates of forward, without dropout.
  ops::LeapIntermediates explain(const at::Tensor& x, const at::Tensor& key_padding_mask = {});
  /// [B, H, queries, keys]: see ops::effective_attention.
  at::Tensor effective_attention(const ops::LeapIntermediates& intermediates,
                                 const ops::LeapTile& tile = {}) const;
  /// The options that ops::leap is called with, and that ops::explain needs.
  ops::LeapOptions op_options() const;

  MultiheadLeapOptions options;
  torch::nn::Linear projections{nullptr};

private:
  struct Projected {
    at::Tensor query, focus, key, value; ///< [B, T, H, head_size]
  };
  Projected project(const at::Tensor& x, int64_t first_position);
};
TORCH_MODULE(MultiheadLeap);

} // namespace mneme::nn
