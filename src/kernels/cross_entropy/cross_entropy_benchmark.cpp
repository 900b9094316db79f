// SPDX-License-Identifier: MIT

#include "kernels/cross_entropy/cross_entropy.h"

#include "kernels/benchmark_inputs.h"
#include "mneme/core/cpu.h"

namespace mneme::kernels {
namespace {

/// The gradients of one call are the logits of the next one.
template <class T> void run(benchmark::State& state, void (*kernel)(const CrossEntropyArgs<T>&)) {
  const int64_t rows = state.range(0), words = state.range(1);
  auto logits = random_numbers<T>(1, rows * words);
  const std::vector<int64_t> targets(static_cast<size_t>(rows), words / 2);
  std::vector<double> losses(targets.size());
  for (auto _ : state) {
    kernel({logits.data(), targets.data(), losses.data(), rows, words, true});
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations() * rows * words);
  state.SetLabel(cpu_target());
}

template <class T> void BM_reference(benchmark::State& state) {
  run<T>(state, reference::cross_entropy);
}
template <class T> void BM_cross_entropy(benchmark::State& state) {
  run<T>(state, cross_entropy);
}

/// Shapes: 32 tokens, and vocabularies of bytes and of words.
void shapes(benchmark::internal::Benchmark* benchmark) {
  benchmark->ArgNames({"rows", "words"})->Args({32, 256})->Args({32, 8192});
}
BENCHMARK(BM_reference<float>)->Apply(shapes);
BENCHMARK(BM_cross_entropy<float>)->Apply(shapes);
BENCHMARK(BM_reference<double>)->Apply(shapes);
BENCHMARK(BM_cross_entropy<double>)->Apply(shapes);

} // namespace
} // namespace mneme::kernels
