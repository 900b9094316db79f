// SPDX-License-Identifier: MIT

/// Where things lie in what the way back keeps of one head from call to call.
#pragma once

#include <bit>
#include <cstdint>

#include "kernels/window_scan/window_scan_state.h"

namespace mneme::kernels {

/// alpha, then beta, then gamma of the tokens that are still to be looked back on (token t at t & mask), then, as in the
/// state of window_scan, the sum of all tiles to the right and its rounding error, or the tile sums.
struct GradientMemoryLayout {
  SumLayout sum;
  TileSums tiles;
  int64_t kept; ///< tokens
  int64_t past;
  int64_t size;

  GradientMemoryLayout(int64_t window, int64_t head_size)
      : sum(head_size), tiles(tiles_before(window)),
        kept(static_cast<int64_t>(std::bit_ceil(static_cast<uint64_t>(window + kWindowScanTile)))),
        past(3 * kept), size(past + (window == 0 ? 2 : tiles.count) * sum.size) {}
};

} // namespace mneme::kernels
