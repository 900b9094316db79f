// SPDX-License-Identifier: MIT

#include "mneme/nn/bert_folder.h"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "mneme/core/error.h"
#include "nn/config_fields.h"
#include "nn/model_folder.h"
#include "nn/transformer_activation.h"

namespace mneme::nn {
namespace {

using nlohmann::ordered_json;

constexpr Names<BertKind, 2> kKinds = {{{BertKind::bert, "bert"}, {BertKind::albert, "albert"}}};

/// Fields that would change the results if they had another value, and fields without effect.
void check_others(ConfigFields& fields) {
  fields.fixed("position_embedding_type", "absolute");
  for (const char* key : {"add_cross_attention", "is_decoder", "is_encoder_decoder", "tie_encoder_decoder"}) {
    fields.fixed(key, false);
  }
  fields.fixed("pruned_heads", ordered_json::object());
  for (const char* key : {"quantization_config", "rope_scaling", "sliding_window"}) {
    fields.fixed(key, nullptr);
  }
  // Dropout does not take part in inference; the others are about heads, poolers and releases for TensorFlow.
  for (const char* key : {"_num_labels",
                          "attention_dropout_prob",
                          "attention_probs_dropout_prob",
                          "classifier_dropout",
                          "classifier_dropout_prob",
                          "directionality",
                          "down_scale_factor",
                          "gap_size",
                          "hidden_dropout_prob",
                          "layers_to_keep",
                          "net_structure_type",
                          "num_labels",
                          "num_memory_blocks",
                          "output_past",
                          "pooler_fc_size",
                          "pooler_num_attention_heads",
                          "pooler_num_fc_layers",
                          "pooler_size_per_head",
                          "pooler_type",
                          "tie_word_embeddings"}) {
    fields.ignore(key);
  }
}

BertKind kind_of(ConfigFields& fields) {
  if (fields.has("model_type")) {
    return fields.choice("model_type", kKinds);
  }
  const std::string type = fields.transformer_type();
  for (const auto& [kind, name] : kKinds) {
    if (type == name) {
      return kind;
    }
  }
  fields.fail("\"model_type\" is missing.", "It is \"bert\" or \"albert\".");
}

/// Number of parameters, as a double, because products may overflow integers.
double num_parameters(const BertConfig& config) {
  const auto c = static_cast<double>(config.hidden_size()), inner = static_cast<double>(config.inner_size());
  const auto embedding = static_cast<double>(config.embedding_size().value_or(config.hidden_size()));
  const double rows = static_cast<double>(config.vocab_size()) + static_cast<double>(config.max_positions()) +
                      static_cast<double>(config.token_types());
  const bool is_bert = config.kind() == BertKind::bert;
  const double blocks =
      is_bert ? static_cast<double>(config.num_layers())
              : static_cast<double>(config.num_groups()) * static_cast<double>(config.layers_per_group());
  return (rows + 2) * embedding + (is_bert ? 0 : (embedding + 1) * c) +
         blocks * (4 * c * c + 2 * c * inner + 9 * c + inner);
}

} // namespace

BertConfig bert_config_from(std::string_view text, const std::string& source,
                            std::vector<std::string>* notes) {
  ConfigFields fields(text, source, "BERT or ALBERT");
  BertConfig config;
  config.kind(kind_of(fields))
      .vocab_size(fields.integer("vocab_size"))
      .hidden_size(fields.integer("hidden_size"))
      .num_heads(fields.integer("num_attention_heads"))
      .num_layers(fields.integer("num_hidden_layers"))
      .inner_size(fields.integer("intermediate_size"))
      .max_positions(fields.integer("max_position_embeddings"))
      .norm_epsilon(fields.number_or("layer_norm_eps", config.norm_epsilon()))
      .initial_std(fields.number_or("initializer_range", config.initial_std()));
  if (config.hidden_size() % config.num_heads() != 0) {
    fields.fail(c10::str("\"hidden_size\" is ", config.hidden_size(), ", which is not divisible by ",
                         config.num_heads(), " heads."),
                "Every head has hidden_size / num_attention_heads features.");
  }
  const auto integer_or = [&](const char* key, int64_t fallback) {
    return fields.has_value(key) ? fields.integer(key) : fallback;
  };
  config.token_types(integer_or("type_vocab_size", config.token_types()));
  if (config.kind() == BertKind::albert) {
    config.embedding_size(fields.integer("embedding_size"))
        .activation(TransformerActivation::gelu_new)
        .num_groups(integer_or("num_hidden_groups", config.num_groups()))
        .layers_per_group(integer_or("inner_group_num", config.layers_per_group()));
  } else { // not fields of BERT
    fields.fixed("embedding_size", config.hidden_size());
  }
  if (fields.has_value("hidden_act")) {
    config.activation(fields.choice("hidden_act", kTransformerActivations));
  }
  check_others(fields);
  fields.finish(notes);
  return config;
}

BertEncoder read_bert_model(const std::filesystem::path& model_path, const std::string& key,
                            std::vector<std::string>* notes) {
  const ModelFolder folder = open_model_folder(model_path);
  const BertConfig config = bert_config_from(folder.config, folder.config_file.string(), notes);
  NamedTensors state = read_parameters(folder, num_parameters(config), key, notes, Mapping::all);
  auto model = model_of<BertEncoder>(folder, config);
  const std::string source = folder.parameter_file.string();
  add_notes(notes, source, load_bert_state(model, std::move(state), source));
  model->eval();
  return model;
}

} // namespace mneme::nn
