// SPDX-License-Identifier: MIT

/// The kinds of models, one source file each.
#pragma once

#include "mneme/language/model.h"

namespace mneme::language {

std::unique_ptr<Model> make_leap(const ModelConfig& config);
std::unique_ptr<Model> make_gpt2(const ModelConfig& config);
std::unique_ptr<Model> make_lstm(const ModelConfig& config);
std::unique_ptr<Model> make_fastformer(const ModelConfig& config);
std::unique_ptr<Model> make_matrix_leap(const ModelConfig& config);

/// As read_model. Errors  DataError
std::unique_ptr<Model> read_leap(const std::filesystem::path& folder, std::vector<std::string>* notes,
                                 nn::Mapping mapping);
std::unique_ptr<Model> read_gpt2(const std::filesystem::path& folder, std::vector<std::string>* notes,
                                 nn::Mapping mapping);
std::unique_ptr<Model> read_lstm(const std::filesystem::path& folder, std::vector<std::string>* notes,
                                 nn::Mapping mapping);
std::unique_ptr<Model> read_fastformer(const std::filesystem::path& folder, std::vector<std::string>* notes,
                                       nn::Mapping mapping);
std::unique_ptr<Model> read_matrix_leap(const std::filesystem::path& folder, std::vector<std::string>* notes,
                                        nn::Mapping mapping);

} // namespace mneme::language
