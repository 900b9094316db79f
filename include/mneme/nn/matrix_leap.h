// SPDX-License-Identifier: MIT

/// LEAP with a matrix for a state as a layer: causal attention in linear time that can recall many pairs per head.
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
  /// Tokens a reader sees, itself included; 0 = all. One for all heads, or one per head.
  TORCH_ARG(std::vector<int64_t>, windows) = {0};
  /// See ops::Windows: one for all heads, or one per head.
  TORCH_ARG(std::vector<double>, decay) = {0};
  TORCH_ARG(ops::FocusWeight, weight) = ops::FocusWeight::elu;
  TORCH_ARG(ops::KeyFeatures, features) = ops::KeyFeatures::elu;
  /// An encoder: readers see as many tokens after themselves as before.
  TORCH_ARG(bool, both_sides) = false;
  TORCH_ARG(double, epsilon) = ops::kWindowEpsilon;
  TORCH_ARG(bool, check_finite) = true; ///< see ops::MatrixLeapOptions
};

struct MatrixLeapStep {
  at::Tensor output;
  ops::MatrixLeapState state;
};

/// output = heads of ops::matrix_leap side by side, of query, focus, key, value = four parts of x . projections^T.
///
/// Shapes      x [B, T, hidden_size] -> the same; B, T >= 0
/// Types       as ops::matrix_leap; parameters decide
/// Errors      UsageError where an option is out of its range, or x does not fit
/// state_dict  projections.weight [4 hidden_size, hidden_size], as MultiheadLeap
class MatrixLeapImpl : public torch::nn::Cloneable<MatrixLeapImpl> {
public:
  explicit MatrixLeapImpl(MatrixLeapOptions options_);

  void reset() override;
  /// is_token: bool [B, T]; tokens where it is false weigh nothing.
  at::Tensor forward(const at::Tensor& x, const at::Tensor& is_token = {});
  /// The next tokens of a sequence, from what the call before returned; {} at the beginning. Without gradients.
  MatrixLeapStep step(const at::Tensor& x, ops::MatrixLeapState state);

  MatrixLeapOptions options;
  torch::nn::Linear projections{nullptr};

private:
  std::vector<at::Tensor> project(const at::Tensor& x);
  ops::MatrixLeapOptions op_options() const;
};
TORCH_MODULE(MatrixLeap);

} // namespace mneme::nn
