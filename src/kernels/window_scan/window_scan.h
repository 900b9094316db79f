// SPDX-License-Identifier: MIT

/// LEAP's causal attention in linear time: each query position attends to the weighted mean of the tokens in
/// its window, scaled by a gate. Derivation: docs/theory/window_scan.md.
///
/// Levels of cutting a sequence: sequence -> chunk (what one thread takes; chunks of a sequence run in
/// parallel) -> tile (kWindowScanTile tokens, what one kernel step takes) -> row (the vector of one token and
/// head).
///
/// Source  Huang 2022, "LEAP: Linear Explainable Attention in Parallel" (github.com/mtanghu/LEAP)
#pragma once

#include <cstdint>

#include "mneme/core/focus_weight.h"

namespace mneme::kernels {

/// Tokens of a tile. Tiles start at multiples of it, counted from the start of the sequence.
constexpr int64_t kWindowScanTile = 16;

/// Added to the sum of focus weights, so that a window of tiny weights stays finite; the value of the
/// published code.
constexpr double kWindowScanEpsilon = 1e-5;

/// Focus logit of a masked token: its weight and its gradient are 0 with either FocusWeight.
constexpr double kWindowScanMaskedLogit = -1e30;

/// Intermediates saved by the forward pass, for explanations and for the backward pass. Each pointer may be
/// nullptr; token t of head h is at [h * stride + t], t counted from the start of the sequence.
template <class T> struct WindowScanTrace {
  T* logits;       ///< focus logits; kWindowScanMaskedLogit where masked
  T* gate_logits;  ///< the gate is their sigmoid
  T* denominators; ///< (sum of focus weights in the window + epsilon) * exp(-reference)
  /// 0, except with exponential weights and logits so large that weights are stored relative to
  /// exp(reference).
  T* references;
  int64_t stride;
  /// For every tile, the sum of weight * key over the whole tiles that the windows of all its tokens contain,
  /// then the reference of that sum: [h * carry_stride + tile * window_scan_carry_size()].
  T* carries;
  int64_t carry_stride;
};

/// Buffer through which the chunks of a sequence exchange tile sums, so that they can run in parallel. A
/// chunk needs only the sums of the whole tiles before it that its windows reach: window_scan_tile_sums()
/// writes them, then window_scan() of any chunk reads those of the others.
template <class T> struct WindowScanChunks {
  /// Head h, tile i of the first chunk: [h * stride + i * window_scan_tile_size()]; nullptr: there is one
  /// chunk only.
  T* tiles;
  int64_t stride;
  /// Position of the first chunk, a multiple of kWindowScanTile; the rows of all chunks are contiguous from
  /// there on.
  int64_t begin;
};

/// Per head, with S(t) = the last `window` tokens up to and including t:
///   logit_t = scale focus_t . key_t                    weight_t = FocusWeight(logit_t)
///   D_t = epsilon + sum of weight over S(t)            mean(x)_t = sum of weight x over S(t) / D_t
///   gate_t = sigmoid(scale query_t . mean(key)_t)      readout_t = gate_t mean(value)_t
///
/// Shapes  query, focus, key, value: [length, num_heads, head_size], tokens `row_stride` items apart; readout
///         likewise, tokens `readout_stride` apart. windows [num_heads]. Any length, num_heads, head_size >=
///         0, no alignment needed.
/// Units   window in tokens; 0 = no window, all tokens up to t. Without a state, a window at least as long as
///         the sequence is equivalent to 0.
/// Errors  float: 1e-6 of the norm of a token's readout for logits of a few units, 1e-5 for logits of 45, at
///         any length. NaN and infinity propagate to all query positions that attend to them, and to no
///         others.
/// Cost    O(length head_size) for any window
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
  /// Recurrent state: window_scan_state_size() items for each head, one head after the other. A call at
  /// position 0 initialises it, whatever it holds; each further call must start at the position where the
  /// last one ended. nullptr: the call covers a whole sequence.
  T* state;
  int64_t position; ///< of the first token in its sequence
  WindowScanTrace<T> trace;
  int64_t length, num_heads, head_size;
  /// chunks.tiles is not nullptr: the call is one chunk of several; the begin of each chunk, and the end of
  /// each but the last, are multiples of kWindowScanTile. Without a state, windows that cover the whole
  /// sequence must then be given as 0. With a state, each chunk gets its own copy of the state at
  /// chunks.begin; the copy of the last chunk becomes the state after all of them.
  WindowScanChunks<T> chunks;
  /// [length]: true = ignored, the token has weight 0; nullptr: no token is masked.
  const bool* key_padding_mask = nullptr;
  /// Whether the tokens are sequences of `window` tokens each, one after the other from position 0 on, which
  /// do not attend to each other. All windows must be equal, and from 1 to kWindowScanTile.
  bool joins_sequences = false;
};

/// Single-threaded; heads and chunks are independent. With a state, results have the same bits however a
/// sequence is split into calls, and a call into chunks. A state can be continued only on the CPU target that
/// it was made on.
void window_scan(const WindowScanArgs<float>& args);
void window_scan(const WindowScanArgs<double>& args);

/// First pass of a scan in several chunks: writes the sums of all tiles of a chunk, at no more than half the
/// cost of window_scan(). Does not access state, readout and trace.
void window_scan_tile_sums(const WindowScanArgs<float>& args);
void window_scan_tile_sums(const WindowScanArgs<double>& args);

/// Items of the recurrent state of one head, whatever the position.
int64_t window_scan_state_size(int64_t window, int64_t head_size);

/// Items of one tile in WindowScanTrace::carries.
int64_t window_scan_carry_size(int64_t head_size);

/// Maximum number of tokens before a chunk whose tiles it reads: a multiple of kWindowScanTile; all
/// `positions` of them without a window.
int64_t window_scan_reach(int64_t window, int64_t positions);

/// Items of one tile in WindowScanChunks::tiles.
int64_t window_scan_tile_size(int64_t head_size);

namespace reference {
void window_scan(const WindowScanArgs<float>& args); ///< accumulated in double, window by window
void window_scan(const WindowScanArgs<double>& args);
} // namespace reference

} // namespace mneme::kernels
