// SPDX-License-Identifier: MIT

/// The kind of a transformer by its config.json.
#pragma once

#include <string>

#include <nlohmann/json.hpp>

namespace mneme {

/// "model_type" of a configuration. Releases of transformers before 2020 did not write it: then "gpt2",
/// "bert" or "albert", if the configuration has the fields of one of them; empty if it has not. RoBERTa has
/// the fields of BERT and another meaning of positions, but one type of tokens where BERT has two or
/// more.
template <class Json> std::string transformer_type(const Json& config) {
  if (!config.is_object()) {
    return "";
  }
  if (const auto type = config.find("model_type"); type != config.end()) {
    return type->is_string() ? type->template get<std::string>() : "";
  }
  if (config.contains("n_embd") && config.contains("n_head") && !config.contains("afn")) { // "afn" is of GPT
    return "gpt2";
  }
  const auto token_types = config.find("type_vocab_size");
  if (!config.contains("num_attention_heads") || token_types == config.end() ||
      !token_types->is_number_integer() || *token_types < 2) {
    return "";
  }
  return config.contains("num_hidden_groups") ? "albert" : config.contains("embedding_size") ? "" : "bert";
}

} // namespace mneme
