// SPDX-License-Identifier: MIT

/// Single-head self-attention over a sequence with fixed sinusoidal positional encoding.
#pragma once

#include <cstdint>

#include <torch/arg.h>
#include <torch/nn/cloneable.h>
#include <torch/nn/modules/linear.h>
#include <torch/nn/pimpl.h>

namespace mneme::nn {

struct ScaledDotProductAttentionOptions {
  ScaledDotProductAttentionOptions(int64_t context_length, int64_t model_size, int64_t key_size)
      : context_length_(context_length), model_size_(model_size), key_size_(key_size) {}

  TORCH_ARG(int64_t, context_length); ///< T: length of a sequence, >= 1
  TORCH_ARG(int64_t, model_size);     ///< M: features of inputs, values and outputs, >= 1
  TORCH_ARG(int64_t, key_size);       ///< features of queries and keys, >= 1
  /// Seed of the initialisation: uniform in [-b, b] with b = 1 / sqrt(model_size).
  TORCH_ARG(uint64_t, seed) = 1;
};

/// Positional encoding [T, M] as the buffer `pe`, its name in the published state dict.
class PositionTableImpl : public torch::nn::Cloneable<PositionTableImpl> {
public:
  explicit PositionTableImpl(at::Tensor encoding);

  void reset() override;

  at::Tensor table;
};
TORCH_MODULE(PositionTable);

/// Formula     x' = x + positions; softmax(Wq x' . (Wk x')^T / sqrt(key_size)) . Wv x'
/// Shapes      [T, M] or [B, T, M] -> the same
/// Types       that of the parameters, float32 unless the module was converted
/// Errors      UsageError if a size is below 1 or the input has the wrong shape, type or device
/// state_dict  Wq.weight, Wk.weight [key_size, M], Wv.weight [M, M]; buffer position.pe [T, M]
/// Source      Vaswani et al. 2017; Neuromatch tutorial on attention, exercise 2
class ScaledDotProductAttentionImpl : public torch::nn::Cloneable<ScaledDotProductAttentionImpl> {
public:
  explicit ScaledDotProductAttentionImpl(const ScaledDotProductAttentionOptions& options_);

  void reset() override;
  torch::Tensor forward(const torch::Tensor& input);

  ScaledDotProductAttentionOptions options;
  torch::nn::Linear query{nullptr}, key{nullptr}, value{nullptr};
  PositionTable position{nullptr};
};
TORCH_MODULE(ScaledDotProductAttention);

} // namespace mneme::nn
