// SPDX-License-Identifier: MIT

/// The Gaussian error linear unit and its slope, for the hidden layer of a network and the way back through it.
///
/// Source  Hendrycks & Gimpel 2016, "Gaussian Error Linear Units", the exact form
#pragma once

#include <cstdint>

namespace mneme::kernels {

/// value = x P(x), slope = P(x) + x p(x), where P is the normal distribution function and p its density.
///
/// Shapes  inputs, values, slopes [count], any count >= 0, no alignment needed; they may not overlap
/// Errors  of value and slope at most 1e-14 of the greater of 1 and |value|; NaN gives NaN
struct GeluArgs {
  const double* inputs;
  double* values;
  double* slopes;
  int64_t count;
};

/// Single-threaded. A result depends on its input alone.
void gelu(const GeluArgs& args);

/// The CPU target that `gelu` runs on now.
const char* gelu_target();

namespace reference {
void gelu(const GeluArgs& args); ///< by the error function of the standard library
}

} // namespace mneme::kernels
