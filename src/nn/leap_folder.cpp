// SPDX-License-Identifier: MIT

#include "mneme/nn/leap_folder.h"

#include <array>
#include <cmath>
#include <set>
#include <system_error>

#include <ATen/Functions.h>
#include <nlohmann/json.hpp>

#include "mneme/core/atomic_file.h"
#include "mneme/core/error.h"
#include "mneme/data/read_file.h"

namespace mneme::nn {
namespace {

using nlohmann::ordered_json;

constexpr const char* kClass = "LeapForCausalLM";
constexpr int64_t kMostOfAny = int64_t{1}
                               << 40; // sizes beyond fit no machine; products of two still fit int64
constexpr std::array kParameterFiles = {"model.safetensors", "pytorch_model.bin", "model.pt"};
/// What transformers writes about itself, or about tokens that a model does not look at.
constexpr std::array kOfTransformers = {"architectures", "transformers_version", "torch_dtype",
                                        "dtype",         "_name_or_path",        "bos_token_id",
                                        "eos_token_id",  "pad_token_id"};

template <class Kind> struct Name {
  Kind kind;
  const char* name;
};
template <class Kind, size_t count> using Names = std::array<Name<Kind>, count>;

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

const char* name_of(const auto& names, auto kind) {
  return std::ranges::find(names, kind, [](const auto& known) { return known.kind; })->name;
}

/// As a file says it, short and safe to print.
std::string shown(const ordered_json& json) {
  constexpr size_t kShown = 60;
  const std::string text = json.dump(-1, ' ', true, ordered_json::error_handler_t::replace);
  return text.size() <= kShown ? text : text.substr(0, kShown) + "...";
}

/// The fields of a configuration; every one that is there must have been asked for.
class Fields {
public:
  Fields(const ordered_json& json, const std::string& source) : json_(json), source_(source) {}

  bool has(const char* key) {
    asked_.insert(key);
    return json_.contains(key);
  }
  bool has_value(const char* key) { return has(key) && !json_.at(key).is_null(); }

  /// A size, between `least` and kMostOfAny.
  int64_t integer(const char* key, int64_t least = 1) {
    if (!has(key)) {
      fail(c10::str("\"", key, "\" is missing."), "It is needed to know what the parameters mean.");
    }
    return integer(json_.at(key), c10::str("\"", key, "\""), least);
  }
  std::vector<int64_t> integers(const char* key, int64_t least) {
    if (!json_.at(key).is_array()) {
      expected(c10::str("\"", key, "\""), json_.at(key), "a list of whole numbers");
    }
    std::vector<int64_t> all;
    for (const ordered_json& item : json_.at(key)) {
      all.push_back(integer(item, c10::str("\"", key, "\"[", all.size(), "]"), least));
    }
    return all;
  }
  double number(const char* key) {
    if (!json_.at(key).is_number()) {
      expected(c10::str("\"", key, "\""), json_.at(key), "a number");
    }
    return json_.at(key).get<double>();
  }
  bool truth(const char* key) {
    if (!json_.at(key).is_boolean()) {
      expected(c10::str("\"", key, "\""), json_.at(key), "true or false");
    }
    return json_.at(key).get<bool>();
  }
  template <class Names> auto choice(const char* key, const Names& names) {
    std::string list;
    for (const auto& [kind, name] : names) {
      if (json_.at(key) == name) {
        return kind;
      }
      list += c10::str(list.empty() ? "" : ", ", "\"", name, "\"");
    }
    expected(c10::str("\"", key, "\""), json_.at(key), "one of " + list);
  }

  void finish() const {
    for (const auto& [key, value] : json_.items()) {
      if (!asked_.contains(key) && std::ranges::find(kOfTransformers, key) == kOfTransformers.end()) {
        fail(c10::str("there is no such field as ", shown(key), "."),
             "Take it out, if it changes nothing; mneme/nn/leap_folder.h lists those there are.");
      }
    }
  }

  [[noreturn]] void fail(const std::string& problem, const std::string& advice) const {
    throw DataError(source_ + ": " + problem + "\n  " + advice);
  }
  [[noreturn]] void expected(const std::string& name, const ordered_json& found,
                             const std::string& what) const {
    fail(c10::str(name, " is ", shown(found), ", expected ", what, "."),
         "Is it the configuration of a LEAP language model?");
  }

private:
  int64_t integer(const ordered_json& value, const std::string& name, int64_t least) const {
    const bool fits = value.is_number_integer() &&
                      !(value.is_number_unsigned() && value.get<uint64_t>() > uint64_t{kMostOfAny});
    if (!fits || value.get<int64_t>() < least || value.get<int64_t>() > kMostOfAny) {
      expected(name, value, c10::str("a whole number from ", least, " to ", kMostOfAny));
    }
    return value.get<int64_t>();
  }

  const ordered_json& json_;
  const std::string& source_;
  std::set<std::string> asked_;
};

void take_form(Fields& fields, LeapConfig& config) {
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
    config.padding_counts(fields.truth("padding_counts"));
  }
}

/// Windows that stand beside "use_local_att": false say nothing.
void take_windows(Fields& fields, LeapConfig& config) {
  if (fields.has("use_local_att")) {
    config.local_windows(fields.truth("use_local_att"));
  }
  if (fields.has_value("window_sizes") && config.local_windows()) {
    config.windows(fields.integers("window_sizes", 0));
    if (static_cast<int64_t>(config.windows()->size()) != config.num_layers()) {
      fields.fail(c10::str("\"window_sizes\" lists ", config.windows()->size(),
                           " windows, but \"n_layer\" is ", config.num_layers(), "."),
                  "Each layer has one.");
    }
  }
}

/// Numbers that a model of this configuration has, as a double: no product overflows.
double num_parameters(const LeapConfig& config) {
  const auto h = static_cast<double>(config.hidden_size()), layers = static_cast<double>(config.num_layers());
  const double rows =
      static_cast<double>(config.vocab_size()) +
      (config.positions() == LeapPositions::learned ? static_cast<double>(config.max_positions()) : 0.0);
  return layers * (12 * h * h + 9 * h) + 2 * h + rows * h;
}

/// Before anything is allocated by what a configuration says.
void check_parameters(const LeapConfig& config, const NamedTensors& state, const std::string& source) {
  double numbers = 0;
  for (const auto& [name, tensor] : state) {
    numbers += static_cast<double>(tensor.numel());
    if (tensor.is_floating_point() && !tensor.isfinite().all().item<bool>()) {
      throw DataError(
          source + ": \"" + name +
          "\" holds numbers that are not finite.\n  Take parameters from before training went astray.");
    }
  }
  if (numbers < num_parameters(config)) {
    throw DataError(c10::str(source, ": holds ", static_cast<int64_t>(numbers),
                             " numbers, but config.json describes a model of ", num_parameters(config),
                             " parameters.\n  Do both belong to one model?"));
  }
}

std::filesystem::path parameters_in(const std::filesystem::path& folder) {
  std::error_code error;
  for (const char* name : kParameterFiles) {
    if (std::filesystem::exists(folder / name, error)) {
      return folder / name;
    }
  }
  throw DataError(folder.string() +
                  ": there are no parameters here (looked for model.safetensors, pytorch_model.bin and "
                  "model.pt).\n  Give the folder of a model, with a config.json as well.");
}

} // namespace

LeapConfig leap_config_from(std::string_view text, const std::string& source) {
  const ordered_json json = ordered_json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) {
    throw DataError(source + ": is no JSON object.\n  Is it the configuration of a LEAP language model?");
  }
  Fields fields(json, source);
  if (fields.has("model_type") && json.at("model_type") != kClass) {
    fields.expected("\"model_type\"", json.at("model_type"), c10::str("\"", kClass, "\""));
  }
  const bool first_name = fields.has("n_heads");
  if (first_name && fields.has("n_head")) {
    fields.fail("\"n_head\" and \"n_heads\" are both there.", "They are two names of one option: keep one.");
  }
  LeapConfig config;
  config.vocab_size(fields.integer("vocab_size"))
      .hidden_size(fields.integer("hidden_size"))
      .num_heads(fields.integer(first_name ? "n_heads" : "n_head"))
      .num_layers(fields.integer("n_layer"))
      .max_positions(fields.integer("n_positions"));
  if (config.hidden_size() % config.num_heads() != 0) {
    fields.fail(c10::str("\"hidden_size\" is ", config.hidden_size(), ", which ", config.num_heads(),
                         " heads do not divide."),
                "Every head gets as many features.");
  }
  take_windows(fields, config);
  if (fields.has("hidden_dropout_prob")) {
    config.dropout(fields.number("hidden_dropout_prob"));
  }
  if (fields.has_value("initializer_range")) {
    config.first_deviation(fields.number("initializer_range"));
  }
  take_form(fields, config);
  fields.finish();
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
  if (config.first_deviation()) {
    json["initializer_range"] = *config.first_deviation();
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

LeapForCausalLM read_leap_model(const std::filesystem::path& folder) {
  const std::filesystem::path config_file = folder / "config.json";
  const std::vector<std::byte> text = data::read_file(config_file);
  const LeapConfig config =
      leap_config_from({reinterpret_cast<const char*>(text.data()), text.size()}, config_file.string());
  const std::filesystem::path parameters = parameters_in(folder);
  const NamedTensors state = read_tensor_file(parameters).tensors;
  check_parameters(config, state, parameters.string());
  LeapForCausalLM model{nullptr};
  try {
    model = LeapForCausalLM(config);
  } catch (const UsageError& error) { // an option out of its range is the file's fault
    throw DataError(config_file.string() + ": " + error.what());
  }
  load_leap_state(model, state, parameters.string());
  model->eval();
  return model;
}

void write_leap_model(const std::filesystem::path& folder, const LeapForCausalLM& model) {
  make_output_folder(folder);
  write_tensor_file(folder / kParameterFiles.front(),
                    {.tensors = causal_lm_state(*model), .texts = {{"format", "pt"}}});
  write_file_atomically(folder / "config.json", to_json(model->config));
}

} // namespace mneme::nn
