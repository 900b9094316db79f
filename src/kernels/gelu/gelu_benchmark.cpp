// SPDX-License-Identifier: MIT

#include "kernels/gelu/gelu.h"

#include "kernels/benchmark_inputs.h"
#include "mneme/core/cpu.h"

namespace mneme::kernels {
namespace {

template <class T> void run(benchmark::State& state, void (*kernel)(const GeluArgs<T>&)) {
  const int64_t rows = state.range(0), columns = state.range(1);
  const auto x = random_numbers<T>(1, rows * columns);
  std::vector<T> outputs(x.size()), derivatives(x.size());
  for (auto _ : state) {
    kernel({x.data(), outputs.data(), derivatives.data(), rows, columns, columns, state.range(2) == 1});
    benchmark::DoNotOptimize(outputs.data());
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations() * rows * columns);
  state.SetLabel(cpu_target());
}

template <class T> void BM_reference(benchmark::State& state) {
  run<T>(state, reference::gelu);
}
template <class T> void BM_gelu(benchmark::State& state) {
  run<T>(state, gelu);
}

/// Shapes: a tile of a linear layer.
void shapes(benchmark::internal::Benchmark* benchmark) {
  benchmark->ArgNames({"rows", "columns", "tanh"})->Args({192, 256, 0})->Args({192, 256, 1});
}
BENCHMARK(BM_reference<float>)->Apply(shapes);
BENCHMARK(BM_gelu<float>)->Apply(shapes);
BENCHMARK(BM_reference<double>)->Apply(shapes);
BENCHMARK(BM_gelu<double>)->Apply(shapes);

} // namespace
} // namespace mneme::kernels
