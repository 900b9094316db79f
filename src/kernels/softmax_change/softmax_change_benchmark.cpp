// SPDX-License-Identifier: MIT

#include "kernels/softmax_change/softmax_change.h"

#include "kernels/benchmark_inputs.h"
#include "mneme/core/cpu.h"

namespace mneme::kernels {
namespace {

/// Shapes: one head of 1024 x 1024 with head sizes 16 and 64.
void shapes(benchmark::internal::Benchmark* benchmark) {
  benchmark->ArgNames({"queries", "stored", "size"})->Args({1024, 1024, 16})->Args({1024, 1024, 64});
}

template <class T, class Kernel> void run(benchmark::State& state, Kernel kernel) {
  const int64_t q = state.range(0), s = state.range(1), size = state.range(2);
  const auto before = random_numbers<T>(1, q * size), after = random_numbers<T>(2, q * size),
             stored = random_numbers<T>(3, s * size);
  const std::vector<T> row_max(static_cast<size_t>(q), static_cast<T>(size)),
      row_sum(static_cast<size_t>(q), T{1});
  std::vector<double> squares(static_cast<size_t>(q));
  for (auto _ : state) {
    kernel(SoftmaxChangeArgs<T>{{before.data(), row_max.data(), row_sum.data()},
                                {after.data(), row_max.data(), row_sum.data()},
                                stored.data(),
                                squares.data(),
                                q,
                                s,
                                size});
    benchmark::DoNotOptimize(squares.data());
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations() * 2 * q * s * size); // multiply-adds of both scores
  state.SetLabel(cpu_target());
}

template <class T> void BM_reference(benchmark::State& state) {
  run<T>(state, [](const SoftmaxChangeArgs<T>& args) { reference::softmax_change(args); });
}
template <class T> void BM_softmax_change(benchmark::State& state) {
  run<T>(state, [](const SoftmaxChangeArgs<T>& args) { softmax_change(args); });
}
BENCHMARK(BM_reference<float>)->Apply(shapes);
BENCHMARK(BM_softmax_change<float>)->Apply(shapes);
BENCHMARK(BM_reference<double>)->Apply(shapes);
BENCHMARK(BM_softmax_change<double>)->Apply(shapes);

} // namespace
} // namespace mneme::kernels
