// SPDX-License-Identifier: MIT

/// The models of the examples of hflayers, each with one number per bag: the logit of a yes.
#pragma once

#include <memory>
#include <string>

#include <torch/nn/module.h>

#include "mneme/training/bag_task.h"

namespace mneme::training {

class BagModel : public torch::nn::Module {
public:
  /// [B, L, instance...] -> [B]
  virtual at::Tensor forward(const at::Tensor& bags) = 0;

  /// Dropout of the whole model draws from it from now on.
  void draw_from(const at::Generator& generator);

protected:
  at::Generator generator_;
};

/// First weights are those that LibTorch's modules draw after torch::manual_seed(seed); its default generator is then
/// as it was before. Calls from several threads take turns.
///
/// Errors  UsageError that lists the models of the task, or for a separation that the model does not have
std::shared_ptr<BagModel> make_bag_model(const BagTask& task, const BagModelChoice& model, uint64_t seed);

} // namespace mneme::training
