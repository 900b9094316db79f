// SPDX-License-Identifier: MIT

#include "mneme/language/model.h"

#include <algorithm>
#include <array>
#include <system_error>

#include <c10/util/StringUtil.h>

#include "json/strict_json.h"
#include "language/models.h"
#include "language/refuse.h"
#include "mneme/core/atomic_file.h"
#include "mneme/core/error.h"
#include "mneme/core/file_exists.h"
#include "mneme/core/text.h"
#include "mneme/data/read_file.h"
#include "mneme/nn/leap_folder.h"

namespace mneme::language {
namespace {

struct Kind {
  const char* type;
  std::array<const char*, 3> names; ///< "model_type" or one of "architectures" in config.json; nullptr: none
  std::unique_ptr<Model> (*make)(const ModelConfig&);
  std::unique_ptr<Model> (*read)(const std::filesystem::path&, std::vector<std::string>*, nn::Mapping);
};

constexpr std::array kKinds = {
    Kind{"leap", {"LeapForCausalLM"}, make_leap, read_leap},
    Kind{"gpt2", {"gpt2", "GPT2LMHeadModel", "GPT2Model"}, make_gpt2, read_gpt2},
    Kind{"matrix-leap", {"MatrixLeapForCausalLM"}, make_matrix_leap, read_matrix_leap},
    Kind{"lstm", {"LstmForCausalLM"}, make_lstm, read_lstm},
    Kind{"fastformer", {"FastformerForCausalLM"}, make_fastformer, read_fastformer},
};

std::string list_of(const auto& name_of_kind) {
  std::string list;
  for (const Kind& kind : kKinds) {
    list += c10::str(list.empty() ? "" : ", ", "\"", name_of_kind(kind), "\"");
  }
  return list;
}

std::string types() {
  return list_of([](const Kind& kind) { return kind.type; });
}

/// The kind of model that a configuration names. Errors  DataError that begins with `source`
const Kind& kind_of(const nlohmann::json& config, const std::string& source) {
  std::vector<std::string> names; // as in the file
  if (config.contains("model_type") && config.at("model_type").is_string()) {
    names.push_back(config.at("model_type").get<std::string>());
  }
  if (config.contains("architectures") && config.at("architectures").is_array()) {
    for (const nlohmann::json& name : config.at("architectures")) {
      if (name.is_string()) {
        names.push_back(name.get<std::string>());
      }
    }
  }
  for (const std::string& name : names) {
    for (const Kind& kind : kKinds) {
      if (std::ranges::any_of(kind.names,
                              [&](const char* known) { return known != nullptr && name == known; })) {
        return kind;
      }
    }
  }
  throw DataError(c10::str(source, ": its \"model_type\" is ",
                           names.empty() ? "missing" : "\"" + printable(names.front()) + "\"",
                           ", expected one of ", list_of([](const Kind& kind) { return kind.names[0]; }),
                           ".\n  Models of other kinds are not supported."));
}

} // namespace

std::unique_ptr<Model> make_model(const ModelConfig& config) {
  for (const Kind& kind : kKinds) {
    if (config.type == kind.type) {
      if (config.positions != "learned" && config.type != "leap" && config.type != "matrix-leap") {
        refuse(
            c10::str("the positions \"", config.positions, "\" are not an option of \"", config.type, "\"."),
            "Only \"leap\" and \"matrix-leap\" have them.");
      }
      std::unique_ptr<Model> model = kind.make(config);
      model->module().train();
      return model;
    }
  }
  refuse(c10::str("there is no model of the type \"", config.type, "\"."), "Choose one of " + types() + ".");
}

std::unique_ptr<Model> read_model(const std::filesystem::path& folder, std::vector<std::string>* notes,
                                  Weights weights, nn::Mapping mapping) {
  const std::filesystem::path file = folder / "config.json";
  std::error_code error;
  if (!std::filesystem::is_directory(folder, error)) {
    throw DataError(folder.string() +
                    (file_exists(folder) ? ": is not a folder" : ": there is no such folder") +
                    ".\n  Give the folder of a model, with config.json and model.safetensors.");
  }
  nn::require_config(folder);
  const std::vector<std::byte> text = data::read_file(file);
  const auto json =
      parse_strict_json<nlohmann::json>({reinterpret_cast<const char*>(text.data()), text.size()},
                                        file.string(), {.advice = "Is it the configuration of a model?"});
  std::unique_ptr<Model> model = kind_of(json, file.string()).read(folder, notes, mapping);
  if (weights == Weights::int8) {
    model->use_int8_weights();
  }
  return model;
}

void write_model(const std::filesystem::path& folder, Model& model) {
  if (model.weights() == Weights::int8) {
    refuse("the model has int8 weights, which model folders do not have.", "Write it with float32 weights.");
  }
  make_output_folder(folder);
  nn::write_tensor_file(folder / "model.safetensors",
                        {.tensors = model.published_state(), .texts = {{"format", "pt"}}});
  write_file_atomically(folder / "config.json", model.config_json());
}

} // namespace mneme::language
