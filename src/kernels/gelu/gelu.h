// SPDX-License-Identifier: MIT

/// GELU of the rows of a matrix, and its derivatives for the backward pass.
///
/// Source  Hendrycks & Gimpel 2016, "Gaussian Error Linear Units"
#pragma once

#include <cstdint>

namespace mneme::kernels {

/// Exact: output = x Phi(x), derivative = Phi(x) + x phi(x), where Phi is the standard normal distribution
/// function and phi its density. tanh_form: output = 0.5 x (1 + tanh(u)), u = sqrt(2 / pi) (x + 0.044715
/// x^3).
///
/// Shapes  x, outputs and derivatives [rows, columns], any size >= 0; the rows of all three are row_stride
///         elements apart. outputs and derivatives may be x itself; T = float or double
/// Errors  of an output or derivative at a given x: at most 1e-14 (float: 5e-7) times max(1, |output|). NaN
///         propagates
template <class T> struct GeluArgs {
  const T* x;
  T* outputs;
  T* derivatives; ///< nullptr: not needed
  int64_t rows, columns, row_stride;
  bool tanh_form = false;
};

/// Single-threaded. The results of an element depend on this element alone.
void gelu(const GeluArgs<float>& args);
void gelu(const GeluArgs<double>& args);

namespace reference { // uses std::erfc and std::exp, in double
void gelu(const GeluArgs<float>& args);
void gelu(const GeluArgs<double>& args);
} // namespace reference

} // namespace mneme::kernels
