// SPDX-License-Identifier: MIT

/// A causal language model of LEAP blocks that goes on from a state of constant size.
#pragma once

#include <functional>

#include <torch/nn/modules/container/modulelist.h>
#include <torch/nn/modules/embedding.h>

#include "mneme/nn/causal_lm.h"
#include "mneme/nn/leap_block.h"

namespace mneme::nn {

/// How a model knows where a token stands.
enum class LeapPositions {
  learned, ///< a table, added to the words: texts are at most as long
  rotary,  ///< queries and keys turn with their position: see MultiheadLeapOptions
  decay,   ///< older tokens weigh less, by the slopes of ALiBi
  none,
};

/// Names of the published configuration in brackets where they differ.
struct LeapConfig {
  TORCH_ARG(int64_t, vocab_size) = 32100;
  TORCH_ARG(int64_t, hidden_size) = 256;
  TORCH_ARG(int64_t, num_heads) = 4;  ///< [n_head]
  TORCH_ARG(int64_t, num_layers) = 4; ///< [n_layer]
  /// Rows of the table of positions [n_positions].
  TORCH_ARG(int64_t, max_positions) = 1024;
  /// Tokens each layer sees [window_sizes]; 0 = all. Default: all, 4, 8, 16, again and again.
  TORCH_ARG(std::optional<std::vector<int64_t>>, windows);
  /// Without it every layer sees all tokens [use_local_att].
  TORCH_ARG(bool, local_windows) = true;
  /// Of embeddings, LEAP and feed-forward, in [0, 1) [hidden_dropout_prob].
  TORCH_ARG(double, dropout) = 0.1;
  /// Deviation of the first weights [initializer_range]. Default 1 / sqrt(hidden_size).
  TORCH_ARG(std::optional<double>, first_deviation);
  TORCH_ARG(uint64_t, seed) = 1; ///< of the first weights
  /// See MultiheadLeapOptions.
  TORCH_ARG(ops::FocusWeight, weight) = ops::FocusWeight::elu;
  TORCH_ARG(std::optional<double>, rescale);
  TORCH_ARG(ops::LeapGate, gate) = ops::LeapGate::sigmoid;
  TORCH_ARG(LeapPositions, positions) = LeapPositions::learned;
  /// As published, padding takes part in LEAP, which does no harm on the right of a text; on the left it is refused.
  /// False: padding weighs nothing, on either side.
  TORCH_ARG(bool, padding_counts) = true;

public:
  /// The windows of all layers, as LEAP takes them.
  std::vector<int64_t> layer_windows() const;
  MultiheadLeapOptions layer(int64_t index) const;
};

/// What a text has left behind in every layer; its size does not grow with the text.
struct LeapModelState {
  int64_t position = 0; ///< tokens read so far
  std::vector<ops::LeapState> layers;
};

/// A state as a file holds it, and back. Errors  DataError that begins with `source`
TensorFile to_file(const LeapModelState& state);
LeapModelState leap_state_from(const TensorFile& file, const std::string& source);

/// blocks(dropout(embeddings + positions)).
///
/// Shapes      embeddings [B, T, hidden_size] -> the same
/// state_dict  position_embeddings.weight [max_positions, hidden_size] (learned positions), decoders.{i}.*
/// Errors      UsageError for options out of their range, or more tokens than learned positions
/// Source      LEAP, LeapDecoder
class LeapDecoderImpl : public torch::nn::Cloneable<LeapDecoderImpl> {
public:
  explicit LeapDecoderImpl(LeapConfig config_);

  void reset() override;
  at::Tensor forward(const at::Tensor& embeddings, const at::Tensor& is_token = {});
  /// What goes into the first block: the embeddings and where they stand.
  at::Tensor first_state(const at::Tensor& embeddings);
  /// What goes into the first block, and what every block gives; the last one is forward.
  std::vector<at::Tensor> states(const at::Tensor& embeddings, const at::Tensor& is_token = {});
  /// The next tokens; the state becomes that after them, and is lost where an error is thrown.
  at::Tensor step(const at::Tensor& embeddings, LeapModelState& state);

  LeapConfig config;
  torch::nn::Embedding position_embeddings{nullptr}; ///< null without learned positions
  torch::nn::ModuleList decoders{nullptr};           ///< of LeapBlock

private:
  at::Tensor with_positions(const at::Tensor& embeddings, int64_t first_position);
};
TORCH_MODULE(LeapDecoder);

struct LeapLMStep {
  at::Tensor logits; ///< [B, T, vocabulary]
  LeapModelState state;
};

/// logits = last_norm(decoder(words[ids])) . words^T
///
/// Shapes      ids int64 [B, T] -> logits [B, T, vocab_size]; B, T >= 0
/// state_dict  word_embedding.weight, leap_model.* (LeapDecoder), last_norm.*; see causal_lm_state
/// Errors      UsageError for options out of their range, ids beyond the vocabulary, masks or labels that do not fit
/// Source      LEAP, LeapForCausalLM
class LeapForCausalLMImpl : public torch::nn::Cloneable<LeapForCausalLMImpl> {
public:
  explicit LeapForCausalLMImpl(LeapConfig config_);

  void reset() override;
  CausalLMOutput forward(const at::Tensor& ids, const CausalLMCall& call = {});
  /// The logits of the next tokens of a text, from what the call before returned; {} at the beginning. Without
  /// gradients or dropout; the same cost at every position. A state that is moved in is not copied.
  LeapLMStep step(const at::Tensor& ids, LeapModelState state);
  /// LEAP's parts in every layer, for effective_attention of that layer, or ops::explain with its op_options.
  std::vector<ops::LeapParts> explain(const at::Tensor& ids, const at::Tensor& attention_mask = {});
  /// The same one layer after the other, from the first on: what is not kept of one is gone before the next, as long
  /// texts need it. `look` gets the index of the layer.
  void explain_layers(const at::Tensor& ids, const std::function<void(int64_t, const ops::LeapParts&)>& look,
                      const at::Tensor& attention_mask = {});
  MultiheadLeap layer(int64_t index);

  LeapConfig config;
  torch::nn::Embedding word_embedding{nullptr};
  LeapDecoder leap_model{nullptr};
  torch::nn::LayerNorm last_norm{nullptr};

private:
  at::Tensor mask_for_leap(const at::Tensor& is_token) const;
};
TORCH_MODULE(LeapForCausalLM);

/// As load_causal_lm_state. Parameters under the names of 1.0.0 and 1.0.1 belong to exponential weights; nothing in
/// such a file says so.
///
/// Errors  DataError also where such parameters meet a model of elu weights
std::vector<std::string> load_leap_state(LeapForCausalLM& model, NamedTensors state,
                                         const std::string& source);

} // namespace mneme::nn
