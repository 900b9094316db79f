// SPDX-License-Identifier: MIT

#include "kernels/gelu_layer/gelu_layer.h"

#include "kernels/benchmark_inputs.h"
#include "mneme/core/cpu.h"

namespace mneme::kernels {
namespace {

template <class T> void run(benchmark::State& state, void (*kernel)(const GeluLayerArgs<T>&)) {
  const int64_t samples = state.range(0), width = state.range(1), units = state.range(2);
  const auto inputs = random_numbers<T>(1, samples * width), weights = random_numbers<T>(2, width * units),
             bias = random_numbers<T>(3, units);
  std::vector<T> outputs(static_cast<size_t>(samples * units)), derivatives(outputs.size());
  for (auto _ : state) {
    kernel({inputs.data(), weights.data(), bias.data(), outputs.data(), derivatives.data(), samples, width,
            units});
    benchmark::DoNotOptimize(outputs.data());
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations() * samples * units);
  state.SetLabel(cpu_target());
}

template <class T> void BM_reference(benchmark::State& state) {
  run<T>(state, reference::gelu_layer);
}
template <class T> void BM_gelu_layer(benchmark::State& state) {
  run<T>(state, gelu_layer);
}

/// Shapes: the MLP of the comparison with self-attention.
void shapes(benchmark::internal::Benchmark* benchmark) {
  benchmark->ArgNames({"samples", "inputs", "units"})->Args({200, 17, 512});
}
BENCHMARK(BM_reference<float>)->Apply(shapes);
BENCHMARK(BM_gelu_layer<float>)->Apply(shapes);
BENCHMARK(BM_reference<double>)->Apply(shapes);
BENCHMARK(BM_gelu_layer<double>)->Apply(shapes);

} // namespace
} // namespace mneme::kernels
