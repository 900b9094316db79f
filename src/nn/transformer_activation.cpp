// SPDX-License-Identifier: MIT

#include "nn/transformer_activation.h"

#include <ATen/Functions.h>

namespace mneme::nn {

at::Tensor activated(TransformerActivation activation, const at::Tensor& x) {
  switch (activation) {
  case TransformerActivation::gelu:
    break;
  case TransformerActivation::gelu_new:
    return at::gelu(x, "tanh");
  case TransformerActivation::relu:
    return at::relu(x);
  case TransformerActivation::silu:
    return at::silu(x);
  case TransformerActivation::tanh:
    return at::tanh(x);
  case TransformerActivation::quick_gelu:
    return x * at::sigmoid(1.702 * x);
  case TransformerActivation::mish:
    return at::mish(x);
  case TransformerActivation::leaky_relu:
    return at::leaky_relu(x);
  case TransformerActivation::relu6:
    return at::relu6(x);
  case TransformerActivation::sigmoid:
    return at::sigmoid(x);
  case TransformerActivation::linear:
    return x;
  }
  return at::gelu(x);
}

} // namespace mneme::nn
