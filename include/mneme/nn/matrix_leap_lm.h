// SPDX-License-Identifier: MIT

/// A causal language model of LEAP blocks with a matrix state (MatrixLeap), whose recurrent state has
/// constant size.
#pragma once

#include <optional>
#include <vector>

#include <torch/nn/modules/container/modulelist.h>
#include <torch/nn/modules/embedding.h>
#include <torch/nn/modules/normalization.h>

#include "mneme/nn/leap_lm.h"
#include "mneme/nn/matrix_leap.h"

namespace mneme::nn {

/// The names in config.json are those of LeapConfig.
struct MatrixLeapConfig {
  TORCH_ARG(int64_t, vocab_size) = 32100;
  TORCH_ARG(int64_t, hidden_size) = 256;
  TORCH_ARG(int64_t, num_heads) = 4;
  TORCH_ARG(int64_t, num_layers) = 4;
  TORCH_ARG(int64_t, max_positions) = 1024; ///< number of learned positions
  /// Window of each layer in tokens; 0 = unlimited. Default: all unlimited.
  TORCH_ARG(std::optional<std::vector<int64_t>>, windows);
  /// All but rotary.
  TORCH_ARG(LeapPositions, positions) = LeapPositions::learned;
  /// See ops::MatrixLeapOptions.
  TORCH_ARG(ops::FocusWeight, weight) = ops::FocusWeight::elu;
  TORCH_ARG(ops::KeyFeatures, features) = ops::KeyFeatures::elu;
  TORCH_ARG(double, dropout) = 0; ///< of embeddings and feed-forward layers, in [0, 1)
  /// Standard deviation of the initial weights. Default 1 / sqrt(hidden_size).
  TORCH_ARG(std::optional<double>, initial_std);
  TORCH_ARG(uint64_t, seed) = 1; ///< of the initial weights
};

/// Recurrent state of all layers. Its size does not grow with the text.
struct MatrixLeapModelState {
  int64_t position = 0; ///< number of tokens so far
  std::vector<ops::MatrixLeapState> layers;
};

/// x <- x + leap(attn_norm(x)); x <- x + dropout(unboom(gelu(boom(boom_norm(x)))))
class MatrixLeapBlockImpl : public torch::nn::Cloneable<MatrixLeapBlockImpl> {
public:
  MatrixLeapBlockImpl(MatrixLeapOptions options_, double dropout_);
  void reset() override;
  at::Tensor forward(const at::Tensor& x);
  MatrixLeapStep step(const at::Tensor& x, ops::MatrixLeapState state);

  MatrixLeapOptions options;
  double dropout;
  MatrixLeap leap{nullptr};
  torch::nn::LayerNorm attn_norm{nullptr}, boom_norm{nullptr};
  torch::nn::Linear boom{nullptr}, unboom{nullptr};
};
TORCH_MODULE(MatrixLeapBlock);

/// logits = last_norm(blocks(dropout(words[ids] + positions))) . words^T
///
/// Shapes      ids int64 [B, T] -> logits [B, T, vocab_size]; B, T >= 0
/// state_dict  word_embedding.weight, position_embeddings.weight (learned positions),
///             blocks.{i}.{attn_norm.*, leap.projections.weight, boom.*, unboom.*, boom_norm.*}, last_norm.*
/// Errors      UsageError for options out of their range, ids beyond the vocabulary, or more tokens than
///             learned positions
class MatrixLeapForCausalLMImpl : public torch::nn::Cloneable<MatrixLeapForCausalLMImpl> {
public:
  explicit MatrixLeapForCausalLMImpl(MatrixLeapConfig config_);
  void reset() override;
  at::Tensor forward(const at::Tensor& ids);
  at::Tensor head_input(const at::Tensor& ids); ///< [B, T, hidden_size], the input of the logit projection
  /// head_input of the next tokens of a text, without gradients or dropout. The state is updated in place; {}
  /// for the first call. If it throws, the state must not be used any more.
  at::Tensor step(const at::Tensor& ids, MatrixLeapModelState& state);

  MatrixLeapConfig config;
  torch::nn::Embedding word_embedding{nullptr};
  torch::nn::Embedding position_embeddings{nullptr}; ///< null without learned positions
  torch::nn::ModuleList blocks{nullptr};             ///< of MatrixLeapBlock
  torch::nn::LayerNorm last_norm{nullptr};

private:
  at::Tensor embedded(const at::Tensor& ids, int64_t first_position);
};
TORCH_MODULE(MatrixLeapForCausalLM);

} // namespace mneme::nn
