// SPDX-License-Identifier: MIT

#include "kernels/bfloat16_linear/bfloat16_linear.h"

#include "kernels/linear_benchmark_inputs.h"

namespace mneme::kernels {
namespace {

void BM_reference(benchmark::State& state) {
  run<float>(state, forward<float>(state.range(0), state.range(1), state.range(2)),
             reference::bfloat16_linear);
}
void BM_bfloat16_linear(benchmark::State& state) {
  run<float>(state, forward<float>(state.range(0), state.range(1), state.range(2)), bfloat16_linear);
}
void BM_input_gradient(benchmark::State& state) {
  run<float>(state, input_gradient<float>(state.range(0), state.range(1), state.range(2)), bfloat16_linear);
}
void BM_weight_gradient(benchmark::State& state) {
  run<float>(state, weight_gradient<float>(state.range(0), state.range(1), state.range(2)), bfloat16_linear);
}
BENCHMARK(BM_reference)->Apply(linear_shapes);
BENCHMARK(BM_bfloat16_linear)->Apply(linear_shapes);
BENCHMARK(BM_input_gradient)->Apply(linear_shapes);
BENCHMARK(BM_weight_gradient)->Apply(linear_shapes);

} // namespace
} // namespace mneme::kernels
