// SPDX-License-Identifier: MIT

#include "mneme/nn/lm_folders.h"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "nn/config_fields.h"
#include "nn/model_folder.h"

namespace mneme::nn {
namespace {

using nlohmann::ordered_json;

constexpr const char* kFastformer = "FastformerForCausalLM";
constexpr const char* kLstm = "LstmForCausalLM";

FastformerConfig fastformer_config_from(const ModelFolder& folder, std::vector<std::string>* notes) {
  ConfigFields fields(folder.config, folder.config_file.string(), "Fastformer");
  fields.check_model_type(kFastformer);
  FastformerConfig config;
  config.vocab_size(fields.integer("vocab_size"))
      .hidden_size(fields.integer("hidden_size"))
      .num_heads(fields.integer("n_heads"))
      .num_layers(fields.integer("n_layer"))
      .max_positions(fields.integer("n_positions"))
      .local_windows(fields.boolean_or("use_local_att", config.local_windows()))
      .rescale(fields.number_or("rescale", config.rescale()))
      .dropout(fields.number_or("hidden_dropout_prob", config.dropout()))
      .initial_std(fields.number_or("initializer_range", config.initial_std()));
  if (fields.has_value("window_sizes") && config.local_windows()) {
    config.windows(fields.integers("window_sizes", 0));
  }
  fields.fixed("tie_word_embeddings", true);
  fields.finish(notes);
  return config;
}

double num_parameters(const FastformerConfig& config) {
  const auto size = static_cast<double>(config.hidden_size());
  const double rows = static_cast<double>(config.vocab_size()) + static_cast<double>(config.max_positions());
  return static_cast<double>(config.num_layers()) * (11 * size * size + 6 * size) + 2 * size + rows * size +
         static_cast<double>(config.vocab_size());
}

LstmConfig lstm_config_from(const ModelFolder& folder, std::vector<std::string>* notes) {
  ConfigFields fields(folder.config, folder.config_file.string(), "LSTM");
  fields.check_model_type(kLstm);
  LstmConfig config(fields.integer("vocab_size"), fields.integer("hidden_size"), fields.integer("n_layer"));
  config.dropout(fields.number_or("hidden_dropout_prob", config.dropout()));
  fields.fixed("tie_word_embeddings", true);
  fields.finish(notes);
  return config;
}

double num_parameters(const LstmConfig& config) {
  const auto size = static_cast<double>(config.hidden_size());
  return static_cast<double>(config.num_layers()) * (8 * size * size + 8 * size) + 2 * size +
         static_cast<double>(config.vocab_size()) * size;
}

template <class Holder, class Config>
Holder read_model(const ModelFolder& folder, const Config& config, const std::string& key,
                  std::vector<std::string>* notes) {
  NamedTensors state = read_parameters(folder, num_parameters(config), key, notes);
  auto model = model_of<Holder>(folder, config);
  const std::string source = folder.parameter_file.string();
  add_notes(notes, source, load_causal_lm_state(*model, std::move(state), source));
  model->eval();
  return model;
}

} // namespace

std::string to_json(const FastformerConfig& config) {
  ordered_json json = {{"model_type", kFastformer},
                       {"architectures", {kFastformer}},
                       {"vocab_size", config.vocab_size()},
                       {"hidden_size", config.hidden_size()},
                       {"n_heads", config.num_heads()},
                       {"n_layer", config.num_layers()},
                       {"n_positions", config.max_positions()},
                       {"use_local_att", config.local_windows()},
                       {"window_sizes", nullptr},
                       {"rescale", config.rescale()},
                       {"hidden_dropout_prob", config.dropout()},
                       {"initializer_range", config.initial_std()}};
  if (config.local_windows()) {
    json["window_sizes"] = config.layer_windows();
  }
  return json.dump(2) + "\n";
}

std::string to_json(const LstmConfig& config) {
  const ordered_json json = {{"model_type", kLstm},
                             {"architectures", {kLstm}},
                             {"vocab_size", config.vocab_size()},
                             {"hidden_size", config.hidden_size()},
                             {"n_layer", config.num_layers()},
                             {"hidden_dropout_prob", config.dropout()}};
  return json.dump(2) + "\n";
}

FastformerForCausalLM read_fastformer_model(const std::filesystem::path& model, const std::string& key,
                                            std::vector<std::string>* notes) {
  const ModelFolder folder = open_model_folder(model);
  return read_model<FastformerForCausalLM>(folder, fastformer_config_from(folder, notes), key, notes);
}

LstmForCausalLM read_lstm_model(const std::filesystem::path& model, const std::string& key,
                                std::vector<std::string>* notes) {
  const ModelFolder folder = open_model_folder(model);
  return read_model<LstmForCausalLM>(folder, lstm_config_from(folder, notes), key, notes);
}

void write_fastformer_model(const std::filesystem::path& folder, const FastformerForCausalLM& model) {
  write_model_folder(folder, to_json(model->config), causal_lm_state(*model));
}

void write_lstm_model(const std::filesystem::path& folder, const LstmForCausalLM& model) {
  write_model_folder(folder, to_json(model->config), causal_lm_state(*model));
}

} // namespace mneme::nn
