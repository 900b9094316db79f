// SPDX-License-Identifier: MIT

/// Focus weights of LEAP, shared by kernels and layers.
#pragma once

namespace mneme {

/// Maps the focus logit of a token to its weight.
enum class FocusWeight {
  elu, ///< ELU + 1: exp(logit) for logit <= 0, else logit + 1; the published code
  /// exp(logit), relative to a running maximum: a mean is a softmax over the window; the published
  /// mathematics.
  exponential,
};

} // namespace mneme
