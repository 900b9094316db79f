// SPDX-License-Identifier: MIT

/// Base class of the models of this module: logits = words . head_input + bias.
#pragma once

#include "language/refuse.h"
#include "mneme/language/model.h"

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
