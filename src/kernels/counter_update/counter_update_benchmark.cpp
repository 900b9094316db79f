// SPDX-License-Identifier: MIT

#include "kernels/counter_update/counter_update.h"

#include <numeric>

#include "kernels/benchmark_inputs.h"
#include "mneme/core/cpu.h"

namespace mneme::kernels {
namespace {

/// Updates of locations of 1000 counters by 1 pattern each, as a single write does, and by 10, as a large
/// batch does.
template <class Kernel> void run(benchmark::State& state, Kernel kernel) {
  const int64_t locations = 1000, each = state.range(0), words = 16;
  std::vector<int16_t> counters(static_cast<size_t>(locations * 64 * words));
  const auto patterns = random_words(1, each * words);
  std::vector<int64_t> rows(locations);
  std::iota(rows.begin(), rows.end(), 0);
  std::vector<int32_t> offsets(locations + 1), written;
  for (size_t i = 0; i < rows.size(); ++i) {
    offsets[i + 1] = offsets[i] + static_cast<int32_t>(each);
    for (int32_t j = 0; j < each; ++j) {
      written.push_back(j);
    }
  }
  int16_t sign = 1;
  for (auto _ : state) {
    kernel(CounterUpdateArgs{counters.data(), patterns.data(), rows.data(), offsets.data(), written.data(),
                             locations, words, 64 * words, sign, false});
    sign = static_cast<int16_t>(-sign); // counters stay small
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations() * locations * each); // patterns added to a location
  state.SetLabel(cpu_target());
}

void BM_reference(benchmark::State& state) {
  run(state, reference::counter_update);
}
void BM_counter_update(benchmark::State& state) {
  run(state, counter_update);
}
BENCHMARK(BM_reference)->ArgName("patterns")->Arg(1)->Arg(10);
BENCHMARK(BM_counter_update)->ArgName("patterns")->Arg(1)->Arg(10);

} // namespace
} // namespace mneme::kernels
