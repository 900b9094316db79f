// SPDX-License-Identifier: MIT

/// Reads LEAP with a matrix state, Fastformer and the LSTM from folders with config.json and
/// model.safetensors, as leap_folder.h does for LEAP; language::write_model writes them.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "mneme/nn/fastformer_lm.h"
#include "mneme/nn/lstm_lm.h"
#include "mneme/nn/matrix_leap_lm.h"

namespace mneme::nn {

/// The text of a config.json with all options except the seed. The fields of MatrixLeap are those of LEAP,
/// and features ("elu", "relu"); those of Fastformer are those of LEAP,
/// but n_heads and a rescale that is a number; those of the LSTM are vocab_size, hidden_size, n_layer and
/// hidden_dropout_prob.
std::string to_json(const MatrixLeapConfig& config);
std::string to_json(const FastformerConfig& config);
std::string to_json(const LstmConfig& config);

/// Read a folder (or file), as read_leap_model. Errors  DataError
MatrixLeapForCausalLM read_matrix_leap_model(const std::filesystem::path& model, const std::string& key = "",
                                             std::vector<std::string>* notes = nullptr,
                                             Mapping mapping = Mapping::aligned);
FastformerForCausalLM read_fastformer_model(const std::filesystem::path& model, const std::string& key = "",
                                            std::vector<std::string>* notes = nullptr,
                                            Mapping mapping = Mapping::aligned);
LstmForCausalLM read_lstm_model(const std::filesystem::path& model, const std::string& key = "",
                                std::vector<std::string>* notes = nullptr,
                                Mapping mapping = Mapping::aligned);

} // namespace mneme::nn
