// SPDX-License-Identifier: MIT

/// A layer of a network with Gaussian error linear units: what its units say, and how steeply, for the way back.
///
/// Source  Hendrycks & Gimpel 2016, "Gaussian Error Linear Units", the exact form
#pragma once

#include <cstdint>

namespace mneme::kernels {

/// sum = bias + inputs . weights; value = sum P(sum), slope = P(sum) + sum p(sum), where P is the normal
/// distribution function and p its density.
///
/// Shapes  inputs [num_samples, num_inputs], weights [num_inputs, num_units], bias [num_units]
///         -> values, slopes [num_samples, num_units]; row-major, any size >= 0, no alignment needed, no overlap
/// Errors  of a value or slope, for the same sum: at most 1e-14 of the greater of 1 and |value|; NaN gives NaN
struct GeluLayerArgs {
  const double* inputs;
  const double* weights;
  const double* bias;
  double* values;
  double* slopes;
  int64_t num_samples, num_inputs, num_units;
};

/// Single-threaded. The results of a sample do not depend on the other samples of the call.
void gelu_layer(const GeluLayerArgs& args);

/// The CPU target that `gelu_layer` runs on now.
const char* gelu_layer_target();

namespace reference {
void gelu_layer(const GeluLayerArgs& args); ///< by the error function of the standard library
}

} // namespace mneme::kernels
