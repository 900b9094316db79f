// SPDX-License-Identifier: MIT

/// Model folders: config.json with a file of parameters next to it.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "mneme/core/error.h"
#include "mneme/nn/tensor_file.h"
#include "nn/checks.h"

namespace mneme::nn {

constexpr const char* kConfigFile = "config.json";
constexpr const char* kParameterFile = "model.safetensors"; ///< the one that is written

struct ModelFolder {
  std::filesystem::path config_file, parameter_file;
  std::string config; ///< text of config_file
};

/// Finds both files of a model. `model` is a folder with model.safetensors, or else
/// model.safetensors.index.json and its shards, pytorch_model.bin, its index, or model.pt; or one such file
/// next to config.json. Errors  DataError
ModelFolder open_model_folder(const std::filesystem::path& model);

/// Reads the parameters. `num_parameters`: number of parameters of the model that the configuration
/// describes; it is a double, because products of sizes may overflow integers. `key`, `mapping`: see
/// read_tensor_file.
///
/// Errors  DataError, also if the file has fewer numbers than the model has parameters (so that a damaged
///         configuration does not allocate memory), or a parameter is not finite
NamedTensors read_parameters(const ModelFolder& folder, double num_parameters, const std::string& key,
                             std::vector<std::string>* notes, Mapping mapping);

/// Adds "SOURCE: NOTE" for each note, unless `notes` is null.
void add_notes(std::vector<std::string>* notes, const std::string& source,
               const std::vector<std::string>& more);

/// Writes config.json and model.safetensors, each atomically; creates the folder. Errors  OutputError
void write_model_folder(const std::filesystem::path& folder, const std::string& config,
                        const NamedTensors& state);

/// Constructs a model from the configuration of a folder, without random initial weights: the caller loads
/// all parameters. Errors  DataError for an option out of its range
template <class Holder, class Config> Holder model_of(const ModelFolder& folder, const Config& config) {
  try {
    const SkipInitialisation skip;
    return Holder(config);
  } catch (const UsageError& invalid) { // an option out of its range is an error in the file
    throw DataError(folder.config_file.string() + ": " + invalid.what());
  }
}

} // namespace mneme::nn
