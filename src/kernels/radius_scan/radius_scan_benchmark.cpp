// SPDX-License-Identifier: MIT

#include "kernels/radius_scan/radius_scan.h"

#include "kernels/benchmark_inputs.h"
#include "mneme/core/cpu.h"

namespace mneme::kernels {
namespace {

/// Addresses of 1000 bits and the radius that activates one in a thousand of them: a tenth of a usual number
/// of hard locations, to keep the reference short, and one tile for many queries.
void shapes(benchmark::internal::Benchmark* benchmark) {
  benchmark->ArgNames({"queries", "stored", "bits"})
      ->Args({1, 100000, 1000})
      ->Args({8, 100000, 1000})
      ->Args({64, 100000, 1000})
      ->Args({1024, 1024, 1000});
}

template <class Kernel> void run(benchmark::State& state, Kernel kernel) {
  const int64_t q = state.range(0), s = state.range(1), words = (state.range(2) + 63) / 64, capacity = 512;
  auto queries = random_words(1, q * words), stored = random_words(2, s * words);
  for (auto* patterns : {&queries, &stored}) {
    for (size_t last = static_cast<size_t>(words) - 1; last < patterns->size();
         last += static_cast<size_t>(words)) {
      (*patterns)[last] &= (uint64_t{1} << (state.range(2) % 64)) - 1;
    }
  }
  const std::vector<int32_t> limits(static_cast<size_t>(q),
                                    static_cast<int32_t>(state.range(2) * 451 / 1000));
  std::vector<int32_t> rows(static_cast<size_t>(q * capacity));
  std::vector<int64_t> counts(limits.size());
  for (auto _ : state) {
    kernel(RadiusScanArgs{.queries = queries.data(),
                          .stored = stored.data(),
                          .limits = limits.data(),
                          .rows = rows.data(),
                          .distances = nullptr,
                          .counts = counts.data(),
                          .min_distances = nullptr,
                          .num_queries = q,
                          .num_stored = s,
                          .words = words,
                          .capacity = capacity,
                          .first_row = 0});
    benchmark::DoNotOptimize(rows.data());
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations() * q * s); // comparisons
  state.SetLabel(cpu_target());
}

void BM_reference(benchmark::State& state) {
  run(state, reference::radius_scan);
}
void BM_radius_scan(benchmark::State& state) {
  run(state, radius_scan);
}
BENCHMARK(BM_reference)->Apply(shapes);
BENCHMARK(BM_radius_scan)->Apply(shapes);

} // namespace
} // namespace mneme::kernels
