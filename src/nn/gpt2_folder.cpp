// SPDX-License-Identifier: MIT

#include "mneme/nn/gpt2_folder.h"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "mneme/core/error.h"
#include "mneme/nn/state_dict.h"
#include "nn/config_fields.h"
#include "nn/model_folder.h"
#include "nn/transformer_activation.h"

namespace mneme::nn {
namespace {

using nlohmann::ordered_json;

constexpr const char* kType = "gpt2";
constexpr const char* kClass = "GPT2LMHeadModel";

void read_activation(ConfigFields& fields, Gpt2Config& config) {
  if (fields.has_value("activation_function")) {
    config.activation(fields.choice("activation_function", kTransformerActivations));
  }
}

/// Fields that would change the results if they had another value, and fields without effect.
void check_others(ConfigFields& fields, const Gpt2Config& config) {
  for (const char* key : {"add_cross_attention", "is_encoder_decoder", "tie_encoder_decoder"}) {
    fields.fixed(key, false);
  }
  fields.fixed("pruned_heads", ordered_json::object());
  for (const char* key : {"quantization_config", "sliding_window", "rope_scaling"}) {
    fields.fixed(key, nullptr);
  }
  fields.fixed("n_ctx", config.max_positions());
  fields.boolean_or("reorder_and_upcast_attn", false); // the same result in float32
  for (const char* key : {"summary_activation", "summary_first_dropout", "summary_proj_to_labels",
                          "summary_type", "summary_use_proj", "classifier_dropout", "n_special",
                          "predict_special_tokens", "output_past", "model_type", "_num_labels"}) {
    fields.ignore(key);
  }
}

/// Number of parameters, as a double, because products may overflow integers.
double num_parameters(const Gpt2Config& config) {
  const auto c = static_cast<double>(config.hidden_size()), words = static_cast<double>(config.vocab_size());
  const double inner = static_cast<double>(config.inner_size().value_or(4 * config.hidden_size()));
  return static_cast<double>(config.num_layers()) * (4 * c * c + 2 * c * inner + 9 * c + inner) + 2 * c +
         static_cast<double>(config.max_positions()) * c + (config.tied() ? 1 : 2) * words * c;
}

std::optional<int64_t> token_id(ConfigFields& fields, const char* key) {
  return fields.has_whole_number(key) ? std::optional(fields.integer(key, 0)) : std::nullopt;
}

} // namespace

Gpt2Config gpt2_config_from(std::string_view text, const std::string& source,
                            std::vector<std::string>* notes) {
  ConfigFields fields(text, source, "GPT-2");
  fields.check_model_type(kType);
  Gpt2Config config;
  config.vocab_size(fields.integer("vocab_size"))
      .hidden_size(fields.integer("n_embd"))
      .num_heads(fields.integer("n_head"))
      .num_layers(fields.integer("n_layer"))
      .max_positions(fields.integer(fields.has("n_positions") ? "n_positions" : "n_ctx"))
      .norm_epsilon(fields.number_or("layer_norm_epsilon", config.norm_epsilon()))
      .scale_scores(fields.boolean_or("scale_attn_weights", config.scale_scores()))
      .scale_by_layer(fields.boolean_or("scale_attn_by_inverse_layer_idx", config.scale_by_layer()))
      .tied(fields.boolean_or("tie_word_embeddings", config.tied()))
      .embedding_dropout(fields.number_or("embd_pdrop", config.embedding_dropout()))
      .attention_dropout(fields.number_or("attn_pdrop", config.attention_dropout()))
      .residual_dropout(fields.number_or("resid_pdrop", config.residual_dropout()))
      .initial_std(fields.number_or("initializer_range", config.initial_std()))
      .bos_token_id(token_id(fields, "bos_token_id"))
      .eos_token_id(token_id(fields, "eos_token_id"));
  if (config.hidden_size() % config.num_heads() != 0) {
    fields.fail(c10::str("\"n_embd\" is ", config.hidden_size(), ", which is not divisible by ",
                         config.num_heads(), " heads."),
                "Every head has n_embd / n_head features.");
  }
  if (fields.has_value("n_inner")) {
    config.inner_size(fields.integer("n_inner"));
  }
  read_activation(fields, config);
  check_others(fields, config);
  fields.finish(notes);
  return config;
}

std::string to_json(const Gpt2Config& config) {
  const auto optional_number = [](const std::optional<int64_t>& number) {
    return number ? ordered_json(*number) : ordered_json(nullptr);
  };
  const ordered_json json = {{"model_type", kType},
                             {"architectures", {kClass}},
                             {"vocab_size", config.vocab_size()},
                             {"n_embd", config.hidden_size()},
                             {"n_head", config.num_heads()},
                             {"n_layer", config.num_layers()},
                             {"n_positions", config.max_positions()},
                             {"n_inner", optional_number(config.inner_size())},
                             {"activation_function", name_of(kTransformerActivations, config.activation())},
                             {"layer_norm_epsilon", config.norm_epsilon()},
                             {"scale_attn_weights", config.scale_scores()},
                             {"scale_attn_by_inverse_layer_idx", config.scale_by_layer()},
                             {"tie_word_embeddings", config.tied()},
                             {"embd_pdrop", config.embedding_dropout()},
                             {"attn_pdrop", config.attention_dropout()},
                             {"resid_pdrop", config.residual_dropout()},
                             {"initializer_range", config.initial_std()},
                             {"bos_token_id", optional_number(config.bos_token_id())},
                             {"eos_token_id", optional_number(config.eos_token_id())},
                             {"torch_dtype", "float32"}};
  return json.dump(2) + "\n";
}

Gpt2ForCausalLM read_gpt2_model(const std::filesystem::path& model_path, const std::string& key,
                                std::vector<std::string>* notes, Mapping mapping) {
  const ModelFolder folder = open_model_folder(model_path);
  const Gpt2Config config = gpt2_config_from(folder.config, folder.config_file.string(), notes);
  NamedTensors state = read_parameters(folder, num_parameters(config), key, notes, mapping);
  auto model = model_of<Gpt2ForCausalLM>(folder, config);
  const std::string source = folder.parameter_file.string();
  add_notes(notes, source, load_gpt2_state(model, std::move(state), source));
  model->eval();
  return model;
}

void write_gpt2_model(const std::filesystem::path& folder, const Gpt2ForCausalLM& model) {
  write_model_folder(folder, to_json(model->config), state_dict(*model));
}

} // namespace mneme::nn
