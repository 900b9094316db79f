// SPDX-License-Identifier: MIT

/// Focus weights of LEAP: one list for kernels and layers.
#pragma once

namespace mneme {

/// From the focus logit of a token to its weight.
enum class FocusWeight {
  elu,         ///< ELU + 1: exp(logit) up to 0, logit + 1 above; the published code
  exponential, ///< exp(logit), by a running maximum: a mean is a softmax over the window; the published mathematics
};

} // namespace mneme
