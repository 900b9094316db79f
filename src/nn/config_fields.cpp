// SPDX-License-Identifier: MIT

#include "nn/config_fields.h"

#include <algorithm>

#include "json/strict_json.h"
#include "json/transformer_type.h"
#include "mneme/core/error.h"
#include "mneme/core/nearest_word.h"
#include "nn/model_folder.h"

namespace mneme::nn {
namespace {

using nlohmann::ordered_json;

/// Fields that `mneme train lm` adds: the settings and the plan of the run.
constexpr std::array kOfTrainingRuns = {"plan", "task", "training", "verb", "version"};

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

/// The text of a JSON value, truncated and safe to print.
std::string shown(const ordered_json& json) {
  constexpr size_t kShown = 60;
  std::string text = json.dump(-1, ' ', true, ordered_json::error_handler_t::replace);
  if (text.size() > kShown) {
    text.resize(kShown);
    text += "...";
  }
  return text;
}

std::string advice(const std::string& model) {
  return "Is it the configuration of a " + model + " language model?";
}

} // namespace

ConfigFields::ConfigFields(std::string_view text, std::string source, const char* model)
    : source_(std::move(source)), model_(model),
      json_(parse_strict_json<ordered_json>(text, source_, {.advice = advice(model_)})) {}

bool ConfigFields::has(const char* key) {
  queried_.insert(key);
  return json_.contains(key);
}

int64_t ConfigFields::integer(const char* key, int64_t min) {
  if (!has(key)) {
    fail(c10::str("\"", key, "\" is missing."), "The parameters cannot be interpreted without it.");
  }
  return integer(json_.at(key), c10::str("\"", key, "\""), min);
}

std::vector<int64_t> ConfigFields::integers(const char* key, int64_t min) {
  if (!json_.at(key).is_array()) {
    expected(c10::str("\"", key, "\""), json_.at(key), "a list of whole numbers");
  }
  std::vector<int64_t> all;
  for (const ordered_json& item : json_.at(key)) {
    all.push_back(integer(item, c10::str("\"", key, "\"[", all.size(), "]"), min));
  }
  return all;
}

double ConfigFields::number(const char* key) const {
  if (!json_.at(key).is_number()) {
    expected(c10::str("\"", key, "\""), json_.at(key), "a number");
  }
  return json_.at(key).get<double>();
}

bool ConfigFields::boolean(const char* key) const {
  if (!json_.at(key).is_boolean()) {
    expected(c10::str("\"", key, "\""), json_.at(key), "true or false");
  }
  return json_.at(key).get<bool>();
}

std::string ConfigFields::transformer_type() const {
  return mneme::transformer_type(json_);
}

void ConfigFields::check_model_type(const char* name) {
  if (has("model_type") && json_.at("model_type") != name) {
    expected("\"model_type\"", json_.at("model_type"), c10::str("\"", name, "\""));
  }
}

void ConfigFields::fixed(const char* key, const ordered_json& only) {
  if (has_value(key) && json_.at(key) != only) {
    fail(c10::str("\"", key, "\" is ", shown(json_.at(key)), ", but ", model_, " supports only ", shown(only),
                  "."),
         "Models with another value are not supported; remove the field if it has no effect.");
  }
}

void ConfigFields::finish(std::vector<std::string>* notes) const {
  const std::vector<std::string> known(queried_.begin(), queried_.end());
  for (const auto& [key, value] : json_.items()) {
    if (queried_.contains(key) || std::ranges::find(kWithoutEffect, key) != kWithoutEffect.end() ||
        std::ranges::find(kOfTrainingRuns, key) != kOfTrainingRuns.end()) {
      continue;
    }
    if (const std::string close = nearest_word(key, known); !close.empty()) {
      fail(c10::str("there is no such field as ", shown(key), "; a similar field is \"", close, "\"."),
           "Correct its name, or remove it if it has no effect.");
    }
    add_notes(notes, source_, {"the field " + shown(key) + " is not known and was ignored"});
  }
}

void ConfigFields::fail(const std::string& problem, const std::string& advice_text) const {
  throw DataError(source_ + ": " + problem + "\n  " + advice_text);
}

void ConfigFields::expected(const std::string& name, const ordered_json& found,
                            const std::string& what) const {
  fail(c10::str(name, " is ", shown(found), ", expected ", what, "."), advice(model_));
}

int64_t ConfigFields::integer(const ordered_json& value, const std::string& name, int64_t min) const {
  const bool fits = value.is_number_integer() &&
                    !(value.is_number_unsigned() && value.get<uint64_t>() > uint64_t{kMaxSize});
  if (!fits || value.get<int64_t>() < min || value.get<int64_t>() > kMaxSize) {
    expected(name, value, c10::str("a whole number from ", min, " to ", kMaxSize));
  }
  return value.get<int64_t>();
}

} // namespace mneme::nn
