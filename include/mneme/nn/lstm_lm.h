// SPDX-License-Identifier: MIT

/// A causal language model of LSTM layers, the published baseline of LEAP.
#pragma once

#include <torch/arg.h>
#include <torch/nn/cloneable.h>
#include <torch/nn/modules/embedding.h>
#include <torch/nn/modules/normalization.h>
#include <torch/nn/modules/rnn.h>
#include <torch/nn/pimpl.h>

#include "mneme/nn/causal_lm.h"

namespace mneme::nn {

struct LstmConfig {
  LstmConfig(int64_t vocab_size, int64_t hidden_size, int64_t num_layers)
      : vocab_size_(vocab_size), hidden_size_(hidden_size), num_layers_(num_layers) {}

  TORCH_ARG(int64_t, vocab_size);
  TORCH_ARG(int64_t, hidden_size);
  TORCH_ARG(int64_t, num_layers);
  TORCH_ARG(double, dropout) = 0.1; ///< dropout probability between layers, in [0, 1)
  TORCH_ARG(uint64_t, seed) = 1;    ///< of the initial weights
};

/// Recurrent state: hidden and cell vectors [num_layers, B, hidden_size]; undefined before the first token.
struct LstmState {
  at::Tensor hidden, cell;
};

/// logits = last_norm(lstm(words[ids])) . words^T. The initialisation is the published one: word embeddings
/// have a standard deviation of 1, so the initial loss is far above log(vocab_size).
///
/// Shapes      ids int64 [B, T] -> logits [B, T, vocab_size]; B, T >= 1
/// state_dict  word_embedding.weight, rnn.* as torch.nn.LSTM, last_norm.*; see causal_lm_state
/// Errors      UsageError for options out of their range, ids beyond the vocabulary, masks, labels or states
///             that do not fit
/// Source      LEAP's repository, Experiments/lstm.py
class LstmForCausalLMImpl : public torch::nn::Cloneable<LstmForCausalLMImpl> {
public:
  explicit LstmForCausalLMImpl(LstmConfig config_);

  void reset() override;
  CausalLMOutput forward(const at::Tensor& ids, const CausalLMCall& call = {});
  /// The input of the logit projection, [B, T, hidden_size]: last_norm of the last hidden state.
  at::Tensor head_input(const at::Tensor& ids);
  /// head_input of the next tokens of a text. `state`: undefined tensors for the first call; updated in
  /// place.
  at::Tensor step(const at::Tensor& ids, LstmState& state);

  LstmConfig config;
  torch::nn::Embedding word_embedding{nullptr};
  torch::nn::LSTM rnn{nullptr};
  torch::nn::LayerNorm last_norm{nullptr};

private:
  void check(const at::Tensor& ids) const;
};
TORCH_MODULE(LstmForCausalLM);

} // namespace mneme::nn
