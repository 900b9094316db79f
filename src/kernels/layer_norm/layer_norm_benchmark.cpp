// SPDX-License-Identifier: MIT

#include "kernels/layer_norm/layer_norm.h"

#include "kernels/benchmark_inputs.h"
#include "mneme/core/cpu.h"

namespace mneme::kernels {
namespace {

template <class T> void run(benchmark::State& state, void (*kernel)(const LayerNormArgs<T>&)) {
  const int64_t rows = state.range(0), size = state.range(1);
  const auto x = random_numbers<T>(1, rows * size), gain = random_numbers<T>(2, size);
  std::vector<T> outputs(x.size());
  for (auto _ : state) {
    kernel({x.data(), gain.data(), gain.data(), outputs.data(), nullptr, nullptr, rows, size, 1e-5});
    benchmark::DoNotOptimize(outputs.data());
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations() * rows * size);
  state.SetLabel(cpu_target());
}

template <class T>
void run_gradient(benchmark::State& state, void (*kernel)(const LayerNormGradientArgs<T>&)) {
  const int64_t rows = state.range(0), size = state.range(1);
  const auto x = random_numbers<T>(1, rows * size), d_outputs = random_numbers<T>(2, rows * size),
             gain = random_numbers<T>(3, size);
  const std::vector<T> means(static_cast<size_t>(rows), T{0}), inverse_stds(static_cast<size_t>(rows), T{1});
  std::vector<T> d_x(x.size()), d_gain(gain.size()), d_shift(gain.size());
  for (auto _ : state) {
    kernel({d_outputs.data(), x.data(), gain.data(), means.data(), inverse_stds.data(), d_x.data(),
            d_gain.data(), d_shift.data(), rows, size});
    benchmark::DoNotOptimize(d_x.data());
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations() * rows * size);
  state.SetLabel(cpu_target());
}

template <class T> void BM_reference(benchmark::State& state) {
  run<T>(state, reference::layer_norm);
}
template <class T> void BM_layer_norm(benchmark::State& state) {
  run<T>(state, layer_norm);
}
template <class T> void BM_gradient_reference(benchmark::State& state) {
  run_gradient<T>(state, reference::layer_norm_gradient);
}
template <class T> void BM_layer_norm_gradient(benchmark::State& state) {
  run_gradient<T>(state, layer_norm_gradient);
}

/// Shapes: rows of a small and of a larger layer.
void shapes(benchmark::internal::Benchmark* benchmark) {
  benchmark->ArgNames({"rows", "size"})->Args({512, 32})->Args({64, 768});
}
BENCHMARK(BM_reference<float>)->Apply(shapes);
BENCHMARK(BM_layer_norm<float>)->Apply(shapes);
BENCHMARK(BM_layer_norm<double>)->Apply(shapes);
BENCHMARK(BM_gradient_reference<float>)->Apply(shapes);
BENCHMARK(BM_layer_norm_gradient<float>)->Apply(shapes);
BENCHMARK(BM_layer_norm_gradient<double>)->Apply(shapes);

} // namespace
} // namespace mneme::kernels
