// SPDX-License-Identifier: MIT

/// BERT and ALBERT: transformer encoders with learned positions and token types, with the parameter names of
/// Hugging Face's transformers.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <torch/arg.h>
#include <torch/nn/module.h>
#include <torch/nn/pimpl.h>

#include "mneme/nn/attention_observer.h"
#include "mneme/nn/tensor_file.h"
#include "mneme/nn/transformer_activation.h"

namespace mneme::nn {

enum class BertKind {
  bert,   ///< one set of parameters for each layer
  albert, ///< layers share parameters, and the embedding is smaller than the hidden states
};

/// Names of the fields of config.json in brackets where they differ.
struct BertConfig {
  TORCH_ARG(BertKind, kind) = BertKind::bert; ///< [model_type]
  TORCH_ARG(int64_t, vocab_size) = 30522;
  TORCH_ARG(int64_t, hidden_size) = 768; ///< divisible by num_heads
  /// Size of the embeddings, projected to hidden_size. Default hidden_size; BERT has no other one.
  TORCH_ARG(std::optional<int64_t>, embedding_size);
  TORCH_ARG(int64_t, num_heads) = 12;      ///< [num_attention_heads]
  TORCH_ARG(int64_t, num_layers) = 12;     ///< [num_hidden_layers], at most 4096
  TORCH_ARG(int64_t, inner_size) = 3072;   ///< [intermediate_size]
  TORCH_ARG(int64_t, max_positions) = 512; ///< [max_position_embeddings]
  TORCH_ARG(int64_t, token_types) = 2;     ///< [type_vocab_size]
  TORCH_ARG(TransformerActivation, activation) = TransformerActivation::gelu; ///< [hidden_act]
  TORCH_ARG(double, norm_epsilon) = 1e-12;                                    ///< [layer_norm_eps]
  // ALBERT: num_layers are divided into groups of consecutive layers, each of which repeats the parameters of
  // its group. A layer applies `layers_per_group` blocks.
  TORCH_ARG(int64_t, num_groups) = 1;       ///< [num_hidden_groups]
  TORCH_ARG(int64_t, layers_per_group) = 1; ///< [inner_group_num]
  TORCH_ARG(double, initial_std) = 0.02;    ///< [initializer_range]; 0: weights are 0
  TORCH_ARG(uint64_t, seed) = 1;            ///< of the initial weights
};

struct BertCall {
  /// int64 [B, T], the segment of each token, such as 0 for a first and 1 for a second sentence. Undefined:
  /// 0.
  at::Tensor token_types = {};
  at::Tensor key_padding_mask = {}; ///< bool [B, T], true = ignored as a key. Undefined: no padding
  bool hidden_states = false;       ///< also return the hidden states
  /// Called in each layer, which is counted from 0, with the queries, keys and values; nothing is kept.
  AttentionObserver observer = {};
};

struct BertOutput {
  at::Tensor last_hidden_state; ///< [B, T, hidden_size]
  /// [B, T, hidden_size]: the embedding, then the output of each block, if requested.
  std::vector<at::Tensor> hidden_states;
};

/// The encoder without heads (pooler, predictions), for inference: there is no dropout. Of each block, x is
/// normalised after the residual connection:
///
///     x = norm(x + attention(x)); x = norm(x + outer(activation(inner(x))))
///
/// Shapes      ids int64 [B, T]; B >= 0, T >= 1
/// state_dict  that of BertModel and AlbertModel: embeddings.*, encoder.*
/// Errors      UsageError for options out of their range; ids or token types out of their range; more tokens
///             than max_positions; a mask of another shape or type
/// Source      Devlin et al. 2018, "BERT: Pre-training of Deep Bidirectional Transformers for Language
///             Understanding"; Lan et al. 2019, "ALBERT: A Lite BERT for Self-supervised Learning of Language
///             Representations"
class BertEncoderImpl : public torch::nn::Module {
public:
  explicit BertEncoderImpl(BertConfig config_);
  /// A copy with parameters of its own, as of torch::nn::Cloneable.
  std::shared_ptr<torch::nn::Module>
  clone(const std::optional<torch::Device>& device = std::nullopt) const override;
  BertOutput forward(const at::Tensor& ids, const BertCall& call = {});

  BertConfig config;

private:
  void clone_(torch::nn::Module& other, const std::optional<torch::Device>& device) override;

  /// Weight and bias of a linear layer ([out, in], [out]) or of a norm ([features] both).
  struct Affine {
    at::Tensor weight, bias;
  };
  struct Block {
    Affine query, key, value, output, attention_norm, inner, outer, norm;
  };

  at::Tensor add_parameter(const std::string& path, at::IntArrayRef shape);
  Affine add_linear(const std::string& path, int64_t input_size, int64_t output_size);
  Affine add_norm(const std::string& path, int64_t size);
  void initialise();

  at::Tensor normed(const Affine& norm, const at::Tensor& x) const;
  at::Tensor embedded(const at::Tensor& ids, const at::Tensor& token_types) const;
  at::Tensor attention(const Block& block, const at::Tensor& x, int64_t layer, const BertCall& call) const;
  at::Tensor run(const Block& block, const at::Tensor& x, int64_t layer, const BertCall& call) const;

  at::Tensor words_, positions_, types_;
  Affine embedding_norm_, embedding_projection_; ///< the projection is undefined in BERT
  std::vector<Block> blocks_;                    ///< those with parameters of their own
};
TORCH_MODULE(BertEncoder);

/// Loads a state dict of BertModel or AlbertModel, or of a model that contains one: with or without the
/// prefix "bert." or "albert." and the prefixes of wrappers such as "module."; norms may have the old names
/// gamma and beta. Buffers of older releases (embeddings.position_ids) are ignored. Parameters outside the
/// encoder, such as poolers and heads, are ignored with a note. Returns notes, as load_state_dict.
///
/// Errors  DataError, as load_state_dict
std::vector<std::string> load_bert_state(BertEncoder& model, NamedTensors state, const std::string& source);

} // namespace mneme::nn
