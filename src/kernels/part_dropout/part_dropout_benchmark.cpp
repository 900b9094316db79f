// SPDX-License-Identifier: MIT

#include "kernels/part_dropout/part_dropout.h"

#include "kernels/benchmark_inputs.h"
#include "mneme/core/cpu.h"

namespace mneme::kernels {
namespace {

template <class T> void run(benchmark::State& state, void (*kernel)(const PartDropoutArgs<T>&)) {
  const int64_t rows = state.range(0), heads = state.range(1), head_size = state.range(2),
                numbers = rows * 4 * heads * head_size;
  constexpr double kShare = 1e-9; // hardly any: the same rows are dropped again and again
  std::vector<T> projection = random_numbers<T>(1, numbers);
  for (auto _ : state) {
    kernel({projection.data(), rows, heads, head_size, {.share = kShare, .seed = 1}});
    benchmark::DoNotOptimize(projection.data());
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations() * numbers);
  state.SetLabel(cpu_target());
}

template <class T> void BM_reference(benchmark::State& state) {
  run<T>(state, reference::part_dropout);
}
template <class T> void BM_part_dropout(benchmark::State& state) {
  run<T>(state, part_dropout);
}

/// Some tokens of the published width.
void shapes(benchmark::internal::Benchmark* benchmark) {
  benchmark->ArgNames({"rows", "heads", "head_size"})->Args({64, 8, 64});
}
BENCHMARK(BM_reference<float>)->Apply(shapes);
BENCHMARK(BM_part_dropout<float>)->Apply(shapes);
BENCHMARK(BM_reference<double>)->Apply(shapes);
BENCHMARK(BM_part_dropout<double>)->Apply(shapes);

} // namespace
} // namespace mneme::kernels
