// SPDX-License-Identifier: MIT

#include "mneme/nn/leap_folder.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <set>
#include <system_error>

#include <ATen/Functions.h>
#include <nlohmann/json.hpp>

#include "json/strict_json.h"
#include "mneme/core/atomic_file.h"
#include "mneme/core/error.h"
#include "mneme/core/nearest_word.h"
#include "mneme/data/read_file.h"

namespace mneme::nn {
namespace {

using nlohmann::ordered_json;

constexpr const char* kClass = "LeapForCausalLM";
constexpr const char* kConfig = "config.json";
constexpr double kNormEpsilon = 1e-5; // default of LibTorch's LayerNorm
constexpr double kRotaryBase = 10000; // of MultiheadLeap
// Larger sizes fit no machine, and products of two sizes up to this still fit int64.
constexpr int64_t kMaxSize = int64_t{1} << 40;
constexpr std::array kParameterFiles = {"model.safetensors", "model.safetensors.index.json",
                                        "pytorch_model.bin", "pytorch_model.bin.index.json", "model.pt"};
/// Fields of transformers that do not change the results of a model: metadata, tokens, call and generation
/// options.
constexpr std::array kWithoutEffect = {"_attn_implementation",
                                       "_attn_implementation_autoset",
                                       "_commit_hash",
                                       "_name_or_path",
                                       "architectures",
                                       "attn_implementation",
                                       "auto_map",
                                       "bad_words_ids",
                                       "begin_suppress_tokens",
                                       "bos_token_id",
                                       "chunk_size_feed_forward",
                                       "custom_pipelines",
                                       "decoder_start_token_id",
                                       "diversity_penalty",
                                       "do_sample",
                                       "dtype",
                                       "early_stopping",
                                       "encoder_no_repeat_ngram_size",
                                       "eos_token_id",
                                       "exponential_decay_length_penalty",
                                       "finetuning_task",
                                       "forced_bos_token_id",
                                       "forced_eos_token_id",
                                       "gradient_checkpointing",
                                       "id2label",
                                       "is_decoder",
                                       "label2id",
                                       "length_penalty",
                                       "max_length",
                                       "min_length",
                                       "no_repeat_ngram_size",
                                       "num_beam_groups",
                                       "num_beams",
                                       "num_return_sequences",
                                       "output_attentions",
                                       "output_hidden_states",
                                       "output_scores",
                                       "pad_token_id",
                                       "prefix",
                                       "problem_type",
                                       "remove_invalid_values",
                                       "repetition_penalty",
                                       "return_dict",
                                       "return_dict_in_generate",
                                       "sep_token_id",
                                       "suppress_tokens",
                                       "task_specific_params",
                                       "temperature",
                                       "tf_legacy_loss",
                                       "tokenizer_class",
                                       "top_k",
                                       "top_p",
                                       "torch_dtype",
                                       "torchscript",
                                       "transformers_version",
                                       "typical_p",
                                       "use_bfloat16",
                                       "use_cache"};

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

/// The text of a JSON value, truncated and safe to print.
std::string shown(const ordered_json& json) {
  constexpr size_t kShown = 60;
  const std::string text = json.dump(-1, ' ', true, ordered_json::error_handler_t::replace);
  return text.size() <= kShown ? text : text.substr(0, kShown) + "...";
}

/// Typed access to the fields of a configuration. Fields that were never queried are unknown fields.
class Fields {
public:
  Fields(const ordered_json& json, const std::string& source) : json_(json), source_(source) {}

  bool has(const char* key) {
    queried_.insert(key);
    return json_.contains(key);
  }
  bool has_value(const char* key) { return has(key) && !json_.at(key).is_null(); }

  /// A required integer between `min` and kMaxSize.
  int64_t integer(const char* key, int64_t min = 1) {
    if (!has(key)) {
      fail(c10::str("\"", key, "\" is missing."), "The parameters cannot be interpreted without it.");
    }
    return integer(json_.at(key), c10::str("\"", key, "\""), min);
  }
  std::vector<int64_t> integers(const char* key, int64_t min) {
    if (!json_.at(key).is_array()) {
      expected(c10::str("\"", key, "\""), json_.at(key), "a list of whole numbers");
    }
    std::vector<int64_t> all;
    for (const ordered_json& item : json_.at(key)) {
      all.push_back(integer(item, c10::str("\"", key, "\"[", all.size(), "]"), min));
    }
    return all;
  }
  double number(const char* key) {
    if (!json_.at(key).is_number()) {
      expected(c10::str("\"", key, "\""), json_.at(key), "a number");
    }
    return json_.at(key).get<double>();
  }
  bool boolean(const char* key) {
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

  /// A field with only one valid value in LEAP; it may also be absent or null.
  void fixed(const char* key, const ordered_json& only) {
    if (has_value(key) && json_.at(key) != only) {
      fail(c10::str("\"", key, "\" is ", shown(json_.at(key)), ", but LEAP supports only ", shown(only), "."),
           "Models with another value are not supported; remove the field if it has no effect.");
    }
  }

  /// The names of unknown fields. Errors  DataError for an unknown field whose name is similar to a known one
  std::vector<std::string> finish() const {
    const std::vector<std::string> known(queried_.begin(), queried_.end());
    std::vector<std::string> unknown;
    for (const auto& [key, value] : json_.items()) {
      if (queried_.contains(key) || std::ranges::find(kWithoutEffect, key) != kWithoutEffect.end()) {
        continue;
      }
      if (const std::string close = nearest_word(key, known); !close.empty()) {
        fail(c10::str("there is no such field as ", shown(key), "; a similar field is \"", close, "\"."),
             "Correct its name, or remove it if it has no effect.");
      }
      unknown.push_back(shown(key));
    }
    return unknown;
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
  int64_t integer(const ordered_json& value, const std::string& name, int64_t min) const {
    const bool fits = value.is_number_integer() &&
                      !(value.is_number_unsigned() && value.get<uint64_t>() > uint64_t{kMaxSize});
    if (!fits || value.get<int64_t>() < min || value.get<int64_t>() > kMaxSize) {
      expected(name, value, c10::str("a whole number from ", min, " to ", kMaxSize));
    }
    return value.get<int64_t>();
  }

  const ordered_json& json_;
  const std::string& source_;
  std::set<std::string> queried_;
};

/// Options of LEAP's variants: weights, gate, positions, padding.
void read_variant(Fields& fields, LeapConfig& config) {
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
void read_windows(Fields& fields, LeapConfig& config) {
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
void check_fixed(Fields& fields, const LeapConfig& config) {
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

/// Called before memory is allocated for the sizes in a configuration. Errors  DataError if the file has
/// fewer numbers than the model has parameters, or a parameter is not finite
void check_parameters(const LeapConfig& config, const NamedTensors& state, const std::string& source) {
  // Expanded tensors can be huge in a small file: elements of strides 0 are counted separately.
  double numbers = 0, repeated = 0;
  for (const auto& [name, tensor] : state) {
    at::Tensor stored = tensor;
    for (int64_t d = 0; d < tensor.dim(); ++d) {
      stored = tensor.stride(d) == 0 ? stored.narrow(d, 0, std::min<int64_t>(1, stored.size(d))) : stored;
    }
    numbers += static_cast<double>(stored.numel());
    repeated += static_cast<double>(tensor.numel()) - static_cast<double>(stored.numel());
    if (stored.is_floating_point() && !stored.isfinite().all().item<bool>()) {
      throw DataError(
          source + ": \"" + name +
          "\" has numbers that are not finite.\n  Use a checkpoint from before training diverged.");
    }
  }
  constexpr double kRepeatedMax = 1 << 27; // 512 MiB
  numbers += std::min(repeated, kRepeatedMax);
  if (numbers < num_parameters(config)) {
    throw DataError(c10::str(source, ": contains ", static_cast<int64_t>(numbers),
                             " numbers, but config.json describes a model of ", num_parameters(config),
                             " parameters.\n  Do both belong to the same model?"));
  }
}

std::filesystem::path parameters_in(const std::filesystem::path& folder) {
  std::error_code error;
  std::string names;
  for (const char* name : kParameterFiles) {
    if (std::filesystem::exists(folder / name, error)) {
      return folder / name;
    }
    names += c10::str(names.empty() ? "" : ", ", name);
  }
  throw DataError(folder.string() + ": no parameters found (looked for " + names +
                  ").\n  Give the folder of a model, with a config.json as well.");
}

void add_notes(std::vector<std::string>* notes, const std::string& source,
               const std::vector<std::string>& more) {
  for (const std::string& note : more) {
    if (notes != nullptr) {
      notes->push_back(source + ": " + note);
    }
  }
}

} // namespace

LeapConfig leap_config_from(std::string_view text, const std::string& source,
                            std::vector<std::string>* notes) {
  const auto json = parse_strict_json<ordered_json>(
      text, source, {.advice = "Is it the configuration of a LEAP language model?"});
  Fields fields(json, source);
  if (fields.has("model_type") && json.at("model_type") != kClass) {
    fields.expected("\"model_type\"", json.at("model_type"), c10::str("\"", kClass, "\""));
  }
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
  for (const std::string& unknown : fields.finish()) {
    add_notes(notes, source, {"the field " + unknown + " is not known and was ignored"});
  }
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

LeapForCausalLM read_leap_model(const std::filesystem::path& model_path, const std::string& key,
                                std::vector<std::string>* notes) {
  std::error_code error;
  const bool is_file = std::filesystem::is_regular_file(model_path, error),
             is_parameter_file = is_file && model_path.filename() != kConfig;
  const std::filesystem::path folder = is_file ? model_path.parent_path() : model_path,
                              config_file = folder / kConfig;
  if (!std::filesystem::exists(model_path, error)) {
    throw DataError(model_path.string() +
                    ": there is no such folder or file.\n  Check the spelling; relative paths "
                    "start at the current folder.");
  }
  if (!std::filesystem::exists(config_file, error)) {
    throw DataError(
        model_path.string() + ": there is no config.json " +
        (is_file ? "next to this file" : "in this folder") +
        ".\n  A model consists of parameters and a config.json; mneme/nn/leap_folder.h lists the fields.");
  }
  const std::vector<std::byte> text = data::read_file(config_file);
  const LeapConfig config = leap_config_from({reinterpret_cast<const char*>(text.data()), text.size()},
                                             config_file.string(), notes);
  const std::filesystem::path parameters = is_parameter_file ? model_path : parameters_in(folder);
  const TensorFile file = read_tensor_file(parameters, key);
  add_notes(notes, parameters.string(), file.notes);
  check_parameters(config, file.tensors, parameters.string());
  LeapForCausalLM model{nullptr};
  try {
    model = LeapForCausalLM(config);
  } catch (const UsageError& invalid) { // an option out of its range is an error in the file
    throw DataError(config_file.string() + ": " + invalid.what());
  }
  add_notes(notes, parameters.string(), load_leap_state(model, file.tensors, parameters.string()));
  model->eval();
  return model;
}

void write_leap_model(const std::filesystem::path& folder, const LeapForCausalLM& model) {
  make_output_folder(folder);
  write_tensor_file(folder / kParameterFiles.front(),
                    {.tensors = causal_lm_state(*model), .texts = {{"format", "pt"}}});
  write_file_atomically(folder / kConfig, to_json(model->config));
}

} // namespace mneme::nn
