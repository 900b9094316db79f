// SPDX-License-Identifier: MIT

/// The way back through window_scan, from right to left in chunks: no row is kept but those that went in and came out.
#pragma once

#include <cstdint>

#include "kernels/window_scan/window_scan.h"

namespace mneme::kernels {

/// As WindowScanTiles: parts of one call, side by side. window_scan_gradient_tiles() writes tiles, window_scan_gradient() of
/// any part reads those of the parts after it, window_scan_reach() tokens of them.
template <class T> struct WindowScanGradientTiles {
  T* tiles; ///< head h, tile i of the sequence, less the first: [h * stride + i * window_scan_gradient_tile_size()];
      ///< nullptr: no other part
  int64_t stride;
  int64_t begin; ///< of the first part
  int64_t end;   ///< of the last part; all rows up to there lie in a row
};

/// Gradients of the rows of the tokens [begin, end). With g = d_readout, per head:
///   d_gate_t = (1 - gate_t) g_t . readout_t            (of the gate's logit)
///   alpha_t = scale d_gate_t / D_t    beta_t = gate_t / D_t    gamma_t = -(gate_logit_t d_gate_t + g_t . readout_t) / D_t
///   d_query_t = alpha_t sum of weight key over S(t)
/// and with sums over the tokens that read token t, those from t to t + window - 1,
///   P = sum of alpha query,  R = sum of beta g,  z = sum of gamma,  d_logit_t = FocusWeight'(logit_t) (key_t . P + value_t . R + z)
///   d_focus_t = scale d_logit_t key_t   d_key_t = weight_t P + scale d_logit_t focus_t   d_value_t = weight_t R
///
/// A whole sequence takes one call or several, from right to left: the first with end = length, each other one with end =
/// the begin of the last; begin is a multiple of kWindowScanTile. Any such cut gives the same bits.
///
/// Shapes  query, focus, key, value [length, num_heads, head_size], readout and d_readout likewise: the whole sequence.
///         d_query, d_focus, d_key, d_value likewise, but their first row is that of token `begin`.
/// Cost    O(length head_size) for any window
template <class T> struct WindowScanGradientArgs {
  const T* query;
  const T* focus;
  const T* key;
  const T* value;
  int64_t row_stride;
  const int64_t* windows;
  T scale;
  FocusWeight focus_weight;
  const T* readout;
  int64_t readout_stride;
  const T* d_readout;
  int64_t d_readout_stride;
  /// All of it, of the run or runs over the whole sequence; its logits tell what was padding.
  WindowScanTrace<const T> trace;
  T* d_query;
  T* d_focus;
  T* d_key;
  T* d_value;
  int64_t d_row_stride;
  T* memory; ///< from call to call; window_scan_gradient_memory_size() items per head, whatever they hold at first
  int64_t begin, end, length, num_heads, head_size;
  /// Not nullptr: [begin, end) is one part of several; windows that cover the whole sequence are then given as 0, and each
  /// part has a copy of the memory at the end of the last. That of the first becomes the memory after all of them.
  WindowScanGradientTiles<T> parts;
};

/// Single-threaded; heads do not depend on each other, nor parts, and any cut into parts gives the same bits.
void window_scan_gradient(const WindowScanGradientArgs<float>& args);
void window_scan_gradient(const WindowScanGradientArgs<double>& args);

/// Writes all tiles of [begin, end); memory and gradients are not looked at.
void window_scan_gradient_tiles(const WindowScanGradientArgs<float>& args);
void window_scan_gradient_tiles(const WindowScanGradientArgs<double>& args);

/// Items that one head needs from call to call. No more for a longer sequence.
int64_t window_scan_gradient_memory_size(int64_t window, int64_t head_size);

/// Items of one tile in WindowScanGradientTiles::tiles.
int64_t window_scan_gradient_tile_size(int64_t head_size);

namespace reference {
/// Everything in double, from rows and d_readout alone, pair by pair.
void window_scan_gradient(const WindowScanGradientArgs<float>& args);
void window_scan_gradient(const WindowScanGradientArgs<double>& args);
} // namespace reference

} // namespace mneme::kernels
