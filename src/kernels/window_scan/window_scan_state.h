// SPDX-License-Identifier: MIT

/// Memory layout of the recurrent state of one head (docs/theory/window_scan.md, sections 3 and 8).
#pragma once

#include <bit>
#include <cstdint>

#include "kernels/window_scan/window_scan.h"

namespace mneme::kernels {

constexpr int64_t round_up_to_tile(int64_t items) {
  return (items + kWindowScanTile - 1) / kWindowScanTile * kWindowScanTile;
}

/// Layout of a sum of weighted rows: two row sums (forward: keys and values; backward: queries and gradients
/// of readouts), then the sum of weights and the reference. The true sums are the stored ones times
/// exp(reference). Rows are padded to whole vectors.
struct SumLayout {
  int64_t second; ///< offset of the second row sum
  int64_t weight;
  int64_t reference;
  int64_t size;

  explicit SumLayout(int64_t head_size)
      : second(round_up_to_tile(head_size)), weight(2 * second), reference(weight + 1),
        size(weight + kWindowScanTile) {}
};

/// Ring buffers of the sums of 1, 2, 4, ... adjacent tiles, as many as a window reaches. Any range of tiles
/// within the window is the sum of a few of them, so that nothing is ever subtracted and the cost is the same
/// for every token.
struct TileSums {
  static constexpr int kMaxLevels = 40;
  int levels = 0;            ///< level l holds sums of 2^l tiles that start at a multiple of 2^l
  int64_t first[kMaxLevels]; ///< sum number i of a level is at first + (i & mask)
  int64_t mask[kMaxLevels];
  int64_t count = 0; ///< of sums on all levels

  /// For ranges of at most `tiles` tiles.
  explicit TileSums(int64_t tiles) {
    for (; levels < kMaxLevels && (int64_t{1} << levels) <= tiles; ++levels) {
      const auto ring_size =
          static_cast<int64_t>(std::bit_ceil(static_cast<uint64_t>((tiles >> levels) + 2)));
      first[levels] = count;
      mask[levels] = ring_size - 1;
      count += ring_size;
    }
  }
  int64_t at(int level, int64_t i) const { return first[level] + (i & mask[level]); }
};

/// Tokens of a prefix block, the range that is summed row by row: a tile, or the window where that is
/// shorter.
constexpr int64_t prefix_block_size(int64_t window) {
  return window == 0 || window > kWindowScanTile ? kWindowScanTile : window;
}

/// Number of whole tiles before a tile that the windows of all its tokens contain.
constexpr int64_t whole_tiles_in_window(int64_t window) {
  return window < kWindowScanTile ? 0 : window / kWindowScanTile - 1;
}

/// Recurrent state of a head: the sum of the unfinished prefix block, then
///   window 0: the sum of all tiles before it, and its rounding error;
///   else:     the tile sums, and the last `window` tokens (token t at t % window): logits, keys and values.
struct StateLayout {
  SumLayout sum;
  TileSums tiles;
  int64_t tile_sums; ///< offset of the sum of all tiles, or of the tile sums
  int64_t logits;    ///< of the last tokens
  int64_t rows;      ///< of the last tokens: key, value
  int64_t size;

  StateLayout(int64_t window, int64_t head_size)
      : sum(head_size), tiles(whole_tiles_in_window(window)), tile_sums(sum.size),
        logits(tile_sums + (window == 0 ? 2 : tiles.count) * sum.size),
        rows(logits + round_up_to_tile(window)), size(rows + round_up_to_tile(window * 2 * head_size)) {}
};

} // namespace mneme::kernels
