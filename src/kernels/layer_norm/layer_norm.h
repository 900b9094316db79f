// SPDX-License-Identifier: MIT

/// Layer norm of the rows of a matrix, and its gradients.
///
/// Formula  normalised = (x - mean) / sqrt(variance + epsilon), output = gain normalised + shift; mean and
///          variance of the row
/// Source   Ba, Kiros & Hinton 2016, "Layer Normalization"
#pragma once

#include <cstdint>

namespace mneme::kernels {

/// Shapes  x and outputs [rows, size], gain and shift [size], means and inverse_stds [rows]; any size >= 0;
///         T = float or double. outputs may be x itself
/// Errors  The mean is corrected by the mean of the deviations from it, so that a constant row is normalised
///         to 0 whatever its number. NaN or infinity in a row propagates to the whole row
template <class T> struct LayerNormArgs {
  const T* x;
  const T* gain;  ///< nullptr: 1
  const T* shift; ///< nullptr: 0
  T* outputs;
  T* means;        ///< nullptr: not needed
  T* inverse_stds; ///< 1 / sqrt(variance + epsilon); nullptr: not needed
  int64_t rows, size;
  double epsilon;
};

/// Single-threaded. An output depends on its row alone.
void layer_norm(const LayerNormArgs<float>& args);
void layer_norm(const LayerNormArgs<double>& args);

/// Gradients, from that of the outputs and the statistics that `layer_norm` wrote.
///
/// Shapes  d_outputs, x and d_x [rows, size], d_gain and d_shift [size]. d_x may be d_outputs itself
template <class T> struct LayerNormGradientArgs {
  const T* d_outputs;
  const T* x;
  const T* gain; ///< nullptr: 1
  const T* means;
  const T* inverse_stds;
  T* d_x;     ///< nullptr: not needed
  T* d_gain;  ///< sums over the rows, in their order, are added to it; nullptr: not needed
  T* d_shift; ///< likewise
  int64_t rows, size;
};

/// Single-threaded.
void layer_norm_gradient(const LayerNormGradientArgs<float>& args);
void layer_norm_gradient(const LayerNormGradientArgs<double>& args);

namespace reference { // in double
void layer_norm(const LayerNormArgs<float>& args);
void layer_norm(const LayerNormArgs<double>& args);
void layer_norm_gradient(const LayerNormGradientArgs<float>& args);
void layer_norm_gradient(const LayerNormGradientArgs<double>& args);
} // namespace reference

} // namespace mneme::kernels
