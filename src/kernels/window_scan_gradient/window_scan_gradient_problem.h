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

/// Gradients of `problem` for d_readout, in chunks of `chunk` tokens from the right; answer: that of the forward kernel.
template <class T, class Kernel>
WindowScanGradients<T> gradients_of(const WindowScanProblem<T>& problem,
                                    const typename WindowScanProblem<T>::Answer& answer,
                                    const std::vector<T>& d_readout, int64_t chunk, Kernel kernel) {
  const int64_t row = problem.num_heads() * problem.head_size;
  const std::vector<T> zeros(d_readout.size());
  WindowScanGradients<T> gradients{zeros, zeros, zeros, zeros};
  int64_t memory_size = 0;
  for (const int64_t window : problem.windows) {
    memory_size += window_scan_gradient_memory_size(window, problem.head_size);
  }
  std::vector<T> memory(static_cast<size_t>(memory_size),
                        std::nan("")); // what it holds before must not matter
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

} // namespace mneme::kernels
