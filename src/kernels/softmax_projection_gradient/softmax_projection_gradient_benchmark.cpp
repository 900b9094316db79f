// SPDX-License-Identifier: MIT

#include "kernels/softmax_projection_gradient/softmax_projection_gradient.h"

#include "kernels/benchmark_inputs.h"
#include "mneme/core/cpu.h"

namespace mneme::kernels {
namespace {

/// Shapes: a batch of projected digits over 1024 images of 784 pixels, which are constants (no d_values), and
/// one head of 1024 x 1024 with head sizes 16 and 64 and all gradients.
void shapes(benchmark::internal::Benchmark* benchmark) {
  benchmark->ArgNames({"queries", "stored", "size", "values", "d_values"})
      ->Args({128, 1024, 64, 784, 0})
      ->Args({1024, 1024, 16, 16, 1})
      ->Args({1024, 1024, 64, 64, 1});
}

template <class T, class Kernel> void run(benchmark::State& state, Kernel kernel) {
  const int64_t q = state.range(0), s = state.range(1), size = state.range(2), values = state.range(3);
  const bool with_values = state.range(4) != 0;
  const auto queries = random_numbers<T>(1, q * size), stored = random_numbers<T>(2, s * size),
             value = random_numbers<T>(3, s * values), d_readout = random_numbers<T>(4, q * values);
  const std::vector<T> row_max(static_cast<size_t>(q), T{4}), row_sum(static_cast<size_t>(q), T{9}),
      delta(static_cast<size_t>(q), T{0});
  std::vector<T> d_queries(queries.size()), d_stored(stored.size()), d_values(value.size());
  for (auto _ : state) {
    kernel(SoftmaxProjectionGradientArgs<T>{queries.data(), stored.data(), value.data(), row_max.data(),
                                            row_sum.data(), d_readout.data(), delta.data(), d_queries.data(),
                                            d_stored.data(), with_values ? d_values.data() : nullptr, q, s,
                                            size, values});
    benchmark::DoNotOptimize(d_queries.data());
    benchmark::ClobberMemory();
  }
  // Multiply-adds of scores, d_p, d_queries, d_stored, d_values.
  state.SetItemsProcessed(state.iterations() * q * s * (3 * size + (with_values ? 2 : 1) * values));
  state.SetLabel(cpu_target());
}

template <class T> void BM_reference(benchmark::State& state) {
  run<T>(state,
         [](const SoftmaxProjectionGradientArgs<T>& args) { reference::softmax_projection_gradient(args); });
}
template <class T> void BM_softmax_projection_gradient(benchmark::State& state) {
  run<T>(state, [](const SoftmaxProjectionGradientArgs<T>& args) { softmax_projection_gradient(args); });
}
BENCHMARK(BM_reference<float>)->Apply(shapes);
BENCHMARK(BM_softmax_projection_gradient<float>)->Apply(shapes);
BENCHMARK(BM_reference<double>)->Apply(shapes);
BENCHMARK(BM_softmax_projection_gradient<double>)->Apply(shapes);

} // namespace
} // namespace mneme::kernels
