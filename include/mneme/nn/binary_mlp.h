// SPDX-License-Identifier: MIT

/// MLP for binary classification of bit strings.
#pragma once

#include <cstdint>
#include <vector>

#include <torch/arg.h>
#include <torch/nn/cloneable.h>
#include <torch/nn/modules/container/modulelist.h>
#include <torch/nn/pimpl.h>

namespace mneme::nn {

struct BinaryMLPOptions {
  BinaryMLPOptions(int64_t input_size, std::vector<int64_t> hidden_sizes)
      : input_size_(input_size), hidden_sizes_(std::move(hidden_sizes)) {}

  TORCH_ARG(int64_t, input_size);                ///< bits of an input, >= 1
  TORCH_ARG(std::vector<int64_t>, hidden_sizes); ///< units of each hidden layer, >= 1; at least one layer
  TORCH_ARG(int64_t, output_size) = 1;           ///< probabilities per input, >= 1
  TORCH_ARG(double, dropout) = 0.1;              ///< dropout probability after each hidden layer, in [0, 1)
  /// Seed of the initialisation. Hidden layers: weights normal with standard deviation 0.02, biases 0; last
  /// layer: uniform in [-b, b] with b = 1 / sqrt(number of its inputs).
  TORCH_ARG(uint64_t, seed) = 1;
};

/// Formula     hidden layers: x -> dropout(gelu(W x + b)); output layer: sigmoid(W x + b)
/// Shapes      [B, input_size] -> [B, output_size]
/// Types       that of the parameters, float32 unless the module was converted
/// Errors      UsageError if a size is below 1, there is no hidden layer, dropout is outside [0, 1), or the
///             input has the wrong shape, type or device
/// state_dict  layers.0.weight, layers.0.bias, layers.3.weight ...: 9729 parameters for 17 inputs, 512 hidden
///             units
/// Source      Neuromatch tutorial on attention, exercise 3
class BinaryMLPImpl : public torch::nn::Cloneable<BinaryMLPImpl> {
public:
  explicit BinaryMLPImpl(BinaryMLPOptions options_);

  void reset() override;
  torch::Tensor forward(torch::Tensor input);

  BinaryMLPOptions options;
  torch::nn::ModuleList layers{nullptr};
};
TORCH_MODULE(BinaryMLP);

} // namespace mneme::nn
