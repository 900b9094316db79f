// SPDX-License-Identifier: MIT

/// What the causal language models have in common: their calls, outputs and published parameter names.
#pragma once

#include <string>
#include <vector>

#include <torch/nn/module.h>

#include "mneme/nn/tensor_file.h"

namespace mneme::nn {

struct CausalLMCall {
  /// [B, T], numbers or bool: 0 = padding.
  at::Tensor attention_mask = {};
  /// int64 [B, T]: the input itself, as a rule; -100 = does not count, and neither does padding.
  at::Tensor labels = {};
  bool hidden_states = false; ///< keep the states between blocks
};

struct CausalLMOutput {
  at::Tensor logits; ///< [B, T, vocabulary]
  /// Mean cross-entropy of the logits at t against the label at t + 1, over all that count; undefined without labels.
  at::Tensor loss;
  at::Tensor labels; ///< those that counted: -100 also at padding
  /// [B, T, hidden_size] before the first block and after every one, if asked for.
  std::vector<at::Tensor> hidden_states;
  at::Tensor last_norm; ///< [B, T, hidden_size], from which logits are made, if asked for
};

/// The published state dict: the matrix that makes the logits stands there a second time, as proj_logits.weight.
NamedTensors causal_lm_state(const torch::nn::Module& model);

/// Loads a published state dict; of word_embedding.weight and proj_logits.weight, which are one matrix, one may be
/// missing. Projections of LEAP may have the names of releases 1.0.0 and 1.0.1 (no ".leap."); see load_leap_state for what
/// else differs there. Returns notes, as load_state_dict.
///
/// Errors  DataError, as load_state_dict, or if the matrix for the logits is not that of the words
std::vector<std::string> load_causal_lm_state(torch::nn::Module& model, NamedTensors state,
                                              const std::string& source);

/// Whether projections have the names of releases 1.0.0 and 1.0.1.
bool has_first_leap_names(const NamedTensors& state);

} // namespace mneme::nn
