// SPDX-License-Identifier: MIT

/// The backward pass over a random sequence, for tests and benchmarks.
#pragma once

#include <algorithm>
#include <vector>

#include "kernels/window_scan/window_scan_problem.h"
#include "kernels/window_scan_gradient/window_scan_gradient.h"

namespace mneme::kernels {

/// The heads [begin, end) of a call.
template <class T>
WindowScanGradientArgs<T> slice_heads(WindowScanGradientArgs<T> args, int64_t begin, int64_t end) {
  for (int64_t head = 0; head < begin; ++head) {
    args.state += window_scan_gradient_state_size(args.windows[head], args.head_size);
  }
  for (const T** rows : {&args.query, &args.focus, &args.key, &args.value, &args.readout, &args.d_readout}) {
    *rows += begin * args.head_size;
  }
  for (T** rows : {&args.d_query, &args.d_focus, &args.d_key, &args.d_value}) {
    *rows += begin * args.head_size;
  }
  for (const T** track :
       {&args.trace.logits, &args.trace.gate_logits, &args.trace.denominators, &args.trace.references}) {
    *track += begin * args.trace.stride;
  }
  args.trace.carries += begin * args.trace.carry_stride;
  args.windows += begin;
  args.num_heads = end - begin;
  return args;
}

template <class T> struct WindowScanGradients {
  std::vector<T> query, focus, key, value; ///< [length, num_heads, head_size]
};

/// Calls kernel(args) for ranges of `call_length` tokens, from right to left. `forward` is the result of the
/// forward kernel.
template <class T, class Kernel>
WindowScanGradients<T> gradients_of(const WindowScanProblem<T>& problem,
                                    const typename WindowScanProblem<T>::Result& forward,
                                    const std::vector<T>& d_readout, int64_t call_length, Kernel kernel) {
  const int64_t row = problem.num_heads() * problem.head_size;
  const std::vector<T> zeros(d_readout.size());
  WindowScanGradients<T> gradients{zeros, zeros, zeros, zeros};
  std::vector<T> state =
      allocate_for_heads<T>(problem.windows, problem.head_size, window_scan_gradient_state_size);
  for (int64_t end = problem.length; end > 0;) {
    const int64_t begin = (end - 1) / call_length * call_length;
    const auto at = [&](std::vector<T>& rows) { return rows.data() + begin * row; };
    kernel(WindowScanGradientArgs<T>{problem.query.data(),
                                     problem.focus.data(),
                                     problem.key.data(),
                                     problem.value.data(),
                                     row,
                                     problem.windows.data(),
                                     problem.scale,
                                     problem.focus_weight,
                                     forward.readout.data(),
                                     row,
                                     d_readout.data(),
                                     row,
                                     {forward.logits.data(), forward.gate_logits.data(),
                                      forward.denominators.data(), forward.references.data(), problem.length,
                                      forward.carries.data(),
                                      problem.num_tiles() * window_scan_carry_size(problem.head_size)},
                                     at(gradients.query),
                                     at(gradients.focus),
                                     at(gradients.key),
                                     at(gradients.value),
                                     row,
                                     state.data(),
                                     begin,
                                     end,
                                     problem.length,
                                     problem.num_heads(),
                                     problem.head_size,
                                     {},
                                     problem.joins_sequences});
    end = begin;
  }
  return gradients;
}

/// Computes a call in chunks that begin at multiples of `chunk_length`, from the first to the last, which is
/// valid because they are independent. `windows`: those of the call, with 0 instead of those that cover the
/// sequence.
template <class T>
void run_in_chunks(WindowScanGradientArgs<T> args, const std::vector<int64_t>& windows,
                   int64_t chunk_length) {
  const int64_t stride = (args.end - args.begin + kWindowScanTile - 1) / kWindowScanTile *
                         window_scan_gradient_tile_size(args.head_size);
  std::vector<T> before = allocate_for_heads<T>(windows, args.head_size, window_scan_gradient_state_size);
  std::copy_n(args.state, before.size(), before.begin());
  std::vector<T> tiles(static_cast<size_t>(args.num_heads * stride), std::nan(""));
  args.windows = windows.data();
  args.chunks = {tiles.data(), stride, args.begin, args.end};
  std::vector<WindowScanGradientArgs<T>> chunks;
  for (int64_t begin = args.begin; begin < args.chunks.end; begin = chunks.back().end) {
    WindowScanGradientArgs<T> chunk = args;
    chunk.begin = begin;
    chunk.end = std::min(begin - begin % chunk_length + chunk_length, args.chunks.end);
    for (T** rows : {&chunk.d_query, &chunk.d_focus, &chunk.d_key, &chunk.d_value}) {
      *rows += (begin - args.begin) * args.d_row_stride;
    }
    chunks.push_back(chunk);
  }
  for (size_t i = 1; i < chunks.size(); ++i) {
    window_scan_gradient_tile_sums(chunks[i]);
  }
  std::vector<T> after;
  for (WindowScanGradientArgs<T>& chunk : chunks) {
    std::vector<T> state = before;
    chunk.state = state.data();
    window_scan_gradient(chunk);
    after = &chunk == &chunks.front() ? state : after;
  }
  std::ranges::copy(after, args.state);
}

} // namespace mneme::kernels
