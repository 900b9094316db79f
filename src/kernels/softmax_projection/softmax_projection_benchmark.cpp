// SPDX-License-Identifier: MIT

#include "kernels/softmax_projection/softmax_projection.h"

#include "kernels/benchmark_inputs.h"

namespace mneme::kernels {
namespace {

/// Shapes: a block of cues over 1000 digits of 784 pixels, and one head of 1024 x 1024 at sizes 16 and 64.
void shapes(benchmark::internal::Benchmark* benchmark) {
  benchmark->ArgNames({"queries", "stored", "size"})
      ->Args({48, 1000, 784})
      ->Args({1024, 1024, 16})
      ->Args({1024, 1024, 64});
}

template <class T, class Kernel> void run(benchmark::State& state, Kernel kernel) {
  const int64_t q = state.range(0), s = state.range(1), size = state.range(2);
  const auto queries = random_numbers<T>(1, q * size), stored = random_numbers<T>(2, s * size),
             values = random_numbers<T>(3, s * size);
  std::vector<T> readout(static_cast<size_t>(q * size));
  for (auto _ : state) {
    kernel(SoftmaxProjectionArgs<T>{queries.data(), stored.data(), values.data(), T{1}, readout.data(),
                                    nullptr, nullptr, q, s, size, size});
    benchmark::DoNotOptimize(readout.data());
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations() * 2 * q * s * size); // multiply-adds of scores and sums
  state.SetLabel(softmax_projection_target());
}

template <class T> void BM_reference(benchmark::State& state) {
  run<T>(state, [](const SoftmaxProjectionArgs<T>& args) { reference::softmax_projection(args); });
}
template <class T> void BM_softmax_projection(benchmark::State& state) {
  run<T>(state, [](const SoftmaxProjectionArgs<T>& args) { softmax_projection(args); });
}
BENCHMARK(BM_reference<float>)->Apply(shapes);
BENCHMARK(BM_softmax_projection<float>)->Apply(shapes);
BENCHMARK(BM_reference<double>)->Apply(shapes);
BENCHMARK(BM_softmax_projection<double>)->Apply(shapes);

} // namespace
} // namespace mneme::kernels
