// SPDX-License-Identifier: MIT

#include "kernels/counter_sum/counter_sum.h"

#include "kernels/benchmark_inputs.h"
#include "mneme/core/cpu.h"

namespace mneme::kernels {
namespace {

/// Sum of the 1000 rows of 1024 counters that a cue activates, in the cache and out of it.
template <class Kernel> void run(benchmark::State& state, Kernel kernel) {
  const int64_t num_rows = 1000, size = 1024, rows_of_all = state.range(0);
  const std::vector<int16_t> counters(static_cast<size_t>(rows_of_all * size), 3);
  std::vector<int32_t> rows, sums(static_cast<size_t>(size));
  for (int64_t i = 0; i < num_rows; ++i) {
    rows.push_back(static_cast<int32_t>(i * rows_of_all / num_rows));
  }
  for (auto _ : state) {
    std::fill(sums.begin(), sums.end(), 0);
    kernel(CounterSumArgs{counters.data(), rows.data(), sums.data(), num_rows, size, 30});
    benchmark::DoNotOptimize(sums.data());
  }
  state.SetBytesProcessed(state.iterations() * num_rows * size * static_cast<int64_t>(sizeof(int16_t)));
  state.SetLabel(cpu_target());
}

void BM_reference(benchmark::State& state) {
  run(state, reference::counter_sum);
}
void BM_counter_sum(benchmark::State& state) {
  run(state, counter_sum);
}
BENCHMARK(BM_reference)->ArgName("stored")->Arg(1000)->Arg(100000);
BENCHMARK(BM_counter_sum)->ArgName("stored")->Arg(1000)->Arg(100000);

} // namespace
} // namespace mneme::kernels
