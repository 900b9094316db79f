// SPDX-License-Identifier: MIT

/// Minimal self-attention model for binary classification of bit strings; also returns its intermediate
/// results.
///
/// training/binary_models.h trains the same model without LibTorch, about twenty times as fast.
#pragma once

#include <cstdint>

#include <torch/arg.h>
#include <torch/nn/cloneable.h>
#include <torch/nn/modules/embedding.h>
#include <torch/nn/modules/linear.h>
#include <torch/nn/pimpl.h>

namespace mneme::nn {

struct SelfAttentionOptions {
  explicit SelfAttentionOptions(int64_t context_length) : context_length_(context_length) {}

  TORCH_ARG(int64_t, context_length);     ///< T: bits of an input, >= 1
  TORCH_ARG(int64_t, embedding_size) = 2; ///< d: features of tokens, queries and keys, >= 1; a value has 1
  TORCH_ARG(uint64_t, seed) = 1;          ///< of the initialisation: normal with standard deviation 0.001
};

struct SelfAttentionResult {
  torch::Tensor logits;    ///< [B, T, T], by query and key, before the softmax
  torch::Tensor scores;    ///< [B, T, T], attention weights: rows sum to 1
  torch::Tensor attention; ///< [B, T], readout of each position
  torch::Tensor output;    ///< [B, 1], probability of class 1
};

/// Formula     x = token[bits] + position; scores = softmax(Wq x . (Wk x)^T / sqrt(d)); attention = scores .
///             Wv x; output = sigmoid(linear . attention)
/// Shapes      int64 [B, T] of 0 and 1 -> [B, 1]
/// Errors      UsageError if a size is below 1, or the input has the wrong shape, type or values
/// state_dict  positioner [1, T, d], tokenizer.weight [2, d], Wq.weight, Wk.weight [d, d], Wv.weight [1, d],
///             linear.weight [1, T]: 65 parameters for T = 17, d = 2
/// Source      Edelman et al. 2022; Neuromatch tutorial on attention, exercise 3
class SelfAttentionImpl : public torch::nn::Cloneable<SelfAttentionImpl> {
public:
  explicit SelfAttentionImpl(const SelfAttentionOptions& options_);

  void reset() override;
  torch::Tensor forward(const torch::Tensor& bits);
  SelfAttentionResult forward_with_attention(const torch::Tensor& bits);

  SelfAttentionOptions options;
  torch::Tensor position_embedding;
  torch::nn::Embedding token_embedding{nullptr};
  torch::nn::Linear query{nullptr}, key{nullptr}, value{nullptr}, readout{nullptr};
};
TORCH_MODULE(SelfAttention);

} // namespace mneme::nn
