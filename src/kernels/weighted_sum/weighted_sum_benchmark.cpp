// SPDX-License-Identifier: MIT

#include "kernels/weighted_sum/weighted_sum.h"

#include "kernels/benchmark_inputs.h"
#include "mneme/core/cpu.h"

namespace mneme::kernels {
namespace {

/// 48 readouts of 1000 digits of 784 pixels; attention heads of size 64 with 48 queries and with one.
void shapes(benchmark::internal::Benchmark* benchmark) {
  benchmark->ArgNames({"queries", "stored", "value_size"})
      ->Args({48, 1000, 784})
      ->Args({48, 1024, 64})
      ->Args({1, 100000, 64});
}

template <class T, class Kernel> void run(benchmark::State& state, Kernel kernel) {
  const int64_t q = state.range(0), s = state.range(1), value_size = state.range(2);
  const auto weights = random_numbers<T>(1, q * s), values = random_numbers<T>(2, s * value_size);
  std::vector<T> sums(static_cast<size_t>(q * value_size));
  for (auto _ : state) {
    kernel(WeightedSumArgs<T>{weights.data(), values.data(), sums.data(), q, s, value_size, s});
    benchmark::DoNotOptimize(sums.data());
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations() * q * s * value_size); // multiply-adds
  state.SetLabel(cpu_target());
}

template <class T> void BM_reference(benchmark::State& state) {
  run<T>(state, [](const WeightedSumArgs<T>& args) { reference::weighted_sum(args); });
}
template <class T> void BM_weighted_sum(benchmark::State& state) {
  run<T>(state, [](const WeightedSumArgs<T>& args) { weighted_sum(args); });
}
BENCHMARK(BM_reference<float>)->Apply(shapes);
BENCHMARK(BM_weighted_sum<float>)->Apply(shapes);
BENCHMARK(BM_reference<double>)->Apply(shapes);
BENCHMARK(BM_weighted_sum<double>)->Apply(shapes);

} // namespace
} // namespace mneme::kernels
