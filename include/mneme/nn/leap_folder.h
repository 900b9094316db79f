// SPDX-License-Identifier: MIT

/// Reads and writes a LEAP language model as a folder with config.json and model.safetensors.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "mneme/nn/leap_lm.h"

namespace mneme::nn {

/// Reads a configuration from the text of a config.json with the published field names: vocab_size,
/// hidden_size, n_head (n_heads before 9 September 2022), n_layer, n_positions; optional, with the published
/// defaults: use_local_att, window_sizes, hidden_dropout_prob, initializer_range. `rescale`, a number or
/// null, is a field of releases up to 1.0.1, whose focus weights are exponential. Fields of mneme: weight
/// ("elu", "exponential"), gate ("sigmoid", "cosine", "dot_product", "open"), positions ("learned", "rotary",
/// "decay", "none"), padding_counts. Fields that transformers adds about itself, tokens and generation are
/// ignored. Other unknown fields are ignored, too, each with a note in `notes`.
///
/// Errors  DataError that begins with `source`, for a field that is missing, of another type or out of its
///         range; for a field that has only one valid value in LEAP, such as hidden_act, and has another one;
///         and for an unknown field with a name similar to one of these
LeapConfig leap_config_from(std::string_view text, const std::string& source,
                            std::vector<std::string>* notes = nullptr);

/// The positions of a name as in config.json. Errors  UsageError
LeapPositions leap_positions(const std::string& name);

/// The text of a config.json with all options except the seed; the inverse of leap_config_from.
std::string to_json(const LeapConfig& config);

/// Errors  DataError if `model` is a folder, or a file in one, without config.json. It proposes the one that
///         the shapes of the parameters show, if they are of LEAP, or else names the model folders in it
void require_config(const std::filesystem::path& model, const std::string& key = "");

/// Reads config.json and the parameters. `model` is a folder with model.safetensors, or else
/// model.safetensors.index.json and its shards, pytorch_model.bin, its index, or model.pt; or one such file
/// next to config.json. `key` selects one of the dicts of a checkpoint, as in read_tensor_file; see
/// load_leap_state for names. The model is in float32 and in evaluation mode. `notes` receives the names of
/// ignored and renamed entries.
///
/// Errors  DataError, also if the configuration has more parameters than the file, or a parameter is not
///         finite
LeapForCausalLM read_leap_model(const std::filesystem::path& model, const std::string& key = "",
                                std::vector<std::string>* notes = nullptr,
                                Mapping mapping = Mapping::aligned);

/// Writes config.json and model.safetensors, each atomically; creates the folder.
/// Errors  OutputError
void write_leap_model(const std::filesystem::path& folder, const LeapForCausalLM& model);

} // namespace mneme::nn
