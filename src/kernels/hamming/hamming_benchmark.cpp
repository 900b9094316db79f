// SPDX-License-Identifier: MIT

#include "kernels/hamming/hamming.h"

#include "kernels/benchmark_inputs.h"
#include "mneme/core/cpu.h"

namespace mneme::kernels {
namespace {

/// 1 and 64 queries against 100 000 addresses of 1000 bits (a tenth of a usual number of hard locations, to
/// keep the reference short), and 64 queries against a tile that fits in the cache.
void shapes(benchmark::internal::Benchmark* benchmark) {
  benchmark->ArgNames({"queries", "stored", "bits"})
      ->Args({1, 100000, 1000})
      ->Args({64, 100000, 1000})
      ->Args({64, 1024, 784});
}

template <class Kernel> void run(benchmark::State& state, Kernel kernel) {
  const int64_t q = state.range(0), s = state.range(1), words = (state.range(2) + 63) / 64;
  const auto queries = random_words(1, q * words), stored = random_words(2, s * words);
  std::vector<int32_t> distances(static_cast<size_t>(q * s));
  for (auto _ : state) {
    kernel(HammingArgs{queries.data(), stored.data(), distances.data(), q, s, words});
    benchmark::DoNotOptimize(distances.data());
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations() * q * s); // comparisons
  state.SetLabel(cpu_target());
}

void BM_reference(benchmark::State& state) {
  run(state, reference::hamming);
}
void BM_hamming(benchmark::State& state) {
  run(state, hamming);
}
BENCHMARK(BM_reference)->Apply(shapes);
BENCHMARK(BM_hamming)->Apply(shapes);

} // namespace
} // namespace mneme::kernels
