// SPDX-License-Identifier: MIT

/// Reads and writes GPT-2 as a folder with config.json and model.safetensors, as transformers does.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "mneme/nn/gpt2.h"

namespace mneme::nn {

/// Reads a configuration from the text of a config.json with the names of transformers: vocab_size, n_embd,
/// n_head, n_layer, n_positions (or n_ctx); optional, with its defaults: n_inner, activation_function
/// (gelu_new, gelu, relu), layer_norm_epsilon, scale_attn_weights, scale_attn_by_inverse_layer_idx,
/// reorder_and_upcast_attn, tie_word_embeddings, embd_pdrop, attn_pdrop, resid_pdrop, initializer_range.
/// Fields about tokens, generation and summaries have no effect here; other unknown fields are ignored, each
/// with a note in `notes`.
///
/// Errors  DataError that begins with `source`, for a field that is missing, of another type or out of its
///         range; for a field that would change the results and is not supported, such as
///         add_cross_attention; and for an unknown field with a name similar to one of these
Gpt2Config gpt2_config_from(std::string_view text, const std::string& source,
                            std::vector<std::string>* notes = nullptr);

/// The text of a config.json with all options except the seed; the inverse of gpt2_config_from.
std::string to_json(const Gpt2Config& config);

/// As read_leap_model (leap_folder.h); see load_gpt2_state for the names of parameters.
Gpt2ForCausalLM read_gpt2_model(const std::filesystem::path& model, const std::string& key = "",
                                std::vector<std::string>* notes = nullptr,
                                Mapping mapping = Mapping::aligned);

/// Writes config.json and model.safetensors, each atomically; creates the folder. transformers can load it.
/// Errors  OutputError
void write_gpt2_model(const std::filesystem::path& folder, const Gpt2ForCausalLM& model);

} // namespace mneme::nn
