// SPDX-License-Identifier: MIT

/// Reads BERT and ALBERT from a folder with config.json and parameters, as transformers writes them.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "mneme/nn/bert.h"

namespace mneme::nn {

/// Reads a configuration from the text of a config.json with the names of transformers: model_type (bert or
/// albert), vocab_size, hidden_size, num_hidden_layers, num_attention_heads, intermediate_size,
/// max_position_embeddings; ALBERT also embedding_size; optional: type_vocab_size, hidden_act (gelu,
/// gelu_new, relu), layer_norm_eps, initializer_range, num_hidden_groups, inner_group_num. Fields about
/// tokens, dropout, poolers and heads have no effect here; other unknown fields are ignored, each with a note
/// in `notes`.
///
/// Errors  DataError that begins with `source`, for a field that is missing, of another type or out of its
///         range; for a field that would change the results and is not supported, such as
///         position_embedding_type; and for an unknown field with a name similar to one of these
BertConfig bert_config_from(std::string_view text, const std::string& source,
                            std::vector<std::string>* notes = nullptr);

/// As read_leap_model (leap_folder.h) with Mapping::all; see load_bert_state for the names of parameters.
BertEncoder read_bert_model(const std::filesystem::path& model, const std::string& key = "",
                            std::vector<std::string>* notes = nullptr);

} // namespace mneme::nn
