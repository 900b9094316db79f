// SPDX-License-Identifier: MIT

#include "kernels/int8_linear/int8_linear.h"

#include "kernels/benchmark_inputs.h"
#include "mneme/core/cpu.h"

namespace mneme::kernels {
namespace {

/// Layers of GPT-2 small for one token and for a prompt, and its logits for one token, whose matrix is larger
/// than the caches of most CPUs.
void shapes(benchmark::internal::Benchmark* benchmark) {
  benchmark->ArgNames({"rows", "inner", "columns"})
      ->Args({1, 768, 50257})
      ->Args({1, 768, 3072})
      ->Args({1, 3072, 768})
      ->Args({64, 768, 3072})
      ->Args({512, 768, 768});
}

struct Inputs {
  explicit Inputs(const benchmark::State& state)
      : rows(state.range(0)), inner(state.range(1)), columns(state.range(2)),
        x(random_numbers<float>(1, rows * inner)), a(static_cast<size_t>(rows * inner)),
        scales(static_cast<size_t>(rows)), b(static_cast<size_t>(columns * (inner + kInt8ScaleBytes))),
        out(static_cast<size_t>(rows * columns)) {
    const std::vector<uint64_t> words = random_words(2, static_cast<int64_t>(b.size()));
    for (size_t i = 0; i < b.size(); ++i) { // their scales are any numbers
      b[i] = static_cast<int8_t>(static_cast<int64_t>(words[i] % (2 * kInt8Max + 1)) - kInt8Max);
    }
  }
  QuantiseRowsArgs quantise_args() { return {x.data(), inner, a.data(), scales.data(), rows, inner}; }
  Int8LinearArgs args() {
    return {.a = a.data(),
            .a_scales = scales.data(),
            .b = b.data(),
            .out = out.data(),
            .out_row = columns,
            .rows = rows,
            .columns = columns,
            .inner = inner};
  }

  int64_t rows, inner, columns;
  std::vector<float> x;
  std::vector<int16_t> a;
  std::vector<float> scales;
  std::vector<int8_t> b;
  std::vector<float> out;
};

/// Rows are quantised in each call, as a layer does.
void run(benchmark::State& state, void (*quantise)(const QuantiseRowsArgs&),
         void (*kernel)(const Int8LinearArgs&)) {
  Inputs inputs(state);
  for (auto _ : state) {
    quantise(inputs.quantise_args());
    kernel(inputs.args());
    benchmark::DoNotOptimize(inputs.out.data());
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations() * inputs.rows * inputs.inner * inputs.columns); // multiply-adds
  state.SetLabel(cpu_target());
}

void BM_reference(benchmark::State& state) {
  run(state, reference::quantise_rows, reference::int8_linear);
}
void BM_int8_linear(benchmark::State& state) {
  run(state, quantise_rows, int8_linear);
}
BENCHMARK(BM_reference)->Apply(shapes);
BENCHMARK(BM_int8_linear)->Apply(shapes);

} // namespace
} // namespace mneme::kernels
