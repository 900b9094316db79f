// SPDX-License-Identifier: MIT

#include "kernels/row_attention/row_attention.h"

#include <hwy/aligned_allocator.h>

#include "kernels/benchmark_inputs.h"
#include "kernels/softmax_projection/softmax_projection.h"
#include "mneme/core/cpu.h"

namespace mneme::kernels {
namespace {

/// Shapes: one query over digits, many queries over few digits, a small head, and a head for which
/// softmax_projection is the right kernel.
void shapes(benchmark::internal::Benchmark* benchmark) {
  benchmark->ArgNames({"queries", "stored", "size"})
      ->Args({1, 1000, 784})
      ->Args({1024, 4, 784})
      ->Args({8, 8, 64})
      ->Args({36, 36, 4})
      ->Args({64, 64, 8})
      ->Args({1024, 1024, 64});
}

template <class T, class Kernel> void run(benchmark::State& state, Kernel kernel) {
  const int64_t q = state.range(0), s = state.range(1), size = state.range(2);
  const auto queries = random_numbers<T>(1, q * size), stored = random_numbers<T>(2, s * size),
             values = random_numbers<T>(3, s * size);
  std::vector<T> readout(static_cast<size_t>(q * size));
  const auto workspace = hwy::AllocateAligned<T>(static_cast<size_t>(row_attention_workspace(q, s, size)));
  for (auto _ : state) {
    kernel(RowAttentionArgs<T>{.queries = {queries.data(), size},
                               .stored = {stored.data(), size},
                               .values = {values.data(), size},
                               .beta = T{1},
                               .readout = {readout.data(), size},
                               .row_max = nullptr,
                               .row_sum = nullptr,
                               .num_queries = q,
                               .num_stored = s,
                               .size = size,
                               .value_size = size,
                               .transposes_stored = is_transposing_faster<T>(q, s, size),
                               .workspace = workspace.get()});
    benchmark::DoNotOptimize(readout.data());
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations() * 2 * q * s * size); // multiply-adds of scores and sums
  state.SetLabel(cpu_target());
}

template <class T> void BM_reference(benchmark::State& state) {
  run<T>(state, [](const RowAttentionArgs<T>& args) { reference::row_attention(args); });
}
template <class T> void BM_row_attention(benchmark::State& state) {
  run<T>(state, [](const RowAttentionArgs<T>& args) { row_attention(args); });
}
/// The same by softmax_projection.
template <class T> void BM_softmax_projection(benchmark::State& state) {
  run<T>(state, [](const RowAttentionArgs<T>& args) {
    softmax_projection(SoftmaxProjectionArgs<T>{
        args.queries.data, args.stored.data, args.values.data, args.beta, args.readout.data, nullptr, nullptr,
        args.num_queries, args.num_stored, args.size, args.value_size});
  });
}
BENCHMARK(BM_reference<float>)->Apply(shapes);
BENCHMARK(BM_row_attention<float>)->Apply(shapes);
BENCHMARK(BM_row_attention<double>)->Apply(shapes);
BENCHMARK(BM_softmax_projection<float>)->Apply(shapes);
BENCHMARK(BM_softmax_projection<double>)->Apply(shapes);

} // namespace
} // namespace mneme::kernels
