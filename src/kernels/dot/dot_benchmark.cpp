// SPDX-License-Identifier: MIT

#include "kernels/dot/dot.h"

#include "kernels/benchmark_inputs.h"
#include "mneme/core/cpu.h"

namespace mneme::kernels {
namespace {

/// 48 cues against 1000 digits of 784 pixels; attention heads of size 64 with 48 queries and with one.
void shapes(benchmark::internal::Benchmark* benchmark) {
  benchmark->ArgNames({"queries", "stored", "size"})
      ->Args({48, 1000, 784})
      ->Args({48, 1024, 64})
      ->Args({1, 100000, 64});
}

template <class T, class Kernel> void run(benchmark::State& state, Kernel kernel) {
  const int64_t q = state.range(0), s = state.range(1), size = state.range(2);
  const auto queries = random_numbers<T>(1, q * size), stored = random_numbers<T>(2, s * size);
  std::vector<T> scores(static_cast<size_t>(q * s));
  for (auto _ : state) {
    kernel(DotArgs<T>{queries.data(), stored.data(), scores.data(), q, s, size});
    benchmark::DoNotOptimize(scores.data());
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations() * q * s * size); // multiply-adds
  state.SetLabel(cpu_target());
}

template <class T> void BM_reference(benchmark::State& state) {
  run<T>(state, [](const DotArgs<T>& args) { reference::dot(args); });
}
template <class T> void BM_dot(benchmark::State& state) {
  run<T>(state, [](const DotArgs<T>& args) { dot(args); });
}
BENCHMARK(BM_reference<float>)->Apply(shapes);
BENCHMARK(BM_dot<float>)->Apply(shapes);
BENCHMARK(BM_reference<double>)->Apply(shapes);
BENCHMARK(BM_dot<double>)->Apply(shapes);

} // namespace
} // namespace mneme::kernels
