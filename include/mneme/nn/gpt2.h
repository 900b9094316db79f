// SPDX-License-Identifier: MIT

/// GPT-2: a causal transformer with learned positions, with the parameter names of Hugging Face's
/// transformers, and a cache of keys and values for generation.
#pragma once

#include <optional>

#include <torch/arg.h>
#include <torch/nn/cloneable.h>
#include <torch/nn/modules/container/modulelist.h>
#include <torch/nn/modules/embedding.h>
#include <torch/nn/modules/linear.h>
#include <torch/nn/modules/normalization.h>
#include <torch/nn/pimpl.h>

#include "mneme/nn/attention_observer.h"
#include "mneme/nn/tensor_file.h"
#include "mneme/nn/transformer_activation.h"

namespace mneme::nn {

/// Names of the fields of config.json in brackets where they differ.
struct Gpt2Config {
  TORCH_ARG(int64_t, vocab_size) = 50257;
  TORCH_ARG(int64_t, hidden_size) = 768;    ///< [n_embd], divisible by num_heads
  TORCH_ARG(int64_t, num_heads) = 12;       ///< [n_head]
  TORCH_ARG(int64_t, num_layers) = 12;      ///< [n_layer]
  TORCH_ARG(int64_t, max_positions) = 1024; ///< [n_positions]
  /// Inner size of the feed-forward layers [n_inner]. Default 4 hidden_size.
  TORCH_ARG(std::optional<int64_t>, inner_size);
  TORCH_ARG(TransformerActivation, activation) = TransformerActivation::gelu_new; ///< [activation_function]
  TORCH_ARG(double, norm_epsilon) = 1e-5;                                         ///< [layer_norm_epsilon]
  /// Divide scores by sqrt(hidden_size / num_heads) [scale_attn_weights].
  TORCH_ARG(bool, scale_scores) = true;
  /// Divide the scores of layer l also by l + 1 [scale_attn_by_inverse_layer_idx].
  TORCH_ARG(bool, scale_by_layer) = false;
  /// The matrix of the logits is that of the word embedding [tie_word_embeddings].
  TORCH_ARG(bool, tied) = true;
  // Dropout probabilities in training, in [0, 1).
  TORCH_ARG(double, embedding_dropout) = 0.1; ///< [embd_pdrop]
  TORCH_ARG(double, attention_dropout) = 0.1; ///< of attention weights [attn_pdrop]
  TORCH_ARG(double, residual_dropout) = 0.1;  ///< of the outputs of both branches [resid_pdrop]
  TORCH_ARG(double, initial_std) = 0.02;      ///< [initializer_range]
  TORCH_ARG(uint64_t, seed) = 1;              ///< of the initial weights
  // Ids of special tokens, kept for config.json only.
  TORCH_ARG(std::optional<int64_t>, bos_token_id);
  TORCH_ARG(std::optional<int64_t>, eos_token_id);
};

/// The keys and values of all tokens so far.
struct Gpt2Cache {
  struct Layer {
    at::Tensor key, value; ///< [B, num_heads, capacity, head_size], of which `position` rows are in use
  };
  int64_t position = 0; ///< number of tokens so far
  std::vector<Layer> layers;
};

/// y = x . weight + bias: a linear layer whose weight is transposed, "Conv1D" in transformers.
class Gpt2LinearImpl : public torch::nn::Cloneable<Gpt2LinearImpl> {
public:
  Gpt2LinearImpl(int64_t input_size_, int64_t output_size_);
  void reset() override;
  at::Tensor forward(const at::Tensor& x);
  at::Tensor matrix() const; ///< the transposed weight, or the int8 matrix

  int64_t input_size, output_size;
  /// [input_size, output_size], or an int8 matrix [output_size, input_size + 4] (inference_weights.h)
  at::Tensor weight;
  at::Tensor bias; ///< [output_size]
};
TORCH_MODULE(Gpt2Linear);

/// Causal multi-head self-attention. state_dict: c_attn.*, c_proj.*
///
/// Shapes  x [B, T, hidden_size] -> the same; B >= 0, T >= 1
/// Errors  UsageError for options out of their range, or x of another shape, type or device
class Gpt2AttentionImpl : public torch::nn::Cloneable<Gpt2AttentionImpl> {
public:
  Gpt2AttentionImpl(Gpt2Config config_, int64_t layer_);
  void reset() override;
  at::Tensor forward(const at::Tensor& x, const AttentionObserver& observer = {},
                     const AttentionReadout& readout = {});
  /// The output for the next tokens; adds their keys and values to the cache at `position`.
  at::Tensor step(const at::Tensor& x, Gpt2Cache::Layer& cache, int64_t position);

  Gpt2Config config;
  int64_t layer;
  Gpt2Linear c_attn{nullptr}, c_proj{nullptr};

private:
  double scale() const; ///< the factor of the dot products
  /// Query, key and value [B, num_heads, T, head_size].
  std::vector<at::Tensor> project(const at::Tensor& x);
  /// The readout of the last T tokens, from all S >= T keys: query [B, num_heads, T, head_size], key and
  /// value [B, num_heads, S, head_size].
  at::Tensor attend(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value);
  at::Tensor output(const at::Tensor& readout);
};
TORCH_MODULE(Gpt2Attention);

/// Feed-forward layer. state_dict: c_fc.*, c_proj.*
class Gpt2MlpImpl : public torch::nn::Cloneable<Gpt2MlpImpl> {
public:
  explicit Gpt2MlpImpl(Gpt2Config config_);
  void reset() override;
  at::Tensor forward(const at::Tensor& x);

  Gpt2Config config;
  Gpt2Linear c_fc{nullptr}, c_proj{nullptr};
};
TORCH_MODULE(Gpt2Mlp);

/// x <- x + attn(ln_1(x)); x <- x + mlp(ln_2(x))
class Gpt2BlockImpl : public torch::nn::Cloneable<Gpt2BlockImpl> {
public:
  Gpt2BlockImpl(Gpt2Config config_, int64_t layer_);
  void reset() override;
  at::Tensor forward(const at::Tensor& x, const AttentionObserver& observer = {},
                     const AttentionReadout& readout = {});
  at::Tensor step(const at::Tensor& x, Gpt2Cache::Layer& cache, int64_t position);

  Gpt2Config config;
  int64_t layer;
  torch::nn::LayerNorm ln_1{nullptr}, ln_2{nullptr};
  Gpt2Attention attn{nullptr};
  Gpt2Mlp mlp{nullptr};
};
TORCH_MODULE(Gpt2Block);

/// ln_f(blocks(wte[ids] + wpe)). state_dict: wte.*, wpe.*, h.{i}.*, ln_f.*
///
/// Shapes  ids int64 [B, T] -> [B, T, hidden_size]; B >= 0, T >= 1
/// Errors  UsageError, as Gpt2ForCausalLM
class Gpt2ModelImpl : public torch::nn::Cloneable<Gpt2ModelImpl> {
public:
  explicit Gpt2ModelImpl(Gpt2Config config_);
  void reset() override;
  at::Tensor forward(const at::Tensor& ids, const AttentionObserver& observer = {},
                     const AttentionReadout& readout = {});
  at::Tensor step(const at::Tensor& ids, Gpt2Cache& cache);

  Gpt2Config config;
  torch::nn::Embedding wte{nullptr}, wpe{nullptr};
  torch::nn::ModuleList h{nullptr}; ///< of Gpt2Block
  torch::nn::LayerNorm ln_f{nullptr};

private:
  at::Tensor embedded(const at::Tensor& ids, int64_t first_position);
};
TORCH_MODULE(Gpt2Model);

/// logits = transformer(ids) . head_weight^T
///
/// Shapes      ids int64 [B, T] -> logits [B, T, vocab_size]; B >= 0, T >= 1
/// state_dict  transformer.*, and lm_head.weight unless the matrix is tied
/// Errors      UsageError for options out of their range, ids beyond the vocabulary, or more tokens than
///             max_positions
/// Source      Radford et al. 2019, "Language Models are Unsupervised Multitask Learners"; GPT2LMHeadModel of
///             transformers
class Gpt2ForCausalLMImpl : public torch::nn::Cloneable<Gpt2ForCausalLMImpl> {
public:
  explicit Gpt2ForCausalLMImpl(Gpt2Config config_);
  void reset() override;
  at::Tensor forward(const at::Tensor& ids);
  /// [B, T, hidden_size], the input of the logit projection. The observer is called once per layer, from the
  /// first layer to the last, before dropout. Where `readout` returns a tensor, it is the readout of the
  /// layer.
  ///
  /// Errors  UsageError also if that tensor is of another shape or type
  at::Tensor head_input(const at::Tensor& ids, const AttentionObserver& observer = {},
                        const AttentionReadout& readout = {});
  at::Tensor head_weight() const; ///< [vocab_size, hidden_size]
  /// head_input of the next tokens of a text, without gradients or dropout. The cache is updated in place;
  /// {} for the first call. If it throws, the cache must not be used any more.
  ///
  /// Errors  UsageError also for a cache of other texts or another model
  at::Tensor step(const at::Tensor& ids, Gpt2Cache& cache);

  Gpt2Config config;
  Gpt2Model transformer{nullptr};
  torch::nn::Linear lm_head{nullptr}; ///< null if tied
};
TORCH_MODULE(Gpt2ForCausalLM);

/// Loads a state dict of GPT2LMHeadModel or GPT2Model: with or without the prefix "transformer." and the
/// prefixes of wrappers such as "_orig_mod."; causal masks (h.*.attn.bias, h.*.attn.masked_bias) are ignored.
/// With tied matrices, lm_head.weight may be absent. Returns notes, as load_state_dict.
///
/// Errors  DataError, as load_state_dict, or if matrices are tied and lm_head.weight is another one
std::vector<std::string> load_gpt2_state(Gpt2ForCausalLM& model, NamedTensors state,
                                         const std::string& source);

} // namespace mneme::nn
