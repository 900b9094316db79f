// SPDX-License-Identifier: MIT

/// The inside of the causal language models: checks, logits, loss, first weights.
#pragma once

#include <optional>
#include <vector>

#include <torch/nn/modules/embedding.h>
#include <torch/nn/modules/normalization.h>

#include "mneme/nn/causal_lm.h"

namespace mneme::nn {

/// As remove_name_prefixes, for all names that load_causal_lm_state knows.
std::vector<std::string> without_causal_lm_prefixes(const torch::nn::Module& model, NamedTensors& state);

/// Errors  UsageError if there are windows, but not one per layer, or layers are to see all tokens
void check_layer_windows(const char* model, const std::optional<std::vector<int64_t>>& windows,
                         bool local_windows, int64_t num_layers);

/// Errors  UsageError unless ids are int64 [B, T], of words there are
void check_ids(const char* model, const at::Tensor& ids, int64_t vocab_size);

/// bool [B, T]; undefined without a mask. Errors  UsageError for another shape
at::Tensor is_token_of(const char* model, const at::Tensor& ids, const at::Tensor& attention_mask);

/// logits = norm(x) . words^T + bias (which may be undefined), and the loss where there are labels.
///
/// Errors  UsageError for labels of another shape or type; on the CPU (elsewhere looking would wait) also for labels beyond the
///         vocabulary, or of which none counts
CausalLMOutput lm_output(const char* model, std::vector<at::Tensor> hidden_states, torch::nn::LayerNorm& norm,
                         const at::Tensor& words, const at::Tensor& bias, const CausalLMCall& call,
                         const at::Tensor& is_token);

/// Weights of linear layers and embeddings normal, their biases 0; norms as they are.
void draw_first_weights(torch::nn::Module& model, double deviation, uint64_t seed);

} // namespace mneme::nn
