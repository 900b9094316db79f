// SPDX-License-Identifier: MIT

#include "kernels/linear/linear.h"

#include "kernels/linear_benchmark_inputs.h"

namespace mneme::kernels {
namespace {

template <class T> void BM_reference(benchmark::State& state) {
  run<T>(state, forward<T>(state.range(0), state.range(1), state.range(2)), reference::linear);
}
template <class T> void BM_linear(benchmark::State& state) {
  run<T>(state, forward<T>(state.range(0), state.range(1), state.range(2)), linear);
}
template <class T> void BM_input_gradient(benchmark::State& state) {
  run<T>(state, input_gradient<T>(state.range(0), state.range(1), state.range(2)), linear);
}
template <class T> void BM_weight_gradient(benchmark::State& state) {
  run<T>(state, weight_gradient<T>(state.range(0), state.range(1), state.range(2)), linear);
}
BENCHMARK(BM_reference<float>)->Apply(linear_shapes);
BENCHMARK(BM_linear<float>)->Apply(linear_shapes);
BENCHMARK(BM_input_gradient<float>)->Apply(linear_shapes);
BENCHMARK(BM_weight_gradient<float>)->Apply(linear_shapes);
BENCHMARK(BM_reference<double>)->Apply(linear_shapes);
BENCHMARK(BM_linear<double>)->Apply(linear_shapes);

} // namespace
} // namespace mneme::kernels
