// SPDX-License-Identifier: MIT

#include "kernels/projection_dropout/projection_dropout.h"

#include "kernels/benchmark_inputs.h"
#include "mneme/core/cpu.h"

namespace mneme::kernels {
namespace {

template <class T> void run(benchmark::State& state, void (*kernel)(const ProjectionDropoutArgs<T>&)) {
  const int64_t rows = state.range(0), heads = state.range(1), head_size = state.range(2),
                elements = rows * 4 * heads * head_size;
  constexpr double kProbability = 1e-9; // nearly 0, because the kernel is applied to the same rows repeatedly
  std::vector<T> projection = random_numbers<T>(1, elements);
  for (auto _ : state) {
    kernel({projection.data(), rows, heads, head_size, {.probability = kProbability, .seed = 1}});
    benchmark::DoNotOptimize(projection.data());
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations() * elements);
  state.SetLabel(cpu_target());
}

template <class T> void BM_reference(benchmark::State& state) {
  run<T>(state, reference::projection_dropout);
}
template <class T> void BM_projection_dropout(benchmark::State& state) {
  run<T>(state, projection_dropout);
}

/// Shapes: 64 tokens of the published width, 8 heads of 64 features.
void shapes(benchmark::internal::Benchmark* benchmark) {
  benchmark->ArgNames({"rows", "heads", "head_size"})->Args({64, 8, 64});
}
BENCHMARK(BM_reference<float>)->Apply(shapes);
BENCHMARK(BM_projection_dropout<float>)->Apply(shapes);
BENCHMARK(BM_reference<double>)->Apply(shapes);
BENCHMARK(BM_projection_dropout<double>)->Apply(shapes);

} // namespace
} // namespace mneme::kernels
