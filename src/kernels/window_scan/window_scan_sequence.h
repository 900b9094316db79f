// SPDX-License-Identifier: MIT

/// A sequence of the published width, for benchmarks of LEAP's kernels.
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/benchmark_inputs.h"
#include "kernels/window_scan/window_scan.h"

namespace mneme::kernels {

/// Rows of query | focus | key | value, in the layout of a projection's output.
struct WindowScanSequence {
  static constexpr int64_t kHeads = 8, kHeadSize = 64, kRow = kHeads * kHeadSize;
  int64_t length, carry_stride;
  std::vector<float> rows, readout, tracks, carries;
  std::vector<int64_t> windows;

  WindowScanSequence(int64_t tokens, int64_t window)
      : length(tokens),
        carry_stride((tokens + kWindowScanTile - 1) / kWindowScanTile * window_scan_carry_size(kHeadSize)),
        rows(random_numbers<float>(1, tokens * 4 * kRow)), readout(static_cast<size_t>(tokens * kRow)),
        tracks(static_cast<size_t>(4 * kHeads * tokens)), carries(static_cast<size_t>(kHeads * carry_stride)),
        windows(kHeads, window) {}

  WindowScanArgs<float> args(FocusWeight focus_weight, bool with_trace) {
    const float* y = rows.data();
    float* track = tracks.data();
    const int64_t size = kHeads * length;
    const WindowScanTrace<float> trace{track,  track + size,   track + 2 * size, track + 3 * size,
                                       length, carries.data(), carry_stride};
    return {y,
            y + kRow,
            y + 2 * kRow,
            y + 3 * kRow,
            4 * kRow,
            windows.data(),
            0.125F,
            focus_weight,
            readout.data(),
            kRow,
            nullptr,
            0,
            with_trace ? trace : WindowScanTrace<float>{},
            length,
            kHeads,
            kHeadSize};
  }
};

inline void window_scan_shapes(benchmark::internal::Benchmark* benchmark, const std::vector<int64_t>& threads,
                               const std::vector<int64_t>& tokens, const std::vector<int64_t>& windows) {
  benchmark->ArgNames({"tokens", "window", "threads"})->Unit(benchmark::kMillisecond)->UseRealTime();
  benchmark->ArgsProduct({tokens, windows, threads});
}

} // namespace mneme::kernels
