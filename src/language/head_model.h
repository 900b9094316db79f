// SPDX-License-Identifier: MIT

/// Base class of the models of this module: logits = words . head_input + bias.
#pragma once

#include <string>
#include <utility>

#include "language/refuse.h"
#include "mneme/language/model.h"
#include "mneme/nn/causal_lm.h"

namespace mneme::language {

class HeadModel : public Model {
public:
  LossSum loss(const at::Tensor& ids, const at::Tensor& targets) override;
  at::Tensor logits(const at::Tensor& ids) override;
  at::Tensor step(const at::Tensor& ids, ModelState& state) override;
  void advance(const at::Tensor& ids, ModelState& state) override;
  Weights weights() const override;
  void use_int8_weights() override;
  void order_weights_for_steps() override;

protected:
  virtual at::Tensor head_input(const at::Tensor& ids) = 0; ///< [B, T, width]
  /// The input of the output layer for each of the next tokens, [B, T, width], without gradients; advances
  /// the state.
  virtual at::Tensor step_input(const at::Tensor& ids, ModelState& state) = 0;
  virtual at::Tensor words() const = 0; ///< [vocab_size, width], or an int8 matrix [vocab_size, width + 4]
  virtual at::Tensor bias() const { return {}; } ///< [vocab_size]; undefined: none
  virtual at::Tensor word_embedding() const { return words(); }
};

/// A HeadModel that is a module of nn. `Holder`: the holder of that module, such as nn::LeapForCausalLM.
template <class Holder> class ModuleModel : public HeadModel {
public:
  ModuleModel(Holder model, const char* type) : model_(std::move(model)), type_(type) {}

  std::string type() const override { return type_; }
  torch::nn::Module& module() override { return *model_; }
  int64_t vocab_size() const override { return model_->config.vocab_size(); }
  std::string config_json() const override { return to_json(model_->config); }
  nn::NamedTensors published_state() override { return nn::causal_lm_state(*model_); }

protected:
  at::Tensor head_input(const at::Tensor& ids) override { return model_->head_input(ids); }

  Holder model_;

private:
  const char* type_;
};

/// The options of `config` that all configurations of nn have besides dropout.
template <class Config> Config config_of(const ModelConfig& config) {
  return Config()
      .vocab_size(config.vocab_size)
      .hidden_size(config.width)
      .num_heads(config.heads)
      .num_layers(config.layers)
      .max_positions(config.max_length)
      .seed(config.seed);
}

/// Errors  UsageError for the state of a model of another type
template <class State> State& own_state(ModelState& state, const char* type) {
  auto* own = dynamic_cast<State*>(&state);
  if (own == nullptr) {
    refuse(std::string("the state is not that of a model of the type \"") + type + "\".",
           "Start it with the model that continues it.");
  }
  return *own;
}

/// Checks the format of a state file. Errors  DataError that begins with `source`
void check_format(const nn::TensorFile& file, const char* format, const std::string& source);
/// A tensor of a state file. Errors  DataError that begins with `source`
at::Tensor tensor_in(const nn::TensorFile& file, const char* name, const std::string& source);
/// The number of tokens in a state file. Errors  DataError that begins with `source`
int64_t position_in(const nn::TensorFile& file, const std::string& source);

} // namespace mneme::language
