// SPDX-License-Identifier: MIT

/// Attention weights of one pre-norm self-attention layer over bits followed by a class token.
#pragma once

#include <cstdint>

#include <torch/arg.h>
#include <torch/nn/cloneable.h>
#include <torch/nn/modules/embedding.h>
#include <torch/nn/modules/linear.h>
#include <torch/nn/modules/normalization.h>
#include <torch/nn/pimpl.h>

namespace mneme::nn {

struct ClassTokenAttentionOptions {
  ClassTokenAttentionOptions(int64_t context_length, int64_t embedding_size)
      : context_length_(context_length), embedding_size_(embedding_size) {}

  TORCH_ARG(int64_t, context_length); ///< bits of an input, >= 1
  TORCH_ARG(int64_t, embedding_size); ///< d, features of a token, >= 1
  TORCH_ARG(uint64_t, seed) = 1;      ///< of the initialisation: normal with standard deviation 0.02
};

/// Formula     x = layer_norm([token[bits]; class] + position); softmax(q . k^T / sqrt(d)), one head
/// Shapes      int64 [B, T] of 0 and 1 -> weights [B, T + 1, T + 1], rows sum to 1; the last row is the class
///             token's
/// Errors      UsageError if a size is below 1, or the input has the wrong shape, type or values
/// state_dict  cls [1, 1, d], pose [1, T + 1, d], toke.weight [2, d], norm1.weight, norm1.bias [d],
///             qkv.weight [3 d, d]
/// Source      Neuromatch tutorial on attention, weighted attention
class ClassTokenAttentionImpl : public torch::nn::Cloneable<ClassTokenAttentionImpl> {
public:
  explicit ClassTokenAttentionImpl(const ClassTokenAttentionOptions& options_);

  void reset() override;
  torch::Tensor forward(const torch::Tensor& bits);

  ClassTokenAttentionOptions options;
  torch::Tensor class_token, position_embedding;
  torch::nn::Embedding token_embedding{nullptr};
  torch::nn::LayerNorm norm{nullptr};
  torch::nn::Linear query_key_value{nullptr};
};
TORCH_MODULE(ClassTokenAttention);

} // namespace mneme::nn
