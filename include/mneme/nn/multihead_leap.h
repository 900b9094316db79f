// SPDX-License-Identifier: MIT

/// LEAP as a layer: causal attention in linear time that can say what it looks at.
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
  /// Tokens a reader sees, itself included; 0 = all. One for all heads, or one per head.
  TORCH_ARG(std::vector<int64_t>, windows) = {0};
  /// Share of queries, focus, values and focus logits that is dropped while training, in [0, 1). A dropped logit makes
  /// its token neutral, of weight 1.
  TORCH_ARG(double, dropout) = 0.1;
  TORCH_ARG(ops::FocusWeight, weight) = ops::FocusWeight::elu;
  /// c: queries, focus, keys and values are standardised per head, and both dot products are scaled by c / head_size,
  /// which bounds focus logits by c. The published exponential form has 10. None: no standardisation, 1 /
  /// sqrt(head_size).
  TORCH_ARG(std::optional<double>, rescale);
  TORCH_ARG(ops::LeapGate, gate) = ops::LeapGate::sigmoid;
  /// See ops::LeapOptions.
  TORCH_ARG(std::optional<double>, gate_scale);
  /// See ops::Windows: one for all heads, or one per head.
  TORCH_ARG(std::vector<double>, decay) = {0};
  /// Queries, focus and keys are rotated by their position, so that the gate sees how far away keys are; focus weights
  /// do not change. Needs an even head size.
  TORCH_ARG(bool, rotary) = false;
  /// An encoder: readers see as many tokens after themselves as before.
  TORCH_ARG(bool, both_sides) = false;
  TORCH_ARG(double, epsilon) = ops::kWindowEpsilon;
  TORCH_ARG(bool, check_finite) = true; ///< see ops::LeapOptions
};

/// The weights 2^(-8 h / H), h = 1 .. H, of attention with linear biases, as decays per head.
std::vector<double> alibi_slopes(int64_t num_heads);

struct MultiheadLeapStep {
  at::Tensor output;
  ops::LeapState state;
};

/// output = heads of ops::leap side by side, of query, focus, key, value = four parts of x . projections^T.
///
/// Shapes      x [B, T, hidden_size] -> the same; B, T >= 0
/// Types       as ops::leap; parameters decide
/// Errors      UsageError where an option is out of its range, or x does not fit
/// state_dict  projections.weight [4 hidden_size, hidden_size]
/// Source      LEAP ("Linear Explainable Attention in Parallel"), MultiheadLeap
class MultiheadLeapImpl : public torch::nn::Cloneable<MultiheadLeapImpl> {
public:
  explicit MultiheadLeapImpl(MultiheadLeapOptions options_);

  void reset() override;
  /// is_token: bool [B, T]; tokens where it is false weigh nothing.
  at::Tensor forward(const at::Tensor& x, const at::Tensor& is_token = {});
  /// The next tokens of a sequence, from what the call before returned; {} at the beginning. Without gradients or
  /// dropout.
  MultiheadLeapStep step(const at::Tensor& x, ops::LeapState state);
  /// What forward is made from, without dropout.
  ops::LeapParts explain(const at::Tensor& x, const at::Tensor& is_token = {});
  /// [B, H, readers, tokens]: see ops::effective_attention.
  at::Tensor effective_attention(const ops::LeapParts& parts, const ops::LeapTile& tile = {}) const;
  /// What ops::leap is called with, and ops::explain wants to know.
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
