// SPDX-License-Identifier: MIT

/// A causal language model with additive attention over windows, the predecessor of LEAP.
#pragma once

#include <optional>

#include <torch/arg.h>
#include <torch/nn/cloneable.h>
#include <torch/nn/modules/container/modulelist.h>
#include <torch/nn/modules/embedding.h>
#include <torch/nn/modules/linear.h>
#include <torch/nn/modules/normalization.h>
#include <torch/nn/pimpl.h>

#include "mneme/nn/causal_lm.h"

namespace mneme::nn {

/// Names of the published configuration in brackets where they differ.
struct FastformerConfig {
  TORCH_ARG(int64_t, vocab_size) = 32100;
  TORCH_ARG(int64_t, hidden_size) = 256;
  TORCH_ARG(int64_t, num_heads) = 4;        ///< [n_heads], divides hidden_size
  TORCH_ARG(int64_t, num_layers) = 4;       ///< [n_layer]
  TORCH_ARG(int64_t, max_positions) = 1024; ///< [n_positions], number of learned positions
  /// Window of each layer in tokens [window_sizes]; 0 = unlimited. Default: 0, 4, 8, 16, ..., 0: the windows
  /// of the first and the last layer are unlimited.
  TORCH_ARG(std::optional<std::vector<int64_t>>, windows);
  TORCH_ARG(bool, local_windows) = true; ///< [use_local_att]; false: the windows of all layers are unlimited
  TORCH_ARG(double, rescale) = 15;       ///< bound of the logits, > 0
  TORCH_ARG(double, dropout) = 0.1;      ///< dropout probability [hidden_dropout_prob], in [0, 1)
  /// Standard deviation of the initial weights [initializer_range].
  TORCH_ARG(double, initial_std) = 0.02;
  TORCH_ARG(uint64_t, seed) = 1; ///< of the initial weights

public:
  std::vector<int64_t> layer_windows() const;
};

/// x + dropout(AA(dropout(AA(q, query_attn)) k, key_attn)) v, where q | k | v = attn_norm(x) . projections^T
/// and AA(x, t) = window means of N(x) with the weights exp(rescale / head_size N(x) . N(t)); N standardises
/// per head.
///
/// Shapes      x [B, T, hidden_size] -> the same; key_padding_mask bool [B, T], true = ignored (padding)
/// state_dict  query_attn, key_attn [num_heads, head_size], projections.weight [3 hidden_size, hidden_size],
///             attn_norm.*
class FastformerAttentionImpl : public torch::nn::Cloneable<FastformerAttentionImpl> {
public:
  FastformerAttentionImpl(FastformerConfig config_, int64_t window_);

  void reset() override;
  at::Tensor forward(const at::Tensor& x, const at::Tensor& key_padding_mask = {});

  FastformerConfig config;
  int64_t window;
  at::Tensor query_attn, key_attn;
  torch::nn::Linear projections{nullptr};
  torch::nn::LayerNorm attn_norm{nullptr};

private:
  at::Tensor additive(const at::Tensor& x, const at::Tensor& learned, const at::Tensor& key_padding_mask);
};
TORCH_MODULE(FastformerAttention);

class FastformerBlockImpl : public torch::nn::Cloneable<FastformerBlockImpl> {
public:
  FastformerBlockImpl(FastformerConfig config_, int64_t window_);

  void reset() override;
  at::Tensor forward(const at::Tensor& x, const at::Tensor& key_padding_mask = {});

  FastformerConfig config;
  int64_t window;
  FastformerAttention attention{nullptr};
  torch::nn::Linear boom{nullptr}, unboom{nullptr}; ///< without biases
  torch::nn::LayerNorm boom_norm{nullptr};
};
TORCH_MODULE(FastformerBlock);

class FastformerDecoderImpl : public torch::nn::Cloneable<FastformerDecoderImpl> {
public:
  explicit FastformerDecoderImpl(FastformerConfig config_);

  void reset() override;
  /// The input of the first block and the outputs of all blocks.
  std::vector<at::Tensor> hidden_states(const at::Tensor& embeddings,
                                        const at::Tensor& key_padding_mask = {});

  FastformerConfig config;
  torch::nn::Embedding position_embeddings{nullptr};
  torch::nn::ModuleList decoders{nullptr}; ///< of FastformerBlock
};
TORCH_MODULE(FastformerDecoder);

/// The bias of the logits. Their matrix is tied to the word embedding.
class LogitsBiasImpl : public torch::nn::Cloneable<LogitsBiasImpl> {
public:
  explicit LogitsBiasImpl(int64_t vocab_size_) : vocab_size(vocab_size_) { reset(); }
  void reset() override;
  int64_t vocab_size;
  at::Tensor bias;
};
TORCH_MODULE(LogitsBias);

/// logits = last_norm(decoder(words[ids])) . words^T + bias. Padding has the weight 0.
///
/// Shapes      ids int64 [B, T] -> logits [B, T, vocab_size]
/// state_dict  word_embedding.weight, fastformer_model.*, last_norm.*, proj_logits.bias; see causal_lm_state
/// Errors      UsageError for options out of their range, ids beyond the vocabulary, masks or labels that do
///             not fit
/// Source      LEAP's repository, fastformerLM, after Wu et al. 2021, "Fastformer"
class FastformerForCausalLMImpl : public torch::nn::Cloneable<FastformerForCausalLMImpl> {
public:
  explicit FastformerForCausalLMImpl(FastformerConfig config_);

  void reset() override;
  CausalLMOutput forward(const at::Tensor& ids, const CausalLMCall& call = {});
  /// The input of the logit projection, [B, T, hidden_size]: last_norm of the last hidden state.
  at::Tensor head_input(const at::Tensor& ids);

  FastformerConfig config;
  torch::nn::Embedding word_embedding{nullptr};
  FastformerDecoder fastformer_model{nullptr};
  torch::nn::LayerNorm last_norm{nullptr};
  LogitsBias proj_logits{nullptr};
};
TORCH_MODULE(FastformerForCausalLM);

} // namespace mneme::nn
