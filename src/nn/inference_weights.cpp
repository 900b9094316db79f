// SPDX-License-Identifier: MIT

#include "mneme/nn/inference_weights.h"

#include <torch/nn/modules/linear.h>

#include "mneme/nn/gpt2.h"
#include "mneme/ops/int8_matrix.h"

namespace mneme::nn {
namespace {

/// Replaces the numbers of a parameter, also for other owners of the tensor. `weight`: those numbers as
/// [outputs, features].
void replace(at::Tensor& parameter, const at::Tensor& weight) {
  if (!ops::is_int8_matrix(parameter)) {
    parameter.set_data(ops::to_int8_matrix(weight));
  }
}

void order_by_feature(at::Tensor parameter) {
  if (parameter.is_cpu() && !ops::is_int8_matrix(parameter)) {
    parameter.set_data(parameter.detach().t().contiguous().t());
  }
}

} // namespace

void use_int8_weights(torch::nn::Module& model, at::Tensor words) {
  for (at::Tensor& parameter : model.parameters()) {
    parameter.set_requires_grad(false); // integers cannot have one
  }
  for (const std::shared_ptr<torch::nn::Module>& layer : model.modules(/*include_self=*/false)) {
    if (auto* linear = layer->as<torch::nn::Linear>()) {
      replace(linear->weight, linear->weight);
    } else if (auto* transposed = layer->as<Gpt2Linear>()) {
      replace(transposed->weight, transposed->matrix());
    }
  }
  replace(words, words);
}

void order_weights_by_feature(torch::nn::Module& model, at::Tensor words) {
  for (const std::shared_ptr<torch::nn::Module>& layer : model.modules(/*include_self=*/false)) {
    if (const auto* linear = layer->as<torch::nn::Linear>()) {
      order_by_feature(linear->weight);
    }
  }
  order_by_feature(words);
}

} // namespace mneme::nn
