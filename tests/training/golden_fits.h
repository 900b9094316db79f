// SPDX-License-Identifier: MIT

/// Results of PyTorch for the models of binary_models.h: tests/golden/attention/fits.json.
#pragma once

#include <fstream>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "mneme/data/sparse_and.h"
#include "mneme/training/binary_models.h"

namespace mneme::testing {

inline nlohmann::json golden_fits() {
  std::ifstream file(std::string(MNEME_SOURCE_DIR) + "/tests/golden/attention/fits.json");
  return nlohmann::json::parse(file);
}

inline data::LabelledBits golden_samples(const nlohmann::json& fits) {
  const auto rows = fits.at("bits").get<std::vector<std::string>>();
  data::LabelledBits samples{.inputs =
                                 BitPatterns(static_cast<int64_t>(rows.size()), fits.at("context_length")),
                             .labels = fits.at("labels").get<std::vector<uint8_t>>()};
  for (size_t row = 0; row < rows.size(); ++row) {
    for (size_t bit = 0; bit < rows[row].size(); ++bit) {
      samples.inputs.set(static_cast<int64_t>(row), static_cast<int64_t>(bit), rows[row][bit] == '1');
    }
  }
  return samples;
}

/// The parameters of a state dict, in the order of binary_models.h.
inline std::vector<double> golden_parameters(const training::BinaryModel& model,
                                             const nlohmann::json& named) {
  std::vector<double> parameters;
  const auto append = [&](const char* name) {
    const auto values = named.at(name).get<std::vector<double>>();
    parameters.insert(parameters.end(), values.begin(), values.end());
  };
  if (model.kind == training::BinaryModel::Kind::self_attention) {
    for (const char* name :
         {"positioner", "tokenizer.weight", "Wq.weight", "Wk.weight", "Wv.weight", "linear.weight"}) {
      append(name);
    }
    return parameters;
  }
  const auto weight = named.at("layers.0.weight").get<std::vector<double>>(); // [hidden, inputs]
  const auto hidden = static_cast<size_t>(model.mlp.hidden_size), width = weight.size() / hidden;
  for (size_t input = 0; input < width; ++input) {
    for (size_t unit = 0; unit < hidden; ++unit) {
      parameters.push_back(weight[unit * width + input]);
    }
  }
  for (const char* name : {"layers.0.bias", "layers.3.weight", "layers.3.bias"}) {
    append(name);
  }
  return parameters;
}

} // namespace mneme::testing
