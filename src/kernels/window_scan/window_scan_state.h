// SPDX-License-Identifier: MIT

/// Where things lie in the state of one head.
#pragma once

#include <bit>
#include <cstdint>

#include "kernels/window_scan/window_scan.h"

namespace mneme::kernels {

constexpr int64_t whole_tiles(int64_t items) {
  return (items + kWindowScanTile - 1) / kWindowScanTile * kWindowScanTile;
}

/// A sum of weighted rows: sums of two kinds of rows (keys and values; on the way back queries and gradients), then
/// the sum of weights and the reference: true sums are those kept times exp(reference). Rows fill whole vectors.
struct SumLayout {
  int64_t second; ///< where sums of the second kind begin
  int64_t weight;
  int64_t reference;
  int64_t size;

  explicit SumLayout(int64_t head_size)
      : second(whole_tiles(head_size)), weight(2 * second), reference(weight + 1),
        size(weight + kWindowScanTile) {}
};

/// Sums of 1, 2, 4, ... neighbouring tiles, of as many as a window reaches back: any run of tiles in the window is made up
/// of a few of them, so that nothing is ever subtracted and no token costs more than another.
struct TileSums {
  static constexpr int kMaxLevels = 40;
  int levels = 0;            ///< level l holds sums of 2^l tiles, from a multiple of 2^l on
  int64_t first[kMaxLevels]; ///< sum number i of a level stands at first + (i & mask)
  int64_t mask[kMaxLevels];
  int64_t count = 0; ///< sums in all

  /// For runs of at most `tiles` tiles.
  explicit TileSums(int64_t tiles) {
    for (; levels < kMaxLevels && (int64_t{1} << levels) <= tiles; ++levels) {
      const auto kept = static_cast<int64_t>(std::bit_ceil(static_cast<uint64_t>((tiles >> levels) + 2)));
      first[levels] = count;
      mask[levels] = kept - 1;
      count += kept;
    }
  }
  int64_t at(int level, int64_t i) const { return first[level] + (i & mask[level]); }
};

/// A block is what is summed token by token: a tile, or the window where that is shorter.
constexpr int64_t block_of_window(int64_t window) {
  return window == 0 || window > kWindowScanTile ? kWindowScanTile : window;
}

/// Whole tiles that all tokens of a tile have in their windows before it.
constexpr int64_t tiles_before(int64_t window) {
  return window < kWindowScanTile ? 0 : window / kWindowScanTile - 1;
}

/// State of a head: the sum of the open block, then
///   window 0: the sum of all tiles before it, and its rounding error;
///   else:     the tile sums, and the last `window` tokens (token t at t % window): logits, keys and values.
struct StateLayout {
  SumLayout sum;
  TileSums tiles;
  int64_t past;   ///< where the sum of all tiles or the tile sums begin
  int64_t logits; ///< of the last tokens
  int64_t rows;   ///< of the last tokens: key, value
  int64_t size;

  StateLayout(int64_t window, int64_t head_size)
      : sum(head_size), tiles(tiles_before(window)), past(sum.size),
        logits(past + (window == 0 ? 2 : tiles.count) * sum.size), rows(logits + whole_tiles(window)),
        size(rows + whole_tiles(window * 2 * head_size)) {}
};

} // namespace mneme::kernels
