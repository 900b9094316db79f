// SPDX-License-Identifier: MIT

/// Linear layer with exact GELU: activations, and their derivatives for the backward pass.
///
/// Source  Hendrycks & Gimpel 2016, "Gaussian Error Linear Units", the exact form
#pragma once

#include <cstdint>

namespace mneme::kernels {

/// x = bias + inputs . weights, output = x Phi(x), derivative = Phi(x) + x phi(x), where Phi is the standard
/// normal distribution function and phi its density. With dropout, both are 0 for a unit whose dropout_bits
/// are below drop_threshold, and multiplied by keep_scale for the other units.
///
/// Shapes  inputs [num_samples, num_inputs], weights [num_inputs, num_units], bias [num_units]
///         -> outputs, derivatives [num_samples, num_units]; dropout_bits has the same shape; row-major, any
///         size >= 0, no alignment needed, no overlap; T = float or double
/// Errors  of an output or derivative at a given x: at most 1e-14 (float: 4e-7) times max(1, |output|). NaN
///         propagates
template <class T> struct GeluLayerArgs {
  const T* inputs;
  const T* weights;
  const T* bias;
  T* outputs;
  T* derivatives; ///< d output / d x
  int64_t num_samples, num_inputs, num_units;
  const uint16_t* dropout_bits = nullptr; ///< uniform random numbers; nullptr: no dropout
  uint16_t drop_threshold = 0;            ///< dropout probability times 2^16
  T keep_scale = 1;                       ///< 1 / (1 - dropout probability)
};

/// Single-threaded. The results of a sample do not depend on the other samples of the call.
void gelu_layer(const GeluLayerArgs<float>& args);
void gelu_layer(const GeluLayerArgs<double>& args);

namespace reference { // uses std::erfc, in double
void gelu_layer(const GeluLayerArgs<float>& args);
void gelu_layer(const GeluLayerArgs<double>& args);
} // namespace reference

} // namespace mneme::kernels
