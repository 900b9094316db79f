// SPDX-License-Identifier: MIT

#include "kernels/window_scan/window_scan.h"

#include <hwy/cache_control.h>
#include <hwy/highway.h>

#include "kernels/window_scan/window_scan_problem.h"
#include "kernels/window_scan/window_scan_sequence.h"
#include "mneme/core/parallel.h"
#include "mneme/core/cpu.h"

namespace mneme::kernels {
namespace {

/// Lower bound for any kernel: reads every row and writes every readout once, in memory order.
void BM_pass(benchmark::State& state) {
  namespace hn = hwy::HWY_NAMESPACE;
  WindowScanSequence sequence(state.range(0), 0);
  const int64_t n = static_cast<int64_t>(hn::Lanes(hn::ScalableTag<float>())), row = sequence.kRow;
  const bool past_caches = sequence.readout.size() * sizeof(float) >= (4U << 20U);
  set_threads(static_cast<int>(state.range(2)));
  for (auto _ : state) {
    parallel_for(sequence.length, sequence.length / state.range(2), [&](int64_t begin, int64_t end) {
      const hn::ScalableTag<float> d;
      const float* from = sequence.rows.data() + begin * 4 * row;
      float* to = sequence.readout.data() + begin * row;
      for (; to < sequence.readout.data() + end * row; to += n, from += 4 * n) {
        const auto sum = hn::Add(hn::Add(hn::LoadU(d, from), hn::LoadU(d, from + n)),
                                 hn::Add(hn::LoadU(d, from + 2 * n), hn::LoadU(d, from + 3 * n)));
        past_caches ? hn::Stream(sum, d, to) : hn::StoreU(sum, d, to);
      }
      hwy::FlushStream();
    });
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations() * sequence.length);
}

template <class Kernel> void run(benchmark::State& state, FocusWeight focus_weight, Kernel kernel) {
  WindowScanSequence sequence(state.range(0), state.range(1));
  set_threads(static_cast<int>(state.range(2)));
  for (auto _ : state) {
    parallel_for(sequence.kHeads, sequence.kHeads / state.range(2), [&](int64_t begin, int64_t end) {
      kernel(slice_heads(sequence.args(focus_weight, false), begin, end));
    });
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations() * sequence.length);
  state.SetLabel(cpu_target());
}
void BM_reference(benchmark::State& state) {
  run(state, FocusWeight::elu, [](const WindowScanArgs<float>& args) { reference::window_scan(args); });
}
void BM_window_scan(benchmark::State& state) {
  run(state, FocusWeight::elu, [](const WindowScanArgs<float>& args) { window_scan(args); });
}
void BM_window_scan_exp(benchmark::State& state) {
  run(state, FocusWeight::exponential, [](const WindowScanArgs<float>& args) { window_scan(args); });
}

/// Recurrent generation: one token per call, each continuing the state of the one before.
void BM_step(benchmark::State& state) {
  constexpr int64_t kTokens = 64; // few enough to stay in the cache, as the output of a projection does
  WindowScanSequence sequence(kTokens, state.range(0));
  std::vector<float> memory(
      static_cast<size_t>(sequence.kHeads * window_scan_state_size(state.range(0), sequence.kHeadSize)));
  const auto all = sequence.args(FocusWeight::elu, false);
  auto args = all;
  args.state = memory.data();
  args.length = 1;
  for (auto _ : state) {
    window_scan(args);
    const int64_t at = ++args.position % kTokens * args.row_stride;
    args.query = all.query + at, args.focus = all.focus + at, args.key = all.key + at,
    args.value = all.value + at;
    benchmark::ClobberMemory();
  }
  state.SetLabel(cpu_target());
}

const std::vector<int64_t> kTokens{1024, 4096, 16384, 65536};
BENCHMARK(BM_reference)->Apply([](auto* benchmark) { window_scan_shapes(benchmark, {1}, {4096}, {64}); });
BENCHMARK(BM_pass)->Apply([](auto* benchmark) { window_scan_shapes(benchmark, {1, 2}, kTokens, {0}); });
BENCHMARK(BM_window_scan)->Apply([](auto* benchmark) {
  window_scan_shapes(benchmark, {1, 2}, kTokens, {0, 4, 64, 100, 256});
});
BENCHMARK(BM_window_scan_exp)->Apply([](auto* benchmark) {
  window_scan_shapes(benchmark, {1}, {4096, 65536}, {0, 256});
});
BENCHMARK(BM_step)->ArgNames({"window"})->Arg(0)->Arg(4)->Arg(16)->Arg(100)->Arg(256)->Arg(4096);

} // namespace
} // namespace mneme::kernels
