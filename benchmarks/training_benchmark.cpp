// SPDX-License-Identifier: MIT

/// Training in the published comparison of self-attention with an MLP: one seed, and many seeds in parallel.

#include <benchmark/benchmark.h>

#include "mneme/core/cpu.h"
#include "mneme/core/parallel.h"
#include "mneme/training/sparse_and.h"

namespace mneme::training {
namespace {

/// Arguments of the benchmark: number of seeds, number of threads. The time is that of all seeds.
void run(benchmark::State& state, const BinaryModel& model, const Schedule& schedule) {
  const int before = threads();
  set_threads(static_cast<int>(state.range(1)));
  SparseAndOptions options{.model = model, .schedule = schedule, .seeds = state.range(0)};
  Progress silent;
  for (auto _ : state) {
    benchmark::DoNotOptimize(train_sparse_and(options, silent).data());
  }
  set_threads(before);
  state.SetItemsProcessed(state.iterations() * options.seeds);
  state.SetLabel(cpu_target());
}

void BM_self_attention(benchmark::State& state) {
  run(state, self_attention_model(17), {.epochs = 2000, .learning_rate = 1e-2});
}
void BM_mlp(benchmark::State& state) {
  run(state, mlp_model(17), {.epochs = 500, .learning_rate = 1e-3});
}

void one_and_many(benchmark::internal::Benchmark* benchmark) {
  const int64_t all = threads();
  benchmark->ArgNames({"seeds", "threads"})
      ->Args({1, 1})
      ->Args({4 * all, all})
      ->Unit(benchmark::kMillisecond);
  benchmark->UseRealTime();
}
BENCHMARK(BM_self_attention)->Apply(one_and_many);
BENCHMARK(BM_mlp)->Apply(one_and_many);

} // namespace
} // namespace mneme::training
