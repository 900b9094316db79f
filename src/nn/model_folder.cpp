// SPDX-License-Identifier: MIT

#include "nn/model_folder.h"

#include <algorithm>
#include <array>
#include <system_error>

#include <ATen/Functions.h>

#include "mneme/core/atomic_file.h"
#include "mneme/core/error.h"
#include "mneme/core/file_exists.h"
#include "mneme/core/text.h"
#include "mneme/data/read_file.h"
#include "nn/checks.h"

namespace mneme::nn {
namespace {

constexpr std::array kParameterFiles = {kParameterFile, "model.safetensors.index.json", "pytorch_model.bin",
                                        "pytorch_model.bin.index.json", "model.pt"};

/// Called before memory is allocated for the sizes in a configuration. Errors  DataError if the file has
/// less than half of the numbers of the model, or a parameter is not finite. With more of them, memory for
/// the model is allocated, and loading names the parameters that are missing.
void check_parameters(double num_parameters, const NamedTensors& state, const std::string& source) {
  // Expanded tensors can be huge in a small file: elements of strides 0 are counted separately.
  double numbers = 0, repeated = 0;
  for (const auto& [name, tensor] : state) {
    at::Tensor stored = tensor;
    for (int64_t d = 0; d < tensor.dim(); ++d) {
      stored = tensor.stride(d) == 0 ? stored.narrow(d, 0, std::min<int64_t>(1, stored.size(d))) : stored;
    }
    numbers += static_cast<double>(stored.numel());
    repeated += static_cast<double>(tensor.numel()) - static_cast<double>(stored.numel());
    if (stored.is_floating_point() && !all_finite(stored)) {
      throw DataError(
          source + ": \"" + name +
          "\" has numbers that are not finite.\n  Use a checkpoint from before training diverged.");
    }
  }
  constexpr double kRepeatedMax = 1 << 27; // 512 MiB
  numbers += std::min(repeated, kRepeatedMax);
  if (2 * numbers < num_parameters) {
    throw DataError(c10::str(source, ": contains ", static_cast<int64_t>(numbers),
                             " numbers, but config.json describes a model of ", num_parameters,
                             " parameters.\n  Do both belong to the same model?"));
  }
}

std::filesystem::path parameters_in(const std::filesystem::path& folder) {
  std::string names;
  for (const char* name : kParameterFiles) {
    if (file_exists(folder / name)) {
      return folder / name;
    }
    names += c10::str(names.empty() ? "" : ", ", name);
  }
  std::string shard;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
    const std::string name = entry.path().filename().string();
    const bool is_shard =
        name.find("-of-") != std::string::npos && (name.ends_with(".safetensors") || name.ends_with(".bin"));
    shard = is_shard && (shard.empty() || name < shard) ? name : shard;
  }
  if (!shard.empty()) {
    throw DataError(
        folder.string() + ": the parameters are in shards, such as " + printable(shard) +
        ", but their index is missing.\n  Copy " +
        (shard.ends_with(".bin") ? "pytorch_model.bin.index.json" : "model.safetensors.index.json") +
        " of the model into the folder.");
  }
  throw DataError(folder.string() + ": no parameters found (looked for " + names +
                  ").\n  Give the folder of a model, with a config.json as well.");
}

} // namespace

ModelFolder open_model_folder(const std::filesystem::path& model) {
  std::error_code error;
  const bool is_file = std::filesystem::is_regular_file(model, error),
             is_parameter_file = is_file && model.filename() != kConfigFile;
  const std::filesystem::path folder = is_file ? model.parent_path() : model,
                              config_file = folder / kConfigFile;
  if (!file_exists(model)) {
    throw DataError(model.string() +
                    ": there is no such folder or file.\n  Check the spelling; relative paths "
                    "start at the current folder.");
  }
  if (!file_exists(config_file)) {
    throw DataError(
        model.string() + ": there is no config.json " + (is_file ? "next to this file" : "in this folder") +
        ".\n  A model consists of parameters and a config.json; mneme/nn/leap_folder.h lists the fields.");
  }
  const std::vector<std::byte> text = data::read_file(config_file);
  return {.config_file = config_file,
          .parameter_file = is_parameter_file ? model : parameters_in(folder),
          .config = {reinterpret_cast<const char*>(text.data()), text.size()}};
}

NamedTensors read_parameters(const ModelFolder& folder, double num_parameters, const std::string& key,
                             std::vector<std::string>* notes, Mapping mapping) {
  TensorFile file = read_tensor_file(folder.parameter_file, key, mapping);
  add_notes(notes, folder.parameter_file.string(), file.notes);
  check_parameters(num_parameters, file.tensors, folder.parameter_file.string());
  return std::move(file.tensors);
}

void add_notes(std::vector<std::string>* notes, const std::string& source,
               const std::vector<std::string>& more) {
  for (const std::string& note : more) {
    if (notes != nullptr) {
      notes->push_back(source + ": " + note);
    }
  }
}

void write_model_folder(const std::filesystem::path& folder, const std::string& config,
                        const NamedTensors& state) {
  make_output_folder(folder);
  write_tensor_file(folder / kParameterFile, {.tensors = state, .texts = {{"format", "pt"}}});
  write_file_atomically(folder / kConfigFile, config);
}

} // namespace mneme::nn
