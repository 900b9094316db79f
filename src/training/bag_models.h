// SPDX-License-Identifier: MIT

/// Models of the example tasks of hflayers, for binary classification of bags.
#pragma once

#include <memory>
#include <string>

#include <torch/nn/module.h>

#include "mneme/training/bag_task.h"

namespace mneme::training {

class BagModel : public torch::nn::Module {
public:
  /// Bags [B, L, instance...] -> logits [B] of the positive class
  virtual at::Tensor forward(const at::Tensor& bags) = 0;

  /// Sets the generator of all dropout layers.
  void set_generator(const at::Generator& generator);

protected:
  at::Generator generator_;
};

/// Makes a model, initialised as by LibTorch's modules after torch::manual_seed(seed); the state of the
/// default generator is restored afterwards. Thread-safe: concurrent calls are serialised.
///
/// Errors  UsageError for an unknown model, with a list of the models of the task, or for a separation that
///         the model does not support
std::shared_ptr<BagModel> make_bag_model(const BagTask& task, const BagModelChoice& model, uint64_t seed);

} // namespace mneme::training
