// SPDX-License-Identifier: MIT

/// Matrix products that benchmarks of kernels of linear layers compute.
#pragma once

#include <vector>

#include "kernels/benchmark_inputs.h"
#include "kernels/linear/linear.h"
#include "mneme/core/cpu.h"

namespace mneme::kernels {

/// Feed-forward layers and projections of small language models, also for one token and for few rows; and one
/// that takes so little time that overheads matter.
inline void linear_shapes(benchmark::internal::Benchmark* benchmark) {
  benchmark->ArgNames({"rows", "inner", "columns"})
      ->Args({4096, 256, 1024})
      ->Args({4096, 1024, 256})
      ->Args({1024, 256, 256})
      ->Args({768, 64, 192})
      ->Args({768, 128, 512})
      ->Args({12, 128, 384})
      ->Args({64, 64, 64})
      ->Args({1, 256, 1024});
}

/// Forward pass of a layer: b is the transposed weight.
template <class T> LinearArgs<T> forward(int64_t rows, int64_t inner, int64_t columns) {
  LinearArgs<T> args{.a_row = inner,
                     .a_inner = 1,
                     .b_inner = 1,
                     .b_column = inner,
                     .out_row = columns,
                     .rows = rows,
                     .columns = columns,
                     .inner = inner};
  args.few_rows = is_few_rows(args);
  return args;
}
/// Its input gradient, from gradients with `columns` features.
template <class T> LinearArgs<T> input_gradient(int64_t rows, int64_t inner, int64_t columns) {
  return {.a_row = columns,
          .a_inner = 1,
          .b_inner = inner,
          .b_column = 1,
          .out_row = inner,
          .rows = rows,
          .columns = inner,
          .inner = columns};
}
template <class T> LinearArgs<T> weight_gradient(int64_t rows, int64_t inner, int64_t columns) {
  return {.a_row = 1,
          .a_inner = columns,
          .b_inner = inner,
          .b_column = 1,
          .out_row = inner,
          .rows = columns,
          .columns = inner,
          .inner = rows};
}

template <class T>
void run(benchmark::State& state, LinearArgs<T> args, void (*kernel)(const LinearArgs<T>&)) {
  const std::vector<T> a = random_numbers<T>(1, args.rows * args.inner),
                       b = random_numbers<T>(2, args.inner * args.columns);
  std::vector<T> out(static_cast<size_t>(args.rows * args.columns));
  args.a = a.data(), args.b = b.data(), args.out = out.data();
  for (auto _ : state) {
    kernel(args);
    benchmark::DoNotOptimize(out.data());
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations() * args.rows * args.columns * args.inner); // multiply-adds
  state.SetLabel(cpu_target());
}

} // namespace mneme::kernels
