// SPDX-License-Identifier: MIT

#include "kernels/softmax_projection/softmax_projection.h"

#include "kernels/benchmark_inputs.h"
#include "kernels/mask_inputs.h"
#include "mneme/core/cpu.h"

namespace mneme::kernels {
namespace {

/// Shapes: 48 queries over 1000 digits of 784 pixels, and one head of 1024 x 1024 with head sizes 16 and 64.
void shapes(benchmark::internal::Benchmark* benchmark) {
  benchmark->ArgNames({"queries", "stored", "size"})
      ->Args({48, 1000, 784})
      ->Args({1024, 1024, 16})
      ->Args({1024, 1024, 64});
}

template <class T, class Kernel>
void run(benchmark::State& state, Kernel kernel, MaskKind kind = MaskKind::none, double dropout = 0) {
  const int64_t q = state.range(0), s = state.range(1), size = state.range(2);
  const auto queries = random_numbers<T>(1, q * size), stored = random_numbers<T>(2, s * size),
             values = random_numbers<T>(3, s * size);
  std::vector<T> readout(static_cast<size_t>(q * size));
  const MaskInputs<T> mask(kind, q, s);
  for (auto _ : state) {
    kernel(SoftmaxProjectionArgs<T>{queries.data(),
                                    stored.data(),
                                    values.data(),
                                    T{1},
                                    readout.data(),
                                    nullptr,
                                    nullptr,
                                    q,
                                    s,
                                    size,
                                    size,
                                    mask.mask(),
                                    {dropout, 1}});
    benchmark::DoNotOptimize(readout.data());
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations() * 2 * q * s * size); // multiply-adds of scores and sums
  state.SetLabel(cpu_target());
}

template <class T> void BM_reference(benchmark::State& state) {
  run<T>(state, [](const SoftmaxProjectionArgs<T>& args) { reference::softmax_projection(args); });
}
template <class T> void BM_softmax_projection(benchmark::State& state) {
  run<T>(state, [](const SoftmaxProjectionArgs<T>& args) { softmax_projection(args); });
}
/// Items count all pairs, masked ones included.
template <MaskKind kKind> void BM_masked(benchmark::State& state) {
  run<float>(
      state, [](const SoftmaxProjectionArgs<float>& args) { softmax_projection(args); }, kKind);
}
void BM_dropout(benchmark::State& state) {
  run<float>(
      state, [](const SoftmaxProjectionArgs<float>& args) { softmax_projection(args); }, MaskKind::none, 0.1);
}
BENCHMARK(BM_reference<float>)->Apply(shapes);
BENCHMARK(BM_softmax_projection<float>)->Apply(shapes);
BENCHMARK(BM_reference<double>)->Apply(shapes);
BENCHMARK(BM_softmax_projection<double>)->Apply(shapes);
BENCHMARK(BM_masked<MaskKind::key_padding>)->Name("BM_key_padding_mask<float>")->Apply(shapes);
BENCHMARK(BM_masked<MaskKind::boolean>)->Name("BM_attention_mask<float>")->Apply(shapes);
BENCHMARK(BM_masked<MaskKind::causal>)->Name("BM_causal_mask<float>")->Apply(shapes);
BENCHMARK(BM_masked<MaskKind::additive>)->Name("BM_attention_bias<float>")->Apply(shapes);
BENCHMARK(BM_dropout)->Name("BM_dropout<float>")->Apply(shapes);

} // namespace
} // namespace mneme::kernels
