// SPDX-License-Identifier: MIT

/// Models of the example tasks of hflayers, for binary classification of bags.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include <torch/nn/module.h>

#include "mneme/training/bag_task.h"

namespace mneme::training {

/// Sizes of the bags that a model is made for.
struct BagModelSizes {
  std::vector<int64_t> instance_shape = {};
  int64_t bag_size = 0;            ///< instances per bag; 0: bags of several sizes
  at::Tensor stored_patterns = {}; ///< the distinct instances [count, features], for lookup models only
};

class BagModel : public torch::nn::Module {
public:
  /// Bags [B, L, instance...] -> logits [B] of the positive class
  virtual at::Tensor forward(const at::Tensor& bags) = 0;

  /// Attention weights of the instances, [B, L]: the mean over heads and, with one state pattern per
  /// instance, over state patterns. Undefined for models that do not attend to instances.
  virtual at::Tensor attention(const at::Tensor& bags);

  /// Sets the generator of all dropout layers.
  void set_generator(const at::Generator& generator);

protected:
  at::Generator generator_;
};

bool is_lookup_model(const std::string& model);

/// Makes a model, initialised as by LibTorch's modules after torch::manual_seed(seed); the state of the
/// default generator is restored afterwards. Thread-safe: concurrent calls are serialised.
///
/// Errors  UsageError for an unknown model, for instances of a shape that the model cannot read, for bags of
///         several sizes with a model that needs one size, or for a separation that the model does not
///         support
std::shared_ptr<BagModel> make_bag_model(const BagModelSizes& sizes, const BagModelChoice& model,
                                         uint64_t seed);

} // namespace mneme::training
