// SPDX-License-Identifier: MIT

/// Activation functions of the feed-forward layers of transformers.
#pragma once

namespace mneme::nn {

/// As in Hugging Face's transformers, where some have several names.
enum class TransformerActivation {
  gelu,     ///< x Phi(x), exact, with erf
  gelu_new, ///< 0.5 x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3)))
  relu,     ///< max(x, 0)
  silu,     ///< x sigmoid(x)
  tanh,
  quick_gelu, ///< x sigmoid(1.702 x)
  mish,       ///< x tanh(log(1 + exp(x)))
  leaky_relu, ///< max(x, 0.01 x)
  relu6,      ///< min(max(x, 0), 6)
  sigmoid,
  linear, ///< x
};

} // namespace mneme::nn
