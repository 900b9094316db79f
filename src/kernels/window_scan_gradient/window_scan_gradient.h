// SPDX-License-Identifier: MIT

/// Backward pass of window_scan, from right to left. Needs only inputs, outputs and the trace; window sums
/// are recomputed. Derivation: docs/theory/window_scan.md, sections 6 and 7.
#pragma once

#include <cstdint>

#include "kernels/window_scan/window_scan.h"

namespace mneme::kernels {

/// Buffer through which the chunks of one call exchange tile sums, as WindowScanChunks.
/// window_scan_gradient_tile_sums() writes tiles, window_scan_gradient() of any chunk reads those of the
/// window_scan_reach() tokens after it.
template <class T> struct WindowScanGradientChunks {
  /// Head h, tile i counted from the tile at `begin`: [h * stride + i * window_scan_gradient_tile_size()];
  /// nullptr: there is one chunk only.
  T* tiles;
  int64_t stride;
  int64_t begin; ///< of the first chunk
  int64_t end;   ///< of the last chunk; the rows of all chunks are contiguous up to there
};

/// Gradients of the rows of the tokens [begin, end). With g = d_readout, per head:
///   d_gate_logit_t = (1 - gate_t) g_t . readout_t
///   query_coef_t = scale d_gate_logit_t / D_t          grad_coef_t = gate_t / D_t
///   d_denominator_t = -(gate_logit_t d_gate_logit_t + g_t . readout_t) / D_t
///   d_query_t = query_coef_t sum of weight key over S(t)
/// and with sums over the query positions that attend to token t, those from t to t + window - 1,
///   P = sum of query_coef query,  R = sum of grad_coef g,  z = sum of d_denominator,
///   d_logit_t = FocusWeight'(logit_t) (key_t . P + value_t . R + z)
///   d_focus_t = scale d_logit_t key_t
///   d_key_t = weight_t P + scale d_logit_t focus_t
///   d_value_t = weight_t R
///
/// A whole sequence takes one call or several, from right to left: the first with end = length, each other
/// one with end = the begin of the call before; begin is a multiple of kWindowScanTile. Any such split gives
/// the same bits.
///
/// Shapes  query, focus, key, value [length, num_heads, head_size], readout and d_readout likewise: the whole
///         sequence. d_query, d_focus, d_key, d_value likewise, but their first row is that of token `begin`.
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
  /// Complete trace of the call or calls of window_scan over the whole sequence; masked tokens are recognised
  /// by their logits.
  WindowScanTrace<const T> trace;
  T* d_query;
  T* d_focus;
  T* d_key;
  T* d_value;
  int64_t d_row_stride;
  /// State carried from call to call: window_scan_gradient_state_size() items per head, with any initial
  /// content.
  T* state;
  int64_t begin, end, length, num_heads, head_size;
  /// chunks.tiles is not nullptr: [begin, end) is one chunk of several. Windows that cover the whole sequence
  /// must then be given as 0, and each chunk gets its own copy of the state at chunks.end; the copy of the
  /// first chunk becomes the state after all of them.
  WindowScanGradientChunks<T> chunks;
  bool joins_sequences = false; ///< as in the forward pass
};

/// Single-threaded; heads and chunks are independent, and any split into chunks gives the same bits.
void window_scan_gradient(const WindowScanGradientArgs<float>& args);
void window_scan_gradient(const WindowScanGradientArgs<double>& args);

/// First pass of a scan in several chunks: writes all tiles of [begin, end). Does not access state and
/// gradients.
void window_scan_gradient_tile_sums(const WindowScanGradientArgs<float>& args);
void window_scan_gradient_tile_sums(const WindowScanGradientArgs<double>& args);

/// Items of the state of one head. Does not grow with the length of the sequence.
int64_t window_scan_gradient_state_size(int64_t window, int64_t head_size);

/// Items of one tile in WindowScanGradientChunks::tiles.
int64_t window_scan_gradient_tile_size(int64_t head_size);

namespace reference {
/// Everything in double, from rows and d_readout alone, one pair of tokens at a time.
void window_scan_gradient(const WindowScanGradientArgs<float>& args);
void window_scan_gradient(const WindowScanGradientArgs<double>& args);
} // namespace reference

} // namespace mneme::kernels
