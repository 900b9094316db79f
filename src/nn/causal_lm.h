// SPDX-License-Identifier: MIT

/// Private helpers of the causal language models: checks, logits, loss, initialisation.
#pragma once

#include <optional>
#include <vector>

#include <torch/nn/modules/embedding.h>
#include <torch/nn/modules/normalization.h>

#include "mneme/nn/causal_lm.h"

namespace mneme::nn {

/// remove_name_prefixes with all names that load_causal_lm_state accepts. Returns notes.
std::vector<std::string> remove_causal_lm_prefixes(const torch::nn::Module& model, NamedTensors& state);

/// Errors  UsageError if windows are given, but not one per layer, or without local_windows
void check_layer_windows(const char* model, const std::optional<std::vector<int64_t>>& windows,
                         bool local_windows, int64_t num_layers);

/// Errors  UsageError unless ids are int64 [B, T] and (checked on the CPU only) in the vocabulary
void check_ids(const char* model, const at::Tensor& ids, int64_t vocab_size);

/// Errors  UsageError if texts have no token
void check_has_tokens(const char* model, const at::Tensor& ids);
/// Errors  UsageError if a text is longer than the learned positions
void check_positions(const char* model, int64_t tokens, int64_t max_positions, const char* how_to_fix);

/// bool [B, T], true where attention_mask is 0; undefined without a mask. Errors  UsageError for another
/// shape
at::Tensor key_padding_mask_of(const char* model, const at::Tensor& ids, const at::Tensor& attention_mask);

/// logits = norm(x) . words^T + bias (which may be undefined), where x is the last of `hidden_states`, and
/// the loss if there are labels.
///
/// Errors  UsageError for labels of another shape or type; on the CPU (on other devices the check would force
///         a synchronisation) also for labels beyond the vocabulary, or if all labels are ignored
CausalLMOutput lm_output(const char* model, std::vector<at::Tensor> hidden_states, torch::nn::LayerNorm& norm,
                         const at::Tensor& words, const at::Tensor& bias, const CausalLMCall& call,
                         const at::Tensor& key_padding_mask);

/// An embedding whose weight is not initialised: the model does it.
torch::nn::Embedding uninitialised_embedding(int64_t count, int64_t size);

/// Initialises weights of linear layers and embeddings from a normal distribution, their biases with 0; norms
/// are not changed.
void initialise_weights(torch::nn::Module& model, double deviation, uint64_t seed);

} // namespace mneme::nn
