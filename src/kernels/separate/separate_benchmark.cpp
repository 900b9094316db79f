// SPDX-License-Identifier: MIT

#include "kernels/separate/separate.h"

#include "kernels/benchmark_inputs.h"
#include "mneme/core/cpu.h"

namespace mneme::kernels {
namespace {

/// Shapes: rows of attention scores, and one long row. `separation` is an index of kSimplexSeparations.
void shapes(benchmark::internal::Benchmark* benchmark) {
  benchmark->ArgNames({"separation", "rows", "scores"});
  for (size_t i = 0; i < kSimplexSeparations.size(); ++i) {
    if (has_threshold(kSimplexSeparations[i].separation)) {
      benchmark->Args({static_cast<int64_t>(i), 256, 1024})
          ->Args({static_cast<int64_t>(i), 1, 1'000'000})
          ->Args({static_cast<int64_t>(i), 4096, 64})
          ->Args({static_cast<int64_t>(i), 4096, 3});
    }
  }
}

template <class T, class Kernel> void run(benchmark::State& state, Kernel kernel) {
  const NamedSeparation& named = kSimplexSeparations[static_cast<size_t>(state.range(0))];
  const int64_t rows = state.range(1), scores = state.range(2);
  std::vector<T> inputs = random_numbers<T>(1, rows * scores);
  for (T& x : inputs) {
    x *= 4; // a typical range of attention scores
  }
  std::vector<T> weights(inputs.size());
  for (auto _ : state) {
    kernel(SeparateArgs<T>{inputs.data(), weights.data(), rows, scores, T{1}, named.separation});
    benchmark::DoNotOptimize(weights.data());
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations() * rows * scores);
  state.SetLabel(std::string(named.name) + " " + cpu_target());
}

template <class T> void BM_reference(benchmark::State& state) {
  run<T>(state, [](const SeparateArgs<T>& args) { reference::separate(args); });
}
template <class T> void BM_separate(benchmark::State& state) {
  run<T>(state, [](const SeparateArgs<T>& args) { separate(args); });
}
BENCHMARK(BM_reference<float>)->Apply(shapes);
BENCHMARK(BM_separate<float>)->Apply(shapes);
BENCHMARK(BM_separate<double>)->Apply(shapes);

} // namespace
} // namespace mneme::kernels
