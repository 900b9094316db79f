// SPDX-License-Identifier: MIT

/// The way back through a random sequence, for tests and benchmarks.
#pragma once

#include <algorithm>
#include <vector>

#include "kernels/window_scan/window_scan_problem.h"
#include "kernels/window_scan_gradient/window_scan_gradient.h"

namespace mneme::kernels {

/// The heads [begin, end) of a call.
template <class T>
WindowScanGradientArgs<T> heads_of(WindowScanGradientArgs<T> args, int64_t begin, int64_t end) {
  for (int64_t head = 0; head < begin; ++head) {
    args.memory += window_scan_gradient_memory_size(args.windows[head], args.head_size);
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

/// kernel(args) for every chunk of `chunk` tokens from the right; answer: that of the forward kernel.
template <class T, class Kernel>
WindowScanGradients<T> gradients_of(const WindowScanProblem<T>& problem,
                                    const typename WindowScanProblem<T>::Answer& answer,
                                    const std::vector<T>& d_readout, int64_t chunk, Kernel kernel) {
  const int64_t row = problem.num_heads() * problem.head_size;
  const std::vector<T> zeros(d_readout.size());
  WindowScanGradients<T> gradients{zeros, zeros, zeros, zeros};
  std::vector<T> memory =
      room_for_heads<T>(problem.windows, problem.head_size, window_scan_gradient_memory_size);
  for (int64_t end = problem.length; end > 0;) {
    const int64_t begin = (end - 1) / chunk * chunk;
    const auto at = [&](std::vector<T>& rows) { return rows.data() + begin * row; };
    kernel(WindowScanGradientArgs<T>{problem.query.data(),
                                     problem.focus.data(),
                                     problem.key.data(),
                                     problem.value.data(),
                                     row,
                                     problem.windows.data(),
                                     problem.scale,
                                     problem.focus_weight,
                                     answer.readout.data(),
                                     row,
                                     d_readout.data(),
                                     row,
                                     {answer.logits.data(), answer.gate_logits.data(),
                                      answer.denominators.data(), answer.references.data(), problem.length,
                                      answer.carries.data(),
                                      problem.num_tiles() * window_scan_carry_size(problem.head_size)},
                                     at(gradients.query),
                                     at(gradients.focus),
                                     at(gradients.key),
                                     at(gradients.value),
                                     row,
                                     memory.data(),
                                     begin,
                                     end,
                                     problem.length,
                                     problem.num_heads(),
                                     problem.head_size});
    end = begin;
  }
  return gradients;
}

/// The same call in parts that begin at multiples of `part`, from the first to the last: as if they ran side by side.
/// windows: as those of the call, but 0 where they cover the sequence.
template <class T>
void run_in_parts(WindowScanGradientArgs<T> args, const std::vector<int64_t>& windows, int64_t part) {
  const int64_t stride = (args.end - args.begin + kWindowScanTile - 1) / kWindowScanTile *
                         window_scan_gradient_tile_size(args.head_size);
  std::vector<T> before = room_for_heads<T>(windows, args.head_size, window_scan_gradient_memory_size);
  std::copy_n(args.memory, before.size(), before.begin());
  std::vector<T> tiles(static_cast<size_t>(args.num_heads * stride), std::nan(""));
  args.windows = windows.data();
  args.parts = {tiles.data(), stride, args.begin, args.end};
  std::vector<WindowScanGradientArgs<T>> runs;
  for (int64_t begin = args.begin; begin < args.parts.end; begin = runs.back().end) {
    WindowScanGradientArgs<T> run = args;
    run.begin = begin;
    run.end = std::min(begin - begin % part + part, args.parts.end);
    for (T** rows : {&run.d_query, &run.d_focus, &run.d_key, &run.d_value}) {
      *rows += (begin - args.begin) * args.d_row_stride;
    }
    runs.push_back(run);
  }
  for (size_t i = 1; i < runs.size(); ++i) {
    window_scan_gradient_tiles(runs[i]);
  }
  std::vector<T> after;
  for (WindowScanGradientArgs<T>& run : runs) {
    std::vector<T> memory = before;
    run.memory = memory.data();
    window_scan_gradient(run);
    after = &run == &runs.front() ? memory : after;
  }
  std::ranges::copy(after, args.memory);
}

} // namespace mneme::kernels
