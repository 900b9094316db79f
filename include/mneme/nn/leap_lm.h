// SPDX-License-Identifier: MIT

/// A causal language model of LEAP blocks, with a recurrent state of constant size for generation.
#pragma once

#include <functional>

#include <torch/nn/modules/container/modulelist.h>
#include <torch/nn/modules/embedding.h>

#include "mneme/nn/causal_lm.h"
#include "mneme/nn/leap_block.h"

namespace mneme::nn {

/// Positional encoding.
enum class LeapPositions {
  learned, ///< a table, added to the word embeddings; texts cannot be longer than it
  rotary,  ///< queries and keys are rotated by their position: see MultiheadLeapOptions
  decay,   ///< focus weights decay with the distance, with the slopes of ALiBi
  none,
};

/// Names of the published configuration in brackets where they differ.
struct LeapConfig {
  TORCH_ARG(int64_t, vocab_size) = 32100;
  TORCH_ARG(int64_t, hidden_size) = 256;
  TORCH_ARG(int64_t, num_heads) = 4;  ///< [n_head]
  TORCH_ARG(int64_t, num_layers) = 4; ///< [n_layer]
  /// Number of learned positions [n_positions].
  TORCH_ARG(int64_t, max_positions) = 1024;
  /// Window of each layer in tokens [window_sizes]; 0 = unlimited. Default: unlimited, 4, 8, 16, repeated.
  TORCH_ARG(std::optional<std::vector<int64_t>>, windows);
  /// False: the windows of all layers are unlimited [use_local_att].
  TORCH_ARG(bool, local_windows) = true;
  /// Dropout probability of embeddings, LEAP and feed-forward, in [0, 1) [hidden_dropout_prob].
  TORCH_ARG(double, dropout) = 0.1;
  /// Standard deviation of the initial weights [initializer_range]. Default 1 / sqrt(hidden_size).
  TORCH_ARG(std::optional<double>, initial_std);
  TORCH_ARG(uint64_t, seed) = 1; ///< of the initial weights
  /// See MultiheadLeapOptions.
  TORCH_ARG(ops::FocusWeight, weight) = ops::FocusWeight::elu;
  TORCH_ARG(std::optional<double>, rescale);
  TORCH_ARG(ops::LeapGate, gate) = ops::LeapGate::sigmoid;
  TORCH_ARG(LeapPositions, positions) = LeapPositions::learned;
  /// True, as published: padding has a weight in LEAP like any token. This has no effect if it is at the end
  /// of a text; at the beginning it is refused. False: padding has the weight 0, at both ends.
  TORCH_ARG(bool, padding_counts) = true;

public:
  /// The windows of all layers, as passed to LEAP.
  std::vector<int64_t> layer_windows() const;
  MultiheadLeapOptions layer(int64_t index) const;
};

/// Recurrent state of all layers. Its size does not grow with the text.
struct LeapModelState {
  int64_t position = 0; ///< number of tokens so far
  std::vector<ops::LeapState> layers;
};

/// Converts a state to a tensor file and back. Errors  DataError that begins with `source`
TensorFile to_file(const LeapModelState& state);
LeapModelState leap_state_from(const TensorFile& file, const std::string& source);

/// blocks(dropout(embeddings + positions)).
///
/// Shapes      embeddings [B, T, hidden_size] -> the same
/// state_dict  position_embeddings.weight [max_positions, hidden_size] (learned positions), decoders.{i}.*
/// Errors      UsageError for options out of their range, embeddings of another shape, type or device, or
///             more tokens than learned positions
/// Source      LEAP, LeapDecoder
class LeapDecoderImpl : public torch::nn::Cloneable<LeapDecoderImpl> {
public:
  explicit LeapDecoderImpl(LeapConfig config_);

  void reset() override;
  /// key_padding_mask: as MultiheadLeap::forward.
  at::Tensor forward(const at::Tensor& embeddings, const at::Tensor& key_padding_mask = {});
  /// The input of the first block: dropout(embeddings + positions).
  at::Tensor block_input(const at::Tensor& embeddings);
  /// The input of the first block and the outputs of all blocks; the last one is that of forward.
  std::vector<at::Tensor> hidden_states(const at::Tensor& embeddings,
                                        const at::Tensor& key_padding_mask = {});
  /// The output for the next tokens. Updates the state in place; if an error is thrown, the state is lost.
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
/// Errors      UsageError for options out of their range, ids beyond the vocabulary, masks or labels that do
///             not fit
/// Source      LEAP, LeapForCausalLM
class LeapForCausalLMImpl : public torch::nn::Cloneable<LeapForCausalLMImpl> {
public:
  explicit LeapForCausalLMImpl(LeapConfig config_);

  void reset() override;
  CausalLMOutput forward(const at::Tensor& ids, const CausalLMCall& call = {});
  /// The input of the logit projection, [B, T, hidden_size]: last_norm of the last hidden state.
  at::Tensor head_input(const at::Tensor& ids);
  /// The logits of the next tokens of a text. `state`: the state that the previous call returned; {} for the
  /// first call. Without gradients or dropout; the same cost at every position. The state is copied unless it
  /// is moved in.
  LeapLMStep step(const at::Tensor& ids, LeapModelState state);
  /// As step, but the input of the logit projection, [B, T, hidden_size]; advances the state.
  at::Tensor step_input(const at::Tensor& ids, LeapModelState& state);
  /// LEAP's intermediates of every layer, for effective_attention of that layer, or ops::explain with its
  /// op_options.
  std::vector<ops::LeapIntermediates> explain(const at::Tensor& ids, const at::Tensor& attention_mask = {});
  /// Calls visit(layer index, intermediates) for one layer after the other. Intermediates that `visit` does
  /// not keep are freed before the next layer, which long texts require.
  void explain_layers(const at::Tensor& ids,
                      const std::function<void(int64_t, const ops::LeapIntermediates&)>& visit,
                      const at::Tensor& attention_mask = {});
  MultiheadLeap layer(int64_t index);

  LeapConfig config;
  torch::nn::Embedding word_embedding{nullptr};
  LeapDecoder leap_model{nullptr};
  torch::nn::LayerNorm last_norm{nullptr};

private:
  /// The mask that the decoder needs. Undefined if padding_counts.
  at::Tensor decoder_padding_mask(const at::Tensor& key_padding_mask) const;
};
TORCH_MODULE(LeapForCausalLM);

/// As load_causal_lm_state. Parameters with the names of 1.0.0 and 1.0.1 were trained with exponential
/// weights, which the file does not state.
///
/// Errors  DataError also if such parameters are loaded into a model of elu weights
std::vector<std::string> load_leap_state(LeapForCausalLM& model, NamedTensors state,
                                         const std::string& source);

} // namespace mneme::nn
