// SPDX-License-Identifier: MIT

#include "kernels/window_scan_gradient/window_scan_gradient.h"

#include "kernels/benchmark_inputs.h"
#include "kernels/window_scan/window_scan_sequence.h"
#include "kernels/window_scan_gradient/window_scan_gradient_problem.h"
#include "mneme/core/parallel.h"
#include "mneme/core/cpu.h"

namespace mneme::kernels {
namespace {

template <class Kernel> void run(benchmark::State& state, FocusWeight focus_weight, Kernel kernel) {
  WindowScanSequence sequence(state.range(0), state.range(1));
  const int64_t row = sequence.kRow;
  const auto d_readout = random_numbers<float>(2, sequence.length * row);
  std::vector<float> d_rows(static_cast<size_t>(sequence.length * 4 * row));
  const auto state_size = window_scan_gradient_state_size(state.range(1), sequence.kHeadSize);
  std::vector<float> state_buffer(static_cast<size_t>(sequence.kHeads * state_size));
  const auto forward = sequence.args(focus_weight, true);
  window_scan(forward);
  const WindowScanTrace<float>& trace = forward.trace;
  const WindowScanGradientArgs<float> args{forward.query,
                                           forward.focus,
                                           forward.key,
                                           forward.value,
                                           forward.row_stride,
                                           forward.windows,
                                           forward.scale,
                                           focus_weight,
                                           forward.readout,
                                           row,
                                           d_readout.data(),
                                           row,
                                           {trace.logits, trace.gate_logits, trace.denominators,
                                            trace.references, trace.stride, trace.carries,
                                            trace.carry_stride},
                                           d_rows.data(),
                                           d_rows.data() + row,
                                           d_rows.data() + 2 * row,
                                           d_rows.data() + 3 * row,
                                           4 * row,
                                           state_buffer.data(),
                                           0,
                                           sequence.length,
                                           sequence.length,
                                           sequence.kHeads,
                                           sequence.kHeadSize};
  set_threads(static_cast<int>(state.range(2)));
  for (auto _ : state) {
    parallel_for(sequence.kHeads, sequence.kHeads / state.range(2),
                 [&](int64_t begin, int64_t end) { kernel(slice_heads(args, begin, end)); });
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations() * sequence.length);
  state.SetLabel(cpu_target());
}
void BM_reference(benchmark::State& state) {
  run(state, FocusWeight::elu,
      [](const WindowScanGradientArgs<float>& args) { reference::window_scan_gradient(args); });
}
void BM_window_scan_gradient(benchmark::State& state) {
  run(state, FocusWeight::elu, [](const WindowScanGradientArgs<float>& args) { window_scan_gradient(args); });
}
void BM_window_scan_gradient_exp(benchmark::State& state) {
  run(state, FocusWeight::exponential,
      [](const WindowScanGradientArgs<float>& args) { window_scan_gradient(args); });
}

BENCHMARK(BM_reference)->Apply([](auto* benchmark) { window_scan_shapes(benchmark, {1}, {1024}, {64}); });
BENCHMARK(BM_window_scan_gradient)->Apply([](auto* benchmark) {
  window_scan_shapes(benchmark, {1, 2}, {1024, 4096, 16384, 65536}, {0, 4, 64, 256});
});
BENCHMARK(BM_window_scan_gradient_exp)->Apply([](auto* benchmark) {
  window_scan_shapes(benchmark, {1}, {4096, 65536}, {0, 256});
});

} // namespace
} // namespace mneme::kernels
