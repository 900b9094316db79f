// SPDX-License-Identifier: MIT

/// Arguments, outputs and published parameter names that the causal language models share.
#pragma once

#include <string>
#include <vector>

#include <torch/nn/module.h>

#include "mneme/nn/tensor_file.h"

namespace mneme::nn {

struct CausalLMCall {
  /// [B, T], numeric or bool, as in transformers: 0 = padding. Undefined: no padding.
  at::Tensor attention_mask = {};
  /// int64 [B, T]: usually the ids themselves; -100 and labels of padding are ignored.
  at::Tensor labels = {};
  bool hidden_states = false; ///< also return the hidden states
};

struct CausalLMOutput {
  at::Tensor logits; ///< [B, T, vocabulary]
  /// Mean cross-entropy of the logits at t and the label at t + 1, over all labels that are not ignored;
  /// undefined without labels.
  at::Tensor loss;
  at::Tensor labels; ///< the labels used for the loss: -100 also at padding
  /// [B, T, hidden_size] before the first block and after each block, if requested.
  std::vector<at::Tensor> hidden_states;
  at::Tensor last_norm; ///< [B, T, hidden_size], the input of the logit projection, if requested
};

/// The published state dict: the matrix of the logits, tied to the word embedding, is also included as
/// proj_logits.weight.
NamedTensors causal_lm_state(const torch::nn::Module& model);

/// Loads a published state dict. word_embedding.weight and proj_logits.weight are the same matrix; one of
/// them may be absent. Projections of LEAP may have the names of releases 1.0.0 and 1.0.1 (no ".leap."); see
/// load_leap_state for other differences of these releases. Returns notes, as load_state_dict.
///
/// Errors  DataError, as load_state_dict, or if the matrix of the logits differs from the word embedding
std::vector<std::string> load_causal_lm_state(torch::nn::Module& model, NamedTensors state,
                                              const std::string& source);

/// Whether projections of LEAP have the names of releases 1.0.0 and 1.0.1.
bool has_leap_1_0_names(const NamedTensors& state);

} // namespace mneme::nn
