// SPDX-License-Identifier: MIT

#include "kernels/select_rows/select_rows.h"

#include "kernels/benchmark_inputs.h"
#include "mneme/core/cpu.h"

namespace mneme::kernels {
namespace {

/// A tile of distances of which one in a thousand is near, as in a sparse distributed memory.
template <class Kernel> void run(benchmark::State& state, Kernel kernel) {
  const int64_t count = state.range(0);
  const auto words = random_words(1, count);
  std::vector<int32_t> distances(words.size()), rows(words.size()), near(words.size());
  for (size_t i = 0; i < words.size(); ++i) {
    distances[i] = static_cast<int32_t>(words[i] % 1000);
  }
  for (auto _ : state) {
    benchmark::DoNotOptimize(kernel({.distances = distances.data(),
                                     .rows = rows.data(),
                                     .row_distances = near.data(),
                                     .num_rows = count,
                                     .limit = 0,
                                     .first_row = 0}));
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations() * count);
  state.SetLabel(cpu_target());
}

void BM_reference(benchmark::State& state) {
  run(state, reference::select_rows);
}
void BM_select_rows(benchmark::State& state) {
  run(state, select_rows);
}
BENCHMARK(BM_reference)->ArgName("rows")->Arg(1024);
BENCHMARK(BM_select_rows)->ArgName("rows")->Arg(1024);

} // namespace
} // namespace mneme::kernels
