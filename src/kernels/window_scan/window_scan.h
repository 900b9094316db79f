// SPDX-License-Identifier: MIT

/// LEAP's causal attention in linear time: a token reads the focused mean of the tokens in its window through a gate.
///
/// Source  Huang 2022, "LEAP: Linear Explainable Attention in Parallel" (github.com/mtanghu/LEAP)
#pragma once

#include <cstdint>

#include "mneme/core/focus_weight.h"

namespace mneme::kernels {

/// Tokens that are worked on together. Tiles start at multiples of it, counted from the start of the sequence.
constexpr int64_t kWindowScanTile = 16;

/// Added to the sum of focus weights, which keeps a window of tiny weights finite; the value of the published code.
constexpr double kWindowScanEpsilon = 1e-5;

/// The focus logit of a token that is none: in either form its weight is 0, and so is its gradient.
constexpr double kWindowScanPadding = -1e30;

/// What a run tells about itself, for explanation and for the way back. Each may be nullptr; token t of head h stands at
/// [h * stride + t], t counted from the start of the sequence.
template <class T> struct WindowScanTrace {
  T* logits;       ///< focus logits; of padding kWindowScanPadding
  T* gate_logits;  ///< the gate is their sigmoid
  T* denominators; ///< (sum of focus weights in the window + epsilon) * exp(-reference)
  T* references; ///< 0, but for exponential weights with logits so large that weights are kept relative to exp(reference)
  int64_t stride;
  /// Sum of weight * key over the whole tiles in the window of every tile, then its reference:
  /// [h * carry_stride + tile * window_scan_carry_size()].
  T* carries;
  int64_t carry_stride;
};

/// Parts of a sequence that run side by side. Sums over whole tiles are all that a part needs to know of those before it, as
/// far as its windows reach: window_scan_tiles() writes them, then window_scan() of any part reads those of the others.
template <class T> struct WindowScanTiles {
  T* tiles; ///< head h, tile i of the first part: [h * stride + i * window_scan_tile_size()]; nullptr: no other part
  int64_t stride;
  int64_t
      begin; ///< position of the first part, a multiple of kWindowScanTile; all rows from there on lie in a row
};

/// Per head, with S(t) = the last `window` tokens up to t, itself included:
///   logit_t = scale focus_t . key_t                    weight_t = FocusWeight(logit_t)
///   D_t = epsilon + sum of weight over S(t)            mean(x)_t = sum of weight x over S(t) / D_t
///   gate_t = sigmoid(scale query_t . mean(key)_t)      readout_t = gate_t mean(value)_t
///
/// Shapes  query, focus, key, value: [length, num_heads, head_size], tokens `row_stride` items apart; readout likewise,
///         tokens `readout_stride` apart. windows [num_heads]. Any length, num_heads, head_size >= 0, no alignment needed.
/// Units   window in tokens, 0 = the whole past; without a state a window as long as the sequence is the same.
/// Errors  float: 1e-6 of the norm of a token's readout for logits of a few units, 1e-5 for logits of 45, at any
///         length. NaN and infinity reach all tokens that read them.
/// Cost    O(length (head_size)) for any window
template <class T> struct WindowScanArgs {
  const T* query;
  const T* focus;
  const T* key;
  const T* value;
  int64_t row_stride;
  const int64_t* windows;
  T scale;
  FocusWeight focus_weight;
  T* readout;
  int64_t readout_stride;
  /// What later tokens need to know of earlier ones: window_scan_state_size() items for each head, one head after the
  /// other. A run at position 0 starts it, whatever it holds; the next run has the position where the last one ended.
  /// nullptr: the run is a whole sequence.
  T* state;
  int64_t position; ///< of the first token in its sequence
  WindowScanTrace<T> trace;
  int64_t length, num_heads, head_size;
  /// Not nullptr: the run is one part of several; begin and end of each but the last are multiples of kWindowScanTile.
  /// Without a state windows that cover the whole sequence are then given as 0. With one, each part has a copy of that at
  /// `begin`; that of the last part becomes the state after all of them.
  WindowScanTiles<T> parts;
  /// [length]: 0 where a token is padding, whose weight is 0; nullptr: nowhere.
  const bool* is_token = nullptr;
};

/// Single-threaded; heads do not depend on each other, nor parts. With a state, any cut of a sequence into runs gives the
/// same bits, and so does any cut of a run into parts. A state goes on only on the CPU target that it was made on.
void window_scan(const WindowScanArgs<float>& args);
void window_scan(const WindowScanArgs<double>& args);

/// Writes all tiles of a run: no more than half the work of window_scan(). State, readout and trace are not looked at.
void window_scan_tiles(const WindowScanArgs<float>& args);
void window_scan_tiles(const WindowScanArgs<double>& args);

/// Items of the state of one head, whatever the position.
int64_t window_scan_state_size(int64_t window, int64_t head_size);

/// Items of one tile in WindowScanTrace::carries.
int64_t window_scan_carry_size(int64_t head_size);

/// Tokens before a part whose tiles it reads, at most: a multiple of kWindowScanTile; `all` of them without a window.
int64_t window_scan_reach(int64_t window, int64_t all);

/// Items of one tile in WindowScanTiles::tiles.
int64_t window_scan_tile_size(int64_t head_size);

namespace reference {
void window_scan(const WindowScanArgs<float>& args); ///< summed in double, window by window
void window_scan(const WindowScanArgs<double>& args);
} // namespace reference

} // namespace mneme::kernels
