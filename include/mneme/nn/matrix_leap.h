// SPDX-License-Identifier: MIT

/// ops::matrix_leap as a layer: causal attention in linear time that can recall many pairs of key and value
/// per head.
#pragma once

#include <optional>
#include <vector>

#include <torch/arg.h>
#include <torch/nn/cloneable.h>
#include <torch/nn/modules/linear.h>
#include <torch/nn/pimpl.h>

#include "mneme/ops/matrix_leap.h"

namespace mneme::nn {

struct MatrixLeapOptions {
  MatrixLeapOptions(int64_t hidden_size, int64_t num_heads)
      : hidden_size_(hidden_size), num_heads_(num_heads) {}

  TORCH_ARG(int64_t, hidden_size);
  /// Must divide hidden_size.
  TORCH_ARG(int64_t, num_heads);
  /// Window in tokens, the query position included; 0 = unlimited. One for all heads, or one per head.
  TORCH_ARG(std::vector<int64_t>, windows) = {0};
  /// See ops::Windows: one for all heads, or one per head.
  TORCH_ARG(std::vector<double>, decay) = {0};
  TORCH_ARG(ops::FocusWeight, weight) = ops::FocusWeight::elu;
  TORCH_ARG(ops::KeyFeatures, features) = ops::KeyFeatures::elu;
  /// An encoder: windows contain as many tokens after the query position as before it.
  TORCH_ARG(bool, both_sides) = false;
  TORCH_ARG(double, epsilon) = ops::kWindowEpsilon;
  TORCH_ARG(bool, check_finite) = true; ///< see ops::MatrixLeapOptions
};

struct MatrixLeapStep {
  at::Tensor output;
  ops::MatrixLeapState state;
};

/// output = concatenated heads of ops::matrix_leap, where query | focus | key | value = x . projections^T.
///
/// Shapes      x [B, T, hidden_size] -> the same; B, T >= 0
/// Types       as ops::matrix_leap; x must have the type of the parameters
/// Errors      UsageError if an option is out of its range, or x does not fit
/// state_dict  projections.weight [4 hidden_size, hidden_size], as MultiheadLeap
class MatrixLeapImpl : public torch::nn::Cloneable<MatrixLeapImpl> {
public:
  explicit MatrixLeapImpl(MatrixLeapOptions options_);

  void reset() override;
  /// key_padding_mask: bool [B, T]; true = ignored (padding). Undefined: no padding.
  at::Tensor forward(const at::Tensor& x, const at::Tensor& key_padding_mask = {});
  /// The output for the next tokens of a sequence. `state`: the state that the previous call returned; {} for
  /// the first call. Without gradients.
  MatrixLeapStep step(const at::Tensor& x, ops::MatrixLeapState state);

  MatrixLeapOptions options;
  torch::nn::Linear projections{nullptr};

private:
  std::vector<at::Tensor> project(const at::Tensor& x);
  ops::MatrixLeapOptions op_options() const;
};
TORCH_MODULE(MatrixLeap);

} // namespace mneme::nn
