// SPDX-License-Identifier: MIT

#include "kernels/gelu/gelu.h"

#include "kernels/benchmark_inputs.h"

namespace mneme::kernels {
namespace {

void run(benchmark::State& state, void (*kernel)(const GeluArgs&)) {
  const int64_t count = state.range(0);
  const auto inputs = random_numbers<double>(1, count);
  std::vector<double> values(inputs.size()), slopes(inputs.size());
  for (auto _ : state) {
    kernel({inputs.data(), values.data(), slopes.data(), count});
    benchmark::DoNotOptimize(values.data());
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations() * count);
  state.SetLabel(gelu_target());
}

void BM_reference(benchmark::State& state) {
  run(state, reference::gelu);
}
void BM_gelu(benchmark::State& state) {
  run(state, gelu);
}
// 200 samples through 512 hidden units.
BENCHMARK(BM_reference)->ArgName("count")->Arg(200 * 512);
BENCHMARK(BM_gelu)->ArgName("count")->Arg(200 * 512);

} // namespace
} // namespace mneme::kernels
