// SPDX-License-Identifier: MIT

/// A layer of a network with Gaussian error linear units: what its units say, and how steeply, for the way back.
///
/// Source  Hendrycks & Gimpel 2016, "Gaussian Error Linear Units", the exact form
#pragma once

#include <cstdint>

namespace mneme::kernels {

/// sum = bias + inputs . weights; value = sum P(sum), slope = P(sum) + sum p(sum), where P is the normal
/// distribution function and p its density. With dropout both are 0 where the unit's chance is below `silenced_below`,
/// and times `louder` elsewhere.
///
/// Shapes  inputs [num_samples, num_inputs], weights [num_inputs, num_units], bias [num_units]
///         -> values, slopes [num_samples, num_units], as `chances`; row-major, any size >= 0, no alignment needed, no
///         overlap; T = float or double
/// Errors  of a value or slope, for the same sum: at most 1e-14 (float: 4e-7) of the greater of 1 and |value|; NaN
///         gives NaN
template <class T> struct GeluLayerArgs {
  const T* inputs;
  const T* weights;
  const T* bias;
  T* values;
  T* slopes;
  int64_t num_samples, num_inputs, num_units;
  const uint16_t* chances = nullptr; ///< null: no dropout
  uint16_t silenced_below = 0;
  T louder = 1;
};

/// Single-threaded. The results of a sample do not depend on the other samples of the call.
void gelu_layer(const GeluLayerArgs<float>& args);
void gelu_layer(const GeluLayerArgs<double>& args);

namespace reference { // by the error function of the standard library, in double
void gelu_layer(const GeluLayerArgs<float>& args);
void gelu_layer(const GeluLayerArgs<double>& args);
} // namespace reference

} // namespace mneme::kernels
