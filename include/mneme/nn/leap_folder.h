// SPDX-License-Identifier: MIT

/// A LEAP language model as a folder: config.json beside model.safetensors.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "mneme/nn/leap_lm.h"

namespace mneme::nn {

/// The configuration that a config.json holds, under its published names: vocab_size, hidden_size, n_head (n_heads before
/// 9 September 2022), n_layer, n_positions; and, where they are not as published, use_local_att, window_sizes,
/// hidden_dropout_prob, initializer_range. `rescale`, a number or null, is of releases up to 1.0.1, whose focus weights
/// are exponential. Beyond the published ones: weight ("elu", "exponential"), gate ("sigmoid", "cosine", "dot_product",
/// "open"), positions ("learned", "rotary", "decay", "none"), padding_counts. What transformers adds about itself, tokens
/// and generation is skipped. Other unknown fields are left out, each with a note in `notes`.
///
/// Errors  DataError that begins with `source`, for a field that is missing, of another type or out of its range; for one
///         that LEAP has no choice in, such as hidden_act, with another value than LEAP's; and for an unknown one whose
///         name is close to one of these
LeapConfig leap_config_from(std::string_view text, const std::string& source,
                            std::vector<std::string>* notes = nullptr);

/// All of it but the seed, as leap_config_from reads it.
std::string to_json(const LeapConfig& config);

/// Reads config.json and the parameters: `model` is a folder with model.safetensors, else model.safetensors.index.json and
/// its shards, pytorch_model.bin, its index, or model.pt; or one such file next to config.json. `key` chooses
/// among the dicts of a checkpoint, as in read_tensor_file; see load_leap_state for names. The model is in float32 and does
/// not drop anything. What was left out or renamed is added to `notes`.
///
/// Errors  DataError, also where the configuration asks for more parameters than there are, or one is not finite
LeapForCausalLM read_leap_model(const std::filesystem::path& model, const std::string& key = "",
                                std::vector<std::string>* notes = nullptr);

/// Writes config.json and model.safetensors, each whole or not at all; makes the folder.
/// Errors  OutputError
void write_leap_model(const std::filesystem::path& folder, const LeapForCausalLM& model);

} // namespace mneme::nn
