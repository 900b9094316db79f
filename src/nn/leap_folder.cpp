// SPDX-License-Identifier: MIT

#include "mneme/nn/leap_folder.h"

#include <algorithm>
#include <array>
#include <set>
#include <system_error>

#include <nlohmann/json.hpp>

#include "mneme/core/error.h"
#include "mneme/core/file_exists.h"
#include "mneme/core/text.h"
#include "mneme/nn/tensor_file.h"
#include "nn/config_fields.h"
#include "nn/model_folder.h"
#include "nn/refuse.h"

namespace mneme::nn {
namespace {

using nlohmann::ordered_json;

constexpr const char* kClass = "LeapForCausalLM";
constexpr double kNormEpsilon = 1e-5; // default of LibTorch's LayerNorm
constexpr double kRotaryBase = 10000; // of MultiheadLeap
constexpr Names<ops::FocusWeight, 2> kWeights = {
    {{ops::FocusWeight::elu, "elu"}, {ops::FocusWeight::exponential, "exponential"}}};
constexpr Names<ops::LeapGate, 4> kGates = {{{ops::LeapGate::sigmoid, "sigmoid"},
                                             {ops::LeapGate::cosine, "cosine"},
                                             {ops::LeapGate::dot_product, "dot_product"},
                                             {ops::LeapGate::open, "open"}}};
constexpr Names<LeapPositions, 4> kPositions = {{{LeapPositions::learned, "learned"},
                                                 {LeapPositions::rotary, "rotary"},
                                                 {LeapPositions::decay, "decay"},
                                                 {LeapPositions::none, "none"}}};

/// Options of LEAP's variants: weights, gate, positions, padding.
void read_variant(ConfigFields& fields, LeapConfig& config) {
  if (fields.has("rescale")) {
    config.weight(ops::FocusWeight::exponential);
    if (fields.has_value("rescale")) {
      config.rescale(fields.number("rescale"));
    }
  }
  if (fields.has("weight")) {
    config.weight(fields.choice("weight", kWeights));
  }
  if (fields.has("gate")) {
    config.gate(fields.choice("gate", kGates));
  }
  if (fields.has("positions")) {
    config.positions(fields.choice("positions", kPositions));
  }
  if (fields.has("padding_counts")) {
    config.padding_counts(fields.boolean("padding_counts"));
  }
}

/// Window sizes are ignored if "use_local_att" is false.
void read_windows(ConfigFields& fields, LeapConfig& config) {
  if (fields.has("use_local_att")) {
    config.local_windows(fields.boolean("use_local_att"));
  }
  if (fields.has_value("window_sizes") && config.local_windows()) {
    config.windows(fields.integers("window_sizes", 0));
    if (static_cast<int64_t>(config.windows()->size()) != config.num_layers()) {
      fields.fail(c10::str("\"window_sizes\" lists ", config.windows()->size(),
                           " windows, but \"n_layer\" is ", config.num_layers(), "."),
                  "Give one window per layer.");
    }
  }
}

/// Fields that are options of other models, but have one fixed value in LEAP.
void check_fixed(ConfigFields& fields, const LeapConfig& config) {
  const int64_t inner = 4 * config.hidden_size();
  const ordered_json none = nullptr, no = false;
  fields.fixed("tie_word_embeddings", true);
  for (const char* key : {"is_encoder_decoder", "add_cross_attention", "tie_encoder_decoder"}) {
    fields.fixed(key, no);
  }
  fields.fixed("pruned_heads", ordered_json::object());
  for (const char* key :
       {"quantization_config", "cross_attention_hidden_size", "sliding_window", "rope_scaling"}) {
    fields.fixed(key, none);
  }
  for (const char* key : {"hidden_act", "activation_function"}) {
    fields.fixed(key, "gelu");
  }
  for (const char* key : {"layer_norm_eps", "layer_norm_epsilon"}) {
    fields.fixed(key, kNormEpsilon);
  }
  for (const char* key : {"intermediate_size", "n_inner"}) {
    fields.fixed(key, inner);
  }
  for (const char* key : {"n_embd", "d_model"}) {
    fields.fixed(key, config.hidden_size());
  }
  fields.fixed("num_hidden_layers", config.num_layers());
  fields.fixed("num_attention_heads", config.num_heads());
  fields.fixed("max_position_embeddings", config.max_positions());
  fields.fixed("rope_theta", kRotaryBase);
}

/// Number of parameters of a model of this configuration, as a double, because products may overflow
/// integers.
double num_parameters(const LeapConfig& config) {
  const auto h = static_cast<double>(config.hidden_size()), layers = static_cast<double>(config.num_layers());
  const double rows =
      static_cast<double>(config.vocab_size()) +
      (config.positions() == LeapPositions::learned ? static_cast<double>(config.max_positions()) : 0.0);
  return layers * (12 * h * h + 9 * h) + 2 * h + rows * h;
}

} // namespace

LeapConfig leap_config_from(std::string_view text, const std::string& source,
                            std::vector<std::string>* notes) {
  ConfigFields fields(text, source, "LEAP");
  fields.check_model_type(kClass);
  const bool has_old_name = fields.has("n_heads");
  if (has_old_name && fields.has("n_head")) {
    fields.fail("\"n_head\" and \"n_heads\" are both present.",
                "They are two names of one option: keep one.");
  }
  LeapConfig config;
  config.vocab_size(fields.integer("vocab_size"))
      .hidden_size(fields.integer("hidden_size"))
      .num_heads(fields.integer(has_old_name ? "n_heads" : "n_head"))
      .num_layers(fields.integer("n_layer"))
      .max_positions(fields.integer("n_positions"));
  if (config.hidden_size() % config.num_heads() != 0) {
    fields.fail(c10::str("\"hidden_size\" is ", config.hidden_size(), ", which is not divisible by ",
                         config.num_heads(), " heads."),
                "Every head has hidden_size / n_head features.");
  }
  read_windows(fields, config);
  if (fields.has("hidden_dropout_prob")) {
    config.dropout(fields.number("hidden_dropout_prob"));
  }
  if (fields.has_value("initializer_range")) {
    config.initial_std(fields.number("initializer_range"));
  }
  read_variant(fields, config);
  check_fixed(fields, config);
  fields.finish(notes);
  return config;
}

std::string to_json(const LeapConfig& config) {
  ordered_json json = {{"model_type", kClass},
                       {"architectures", {kClass}},
                       {"vocab_size", config.vocab_size()},
                       {"hidden_size", config.hidden_size()},
                       {"n_head", config.num_heads()},
                       {"n_layer", config.num_layers()},
                       {"n_positions", config.max_positions()},
                       {"use_local_att", config.local_windows()},
                       {"window_sizes", nullptr},
                       {"hidden_dropout_prob", config.dropout()},
                       {"initializer_range", nullptr}};
  if (config.local_windows()) {
    json["window_sizes"] = config.windows() ? *config.windows() : config.layer_windows();
  }
  if (config.initial_std()) {
    json["initializer_range"] = *config.initial_std();
  }
  if (config.rescale()) {
    json["rescale"] = *config.rescale();
  } else if (config.weight() == ops::FocusWeight::exponential) {
    json["rescale"] = nullptr;
  }
  json["weight"] = name_of(kWeights, config.weight());
  json["gate"] = name_of(kGates, config.gate());
  json["positions"] = name_of(kPositions, config.positions());
  json["padding_counts"] = config.padding_counts();
  return json.dump(2) + "\n";
}

namespace {

/// The fields of config.json that the shapes of the parameters show, as the text of a config.json with HEADS
/// for the number of heads; empty if the parameters cannot be read, or are not of LEAP.
std::string config_of_shapes(const std::filesystem::path& parameters, const std::string& key) {
  const auto is = [](std::string_view name, std::string_view end) { // with or without a prefix
    return name.ends_with(end) && (name.size() == end.size() || name[name.size() - end.size() - 1] == '.');
  };
  constexpr std::string_view kLayer = "decoders.";
  std::vector<int64_t> words, positions;
  std::set<std::string> layers;
  try {
    for (const auto& [name, tensor] : read_tensor_file(parameters, key, Mapping::all).tensors) {
      if (is(name, "word_embedding.weight")) {
        words = tensor.sizes().vec();
      } else if (is(name, "position_embeddings.weight")) {
        positions = tensor.sizes().vec();
      } else if (const size_t at = name.find(kLayer); at != std::string::npos) {
        layers.insert(name.substr(at, name.find('.', at + kLayer.size()) - at));
      }
    }
  } catch (const DataError&) {
    return "";
  }
  if (words.size() != 2 || layers.empty()) {
    return "";
  }
  const std::string learned = positions.size() == 2
                                  ? c10::str("\"n_positions\": ", positions[0])
                                  : c10::str("\"n_positions\": LONGEST, \"positions\": \"none\"");
  return c10::str("{\"model_type\": \"", kClass, "\", \"vocab_size\": ", words[0],
                  ", \"hidden_size\": ", words[1], ", \"n_layer\": ", layers.size(), ", ", learned,
                  ", \"n_head\": HEADS}");
}

/// The folders in `folder` that have a config.json and parameters, as a sentence; empty if there are none.
std::string models_in(const std::filesystem::path& folder) {
  constexpr size_t kNamed = 4;
  std::vector<std::string> names;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
    const bool has_parameters = std::ranges::any_of(
        std::array{kParameterFile, "model.safetensors.index.json", "pytorch_model.bin", "model.pt"},
        [&](const char* name) { return std::filesystem::exists(entry.path() / name, error); });
    if (has_parameters && std::filesystem::exists(entry.path() / kConfigFile, error)) {
      names.push_back(printable(entry.path().string()));
    }
  }
  std::ranges::sort(names);
  std::string text;
  for (size_t i = 0; i < std::min(kNamed, names.size()); ++i) {
    text += (i == 0 ? "" : ", ") + names[i];
  }
  return names.empty() ? ""
                       : c10::str(" It contains folders of models; give one of them: ", text,
                                  names.size() > kNamed ? ", ..." : "", ".");
}

} // namespace

void require_config(const std::filesystem::path& model, const std::string& key) {
  std::error_code error;
  const bool is_file = std::filesystem::is_regular_file(model, error);
  const std::filesystem::path folder = is_file ? model.parent_path() : model;
  if (!file_exists(model) || file_exists(folder / kConfigFile)) {
    return; // open_model_folder reports a model that does not exist
  }
  std::string inferred;
  for (const std::filesystem::path& file :
       is_file ? std::vector{model}
               : std::vector{folder / kParameterFile, folder / "pytorch_model.bin", folder / "model.pt"}) {
    if (std::filesystem::exists(file, error)) {
      inferred = config_of_shapes(file, key);
      break;
    }
  }
  const std::string advice =
      inferred.empty()
          ? "A model consists of config.json and parameters, such as model.safetensors." +
                (is_file ? "" : models_in(folder))
          : c10::str("The parameters are of a LEAP model, whose config.json contains model_type, vocab_size, "
                     "hidden_size, n_layer, n_head and n_positions, and window_sizes unless the model was "
                     "trained with the default ones. Their shapes show: ",
                     inferred,
                     "\n  Save this text as config.json, with the number of heads for HEADS, which no shape "
                     "shows.");
  throw DataError(c10::str(printable(model.string()), ": there is no config.json ",
                           is_file ? "next to this file" : "in this folder", ".\n  ", advice));
}

LeapForCausalLM read_leap_model(const std::filesystem::path& model_path, const std::string& key,
                                std::vector<std::string>* notes, Mapping mapping) {
  require_config(model_path, key);
  const ModelFolder folder = open_model_folder(model_path);
  const LeapConfig config = leap_config_from(folder.config, folder.config_file.string(), notes);
  NamedTensors state = read_parameters(folder, num_parameters(config), key, notes, mapping);
  auto model = model_of<LeapForCausalLM>(folder, config);
  const std::string source = folder.parameter_file.string();
  add_notes(notes, source, load_leap_state(model, std::move(state), source));
  model->eval();
  return model;
}

void write_leap_model(const std::filesystem::path& folder, const LeapForCausalLM& model) {
  write_model_folder(folder, to_json(model->config), causal_lm_state(*model));
}

LeapPositions leap_positions(const std::string& name) {
  for (const auto& [kind, known] : kPositions) {
    if (name == known) {
      return kind;
    }
  }
  refuse("LeapForCausalLM", "there are no positions \"" + name + "\".",
         "Choose learned, rotary, decay or none.");
}

} // namespace mneme::nn
