// SPDX-License-Identifier: MIT

/// Memory layout of the state that the backward pass carries from call to call, per head.
#pragma once

#include <bit>
#include <cstdint>

#include "kernels/window_scan/window_scan_state.h"

namespace mneme::kernels {

/// query_coef, then grad_coef, then d_denominator of the last `kept` tokens (token t at t & (kept - 1));
/// then, as in StateLayout, the sum of all tiles to the right and its rounding error, or the tile sums.
struct GradientStateLayout {
  SumLayout sum;
  TileSums tiles;
  int64_t kept; ///< tokens; a power of two
  int64_t tile_sums;
  int64_t size;

  GradientStateLayout(int64_t window, int64_t head_size)
      : sum(head_size), tiles(whole_tiles_in_window(window)),
        kept(static_cast<int64_t>(std::bit_ceil(static_cast<uint64_t>(window + kWindowScanTile)))),
        tile_sums(3 * kept), size(tile_sums + (window == 0 ? 2 : tiles.count) * sum.size) {}
};

} // namespace mneme::kernels
