// SPDX-License-Identifier: MIT

#include "kernels/weighted_bit_sum/weighted_bit_sum.h"

#include <algorithm>
#include <numeric>

#include "kernels/benchmark_inputs.h"
#include "mneme/core/cpu.h"

namespace mneme::kernels {
namespace {

/// Rows of random patterns at the distances that random patterns have: about 500 +- 16 of 1000 bits.
template <class Kernel> void run(benchmark::State& state, Kernel kernel) {
  const int64_t count = state.range(0), words = 16;
  const auto values = random_words(1, count * words);
  std::vector<int32_t> rows(static_cast<size_t>(count)), distances(rows.size());
  std::iota(rows.begin(), rows.end(), 0);
  Random random(2);
  for (int32_t& distance : distances) {
    distance = static_cast<int32_t>(500 + 16 * random.normal());
  }
  const auto weights = random_numbers<double>(3, 1001);
  std::vector<double> sums(static_cast<size_t>(64 * words));
  for (auto _ : state) {
    kernel({.values = values.data(),
            .rows = rows.data(),
            .distances = distances.data(),
            .weights = weights.data(),
            .sums = sums.data(),
            .num_rows = count,
            .words = words,
            .num_distances = std::ssize(weights)});
    benchmark::DoNotOptimize(sums.data());
  }
  state.SetItemsProcessed(state.iterations() * count);
  state.SetLabel(cpu_target());
}

/// Counts of the same rows, in tiles.
void BM_count_bits(benchmark::State& state) {
  const int64_t num_rows = state.range(0), words = 16, tile = 2048, num_distances = 1001;
  const auto values = random_words(1, num_rows * words);
  std::vector<int32_t> distances(static_cast<size_t>(num_rows));
  Random random(2);
  for (int32_t& distance : distances) {
    distance = static_cast<int32_t>(500 + 16 * random.normal());
  }
  BitCounts counts(words, num_distances, int64_t{1} << 29);
  for (auto _ : state) {
    for (int64_t first = 0; first < num_rows; first += tile) {
      count_bits({.counts = &counts,
                  .values = values.data(),
                  .rows = nullptr,
                  .distances = distances.data() + first,
                  .num_rows = std::min(tile, num_rows - first),
                  .first_row = static_cast<int32_t>(first)});
    }
    benchmark::DoNotOptimize(counts.planes.data());
  }
  state.SetItemsProcessed(state.iterations() * num_rows);
  state.SetLabel(cpu_target());
}

void BM_reference(benchmark::State& state) {
  run(state, reference::weighted_bit_sum);
}
void BM_weighted_bit_sum(benchmark::State& state) {
  run(state, weighted_bit_sum);
}
BENCHMARK(BM_reference)->ArgName("rows")->Arg(1000);
BENCHMARK(BM_weighted_bit_sum)->ArgName("rows")->Arg(1000)->Arg(32768);
BENCHMARK(BM_count_bits)->ArgName("rows")->Arg(32768);

} // namespace
} // namespace mneme::kernels
