// SPDX-License-Identifier: MIT

/// Small models of every kind, for tests.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include <torch/torch.h>

#include "mneme/language/model.h"

namespace mneme::language::testing {

inline std::vector<ModelConfig> small_configs(int64_t vocab_size = 40) {
  std::vector<ModelConfig> all;
  for (const char* type : {"leap", "matrix-leap", "gpt2", "lstm", "fastformer"}) {
    all.push_back(
        {.type = type, .vocab_size = vocab_size, .width = 16, .heads = 2, .layers = 2, .max_length = 48});
  }
  for (size_t i = 0; i < 2; ++i) { // LEAP without learned positions
    all.push_back(all[i]);
    all.back().positions = "decay";
  }
  return all;
}

/// A model whose parameters are far from their small initial values, in evaluation mode.
inline std::unique_ptr<Model> random_model(const ModelConfig& config) {
  std::unique_ptr<Model> model = make_model(config);
  const at::NoGradGuard no_gradient;
  at::Generator generator = at::make_generator<at::CPUGeneratorImpl>(config.seed);
  for (at::Tensor& parameter : model->module().parameters()) {
    parameter.add_(at::randn(parameter.sizes(), generator, parameter.options()) * 0.3);
  }
  model->module().eval();
  return model;
}

inline at::Tensor random_ids(int64_t batch, int64_t tokens, int64_t vocab_size, uint64_t seed = 1) {
  at::Generator generator = at::make_generator<at::CPUGeneratorImpl>(seed);
  return at::randint(0, vocab_size, {batch, tokens}, generator, at::TensorOptions(at::kLong));
}

} // namespace mneme::language::testing
