// SPDX-License-Identifier: MIT

/// Plain LibTorch on one thread, with the shapes and names of the kernel benchmarks.

#include <torch/torch.h>

#include <benchmark/benchmark.h>

#include "kernels/linear_benchmark_inputs.h"

namespace {

template <class T> torch::Tensor numbers(int64_t rows, int64_t columns) {
  return torch::rand({rows, columns}, torch::CppTypeToScalarType<T>::value) - 0.5;
}

template <class Step> void run(benchmark::State& state, int64_t items, Step step) {
  const torch::InferenceMode guard;
  torch::set_num_threads(1);
  for (auto _ : state) {
    torch::Tensor result = step();
    benchmark::DoNotOptimize(result.data_ptr());
  }
  state.SetItemsProcessed(state.iterations() * items);
  state.SetLabel("LibTorch " TORCH_VERSION);
}

/// Hamming distances as in the published code, with bits stored as floats.
void BM_hamming(benchmark::State& state) {
  const int64_t q = state.range(0), s = state.range(1), bits = state.range(2);
  const torch::Tensor queries = (numbers<float>(q, bits) > 0).to(torch::kFloat),
                      stored = (numbers<float>(s, bits) > 0).to(torch::kFloat);
  run(state, q * s, [&] { return torch::cdist(queries, stored, 0.0); });
}
BENCHMARK(BM_hamming)
    ->ArgNames({"queries", "stored", "bits"})
    ->Args({1, 100000, 1000})
    ->Args({64, 100000, 1000})
    ->Args({64, 1024, 784});

template <class T> void BM_dot(benchmark::State& state) {
  const int64_t q = state.range(0), s = state.range(1), size = state.range(2);
  const torch::Tensor queries = numbers<T>(q, size), stored = numbers<T>(s, size);
  run(state, q * s * size, [&] { return torch::matmul(queries, stored.t()); });
}
template <class T> void BM_weighted_sum(benchmark::State& state) {
  const int64_t q = state.range(0), s = state.range(1), size = state.range(2);
  const torch::Tensor weights = numbers<T>(q, s), values = numbers<T>(s, size);
  run(state, q * s * size, [&] { return torch::matmul(weights, values); });
}
template <class T> void BM_softmax_projection(benchmark::State& state) {
  const int64_t q = state.range(0), s = state.range(1), size = state.range(2);
  const torch::Tensor queries = numbers<T>(q, size), stored = numbers<T>(s, size),
                      values = numbers<T>(s, size);
  run(state, 2 * q * s * size,
      [&] { return torch::matmul(torch::softmax(torch::matmul(queries, stored.t()), -1), values); });
}

template <class T> void BM_linear(benchmark::State& state) {
  const int64_t rows = state.range(0), inner = state.range(1), columns = state.range(2);
  const torch::Tensor x = numbers<T>(rows, inner), weight = numbers<T>(columns, inner);
  run(state, rows * inner * columns, [&] { return torch::linear(x, weight); });
}

void dot_shapes(benchmark::internal::Benchmark* benchmark) {
  benchmark->ArgNames({"queries", "stored", "size"})
      ->Args({48, 1000, 784})
      ->Args({48, 1024, 64})
      ->Args({1, 100000, 64});
}
void sum_shapes(benchmark::internal::Benchmark* benchmark) {
  benchmark->ArgNames({"queries", "stored", "value_size"})
      ->Args({48, 1000, 784})
      ->Args({48, 1024, 64})
      ->Args({1, 100000, 64});
}
void step_shapes(benchmark::internal::Benchmark* benchmark) {
  benchmark->ArgNames({"queries", "stored", "size"})
      ->Args({48, 1000, 784})
      ->Args({1024, 1024, 16})
      ->Args({1024, 1024, 64});
}
BENCHMARK(BM_linear<float>)->Apply(mneme::kernels::linear_shapes);
BENCHMARK(BM_linear<double>)->Apply(mneme::kernels::linear_shapes);
BENCHMARK(BM_dot<float>)->Apply(dot_shapes);
BENCHMARK(BM_dot<double>)->Apply(dot_shapes);
BENCHMARK(BM_weighted_sum<float>)->Apply(sum_shapes);
BENCHMARK(BM_weighted_sum<double>)->Apply(sum_shapes);
BENCHMARK(BM_softmax_projection<float>)->Apply(step_shapes);
BENCHMARK(BM_softmax_projection<double>)->Apply(step_shapes);

} // namespace
