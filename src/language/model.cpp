// SPDX-License-Identifier: MIT

#include "mneme/language/model.h"

#include <array>
#include <system_error>

#include <c10/util/StringUtil.h>

#include "json/strict_json.h"
#include "language/head_model.h"
#include "language/models.h"
#include "mneme/core/atomic_file.h"
#include "mneme/core/error.h"
#include "mneme/core/text.h"
#include "mneme/data/read_file.h"

namespace mneme::language {
namespace {

struct Kind {
  const char* type;
  const char* model_type; ///< in config.json
  bool has_heads, has_positions;
  std::unique_ptr<Model> (*make)(const ModelConfig&);
  std::unique_ptr<Model> (*read)(const std::filesystem::path&, std::vector<std::string>*);
};

constexpr std::array kKinds = {
    Kind{"leap", "LeapForCausalLM", true, true, make_leap, read_leap},
    Kind{"lstm", "LstmForCausalLM", false, false, make_lstm, read_lstm},
    Kind{"fastformer", "FastformerForCausalLM", true, true, make_fastformer, read_fastformer},
};

std::string list_of(const char* Kind::*name) {
  std::string list;
  for (const Kind& kind : kKinds) {
    list += c10::str(list.empty() ? "" : ", ", "\"", kind.*name, "\"");
  }
  return list;
}

} // namespace

std::unique_ptr<Model> make_model(const ModelConfig& config) {
  for (const Kind& kind : kKinds) {
    if (config.type == kind.type) {
      if (config.positions != "learned" && config.type != "leap") {
        refuse(
            c10::str("the positions \"", config.positions, "\" are not an option of \"", config.type, "\"."),
            "Only \"leap\" has them.");
      }
      std::unique_ptr<Model> model = kind.make(config);
      model->module().train();
      return model;
    }
  }
  refuse(c10::str("there is no model of the type \"", config.type, "\"."),
         "Choose one of " + list_of(&Kind::type) + ".");
}

std::unique_ptr<Model> read_model(const std::filesystem::path& folder, std::vector<std::string>* notes) {
  const std::filesystem::path file = folder / "config.json";
  std::error_code error;
  if (!std::filesystem::is_directory(folder, error)) {
    throw DataError(folder.string() +
                    ": there is no such folder.\n  Give the folder of a model, with config.json and "
                    "model.safetensors.");
  }
  if (!std::filesystem::exists(file, error)) {
    throw DataError(folder.string() + ": there is no config.json in this folder.\n  A model consists of "
                                      "config.json and parameters, such as model.safetensors.");
  }
  const std::vector<std::byte> text = data::read_file(file);
  const auto json =
      parse_strict_json<nlohmann::json>({reinterpret_cast<const char*>(text.data()), text.size()},
                                        file.string(), {.advice = "Is it the configuration of a model?"});
  std::vector<std::string> names; // of the kind, as the file states it
  if (json.contains("model_type") && json.at("model_type").is_string()) {
    names.push_back(json.at("model_type").get<std::string>());
  }
  if (json.contains("architectures") && json.at("architectures").is_array()) {
    for (const nlohmann::json& name : json.at("architectures")) {
      if (name.is_string()) {
        names.push_back(name.get<std::string>());
      }
    }
  }
  for (const std::string& name : names) {
    for (const Kind& kind : kKinds) {
      if (name == kind.model_type) {
        return kind.read(folder, notes);
      }
    }
  }
  throw DataError(c10::str(file.string(), ": its \"model_type\" is ",
                           names.empty() ? "missing" : "\"" + printable(names.front()) + "\"",
                           ", expected one of ", list_of(&Kind::model_type),
                           ".\n  Models of other kinds are not supported."));
}

void write_model(const std::filesystem::path& folder, Model& model) {
  make_output_folder(folder);
  nn::write_tensor_file(folder / "model.safetensors",
                        {.tensors = model.published_state(), .texts = {{"format", "pt"}}});
  write_file_atomically(folder / "config.json", model.config_json());
}

} // namespace mneme::language
