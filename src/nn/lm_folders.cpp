// SPDX-License-Identifier: MIT

#include "mneme/nn/lm_folders.h"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "mneme/nn/state_dict.h"
#include "nn/config_fields.h"
#include "nn/model_folder.h"

namespace mneme::nn {
namespace {

using nlohmann::ordered_json;

constexpr const char* kFastformer = "FastformerForCausalLM";
constexpr const char* kLstm = "LstmForCausalLM";
constexpr const char* kMatrixLeap = "MatrixLeapForCausalLM";

constexpr Names<ops::FocusWeight, 2> kWeights = {
    {{ops::FocusWeight::elu, "elu"}, {ops::FocusWeight::exponential, "exponential"}}};
constexpr Names<ops::KeyFeatures, 2> kFeatures = {
    {{ops::KeyFeatures::elu, "elu"}, {ops::KeyFeatures::relu, "relu"}}};
constexpr Names<LeapPositions, 3> kPositions = {
    {{LeapPositions::learned, "learned"}, {LeapPositions::decay, "decay"}, {LeapPositions::none, "none"}}};

MatrixLeapConfig matrix_leap_config_from(const ModelFolder& folder, std::vector<std::string>* notes) {
  ConfigFields fields(folder.config, folder.config_file.string(), "LEAP");
  fields.check_model_type(kMatrixLeap);
  MatrixLeapConfig config;
  config.vocab_size(fields.integer("vocab_size"))
      .hidden_size(fields.integer("hidden_size"))
      .num_heads(fields.integer("n_head"))
      .num_layers(fields.integer("n_layer"))
      .max_positions(fields.integer("n_positions"))
      .dropout(fields.number_or("hidden_dropout_prob", config.dropout()));
  if (fields.has_value("window_sizes")) {
    config.windows(fields.integers("window_sizes", 0));
  }
  if (fields.has_value("initializer_range")) {
    config.initial_std(fields.number("initializer_range"));
  }
  if (fields.has("weight")) {
    config.weight(fields.choice("weight", kWeights));
  }
  if (fields.has("features")) {
    config.features(fields.choice("features", kFeatures));
  }
  if (fields.has("positions")) {
    config.positions(fields.choice("positions", kPositions));
  }
  fields.fixed("tie_word_embeddings", true);
  fields.finish(notes);
  return config;
}

double num_parameters(const MatrixLeapConfig& config) {
  const auto size = static_cast<double>(config.hidden_size());
  const double rows =
      static_cast<double>(config.vocab_size()) +
      (config.positions() == LeapPositions::learned ? static_cast<double>(config.max_positions()) : 0.0);
  return static_cast<double>(config.num_layers()) * (12 * size * size + 9 * size) + 2 * size + rows * size;
}

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
                  std::vector<std::string>* notes, Mapping mapping) {
  NamedTensors state = read_parameters(folder, num_parameters(config), key, notes, mapping);
  auto model = model_of<Holder>(folder, config);
  const std::string source = folder.parameter_file.string();
  add_notes(notes, source, load_causal_lm_state(*model, std::move(state), source));
  model->eval();
  return model;
}

} // namespace

std::string to_json(const MatrixLeapConfig& config) {
  ordered_json json = {{"model_type", kMatrixLeap},
                       {"architectures", {kMatrixLeap}},
                       {"vocab_size", config.vocab_size()},
                       {"hidden_size", config.hidden_size()},
                       {"n_head", config.num_heads()},
                       {"n_layer", config.num_layers()},
                       {"n_positions", config.max_positions()},
                       {"window_sizes", nullptr},
                       {"hidden_dropout_prob", config.dropout()},
                       {"initializer_range", nullptr},
                       {"weight", name_of(kWeights, config.weight())},
                       {"features", name_of(kFeatures, config.features())},
                       {"positions", name_of(kPositions, config.positions())}};
  if (config.windows()) {
    json["window_sizes"] = *config.windows();
  }
  if (config.initial_std()) {
    json["initializer_range"] = *config.initial_std();
  }
  return json.dump(2) + "\n";
}

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

MatrixLeapForCausalLM read_matrix_leap_model(const std::filesystem::path& model, const std::string& key,
                                             std::vector<std::string>* notes, Mapping mapping) {
  const ModelFolder folder = open_model_folder(model);
  const MatrixLeapConfig config = matrix_leap_config_from(folder, notes);
  NamedTensors state = read_parameters(folder, num_parameters(config), key, notes, mapping);
  auto loaded = model_of<MatrixLeapForCausalLM>(folder, config);
  const std::string source = folder.parameter_file.string();
  add_notes(notes, source, load_state_dict(*loaded, std::move(state), source));
  loaded->eval();
  return loaded;
}

FastformerForCausalLM read_fastformer_model(const std::filesystem::path& model, const std::string& key,
                                            std::vector<std::string>* notes, Mapping mapping) {
  const ModelFolder folder = open_model_folder(model);
  return read_model<FastformerForCausalLM>(folder, fastformer_config_from(folder, notes), key, notes,
                                           mapping);
}

LstmForCausalLM read_lstm_model(const std::filesystem::path& model, const std::string& key,
                                std::vector<std::string>* notes, Mapping mapping) {
  const ModelFolder folder = open_model_folder(model);
  return read_model<LstmForCausalLM>(folder, lstm_config_from(folder, notes), key, notes, mapping);
}

} // namespace mneme::nn
