// SPDX-License-Identifier: MIT

#include "mneme/nn/binary_mlp.h"

#include <cmath>
#include <iterator>

#include <torch/nn/modules/activation.h>
#include <torch/nn/modules/dropout.h>
#include <torch/nn/modules/linear.h>

#include "nn/apply_linear.h"
#include "nn/checks.h"

namespace mneme::nn {
namespace {

constexpr const char* kLayer = "BinaryMLP";
constexpr double kInitialStd = 0.02; // of initial weights of hidden layers, as published

} // namespace

BinaryMLPImpl::BinaryMLPImpl(BinaryMLPOptions options_) : options(std::move(options_)) {
  check_sizes(kLayer, {{"input_size", options.input_size()},
                       {"output_size", options.output_size()},
                       {"the number of hidden layers", std::ssize(options.hidden_sizes())}});
  for (const int64_t size : options.hidden_sizes()) {
    check_size(kLayer, "the size of a hidden layer", size);
  }
  check_partial_dropout(kLayer, options.dropout());
  reset();
}

void BinaryMLPImpl::reset() {
  layers = register_module("layers", torch::nn::ModuleList());
  at::Generator generator = make_generator(options.seed());
  int64_t width = options.input_size();
  for (const int64_t hidden : options.hidden_sizes()) {
    torch::nn::Linear linear(width, hidden);
    fill_normal(linear->weight, kInitialStd, generator);
    fill_uniform(linear->bias, 0, generator);
    layers->push_back(linear);
    layers->push_back(torch::nn::GELU());
    layers->push_back(torch::nn::Dropout(options.dropout()));
    width = hidden;
  }
  torch::nn::Linear last(width, options.output_size());
  for (torch::Tensor* parameter : {&last->weight, &last->bias}) {
    fill_uniform(*parameter, 1 / std::sqrt(static_cast<double>(width)), generator);
  }
  layers->push_back(last);
  layers->push_back(torch::nn::Sigmoid());
}

torch::Tensor BinaryMLPImpl::forward(torch::Tensor input) {
  check_shape(kLayer, "the input", input, {"B", options.input_size()}, "Each row has input_size numbers.");
  check_parameter_type(kLayer, "the input", input, parameters().front());
  for (const auto& layer : *layers) {
    if (auto* linear = layer->as<torch::nn::LinearImpl>()) {
      input = apply_linear(*linear, input);
    } else if (auto* gelu = layer->as<torch::nn::GELUImpl>()) {
      input = gelu->forward(input);
    } else if (auto* dropout = layer->as<torch::nn::DropoutImpl>()) {
      input = dropout->forward(input);
    } else {
      input = torch::sigmoid(input);
    }
  }
  return input;
}

} // namespace mneme::nn
