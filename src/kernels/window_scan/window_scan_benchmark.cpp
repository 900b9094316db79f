// SPDX-License-Identifier: MIT

#include "kernels/window_scan/window_scan.h"

#include <hwy/highway.h>

#include "kernels/benchmark_inputs.h"
#include "kernels/window_scan/window_scan_problem.h"
#include "mneme/core/parallel.h"

namespace mneme::kernels {
namespace {

constexpr int64_t kHeads = 8, kHeadSize = 64, kRow = kHeads * kHeadSize; ///< the published width, 512

/// Rows of query | focus | key | value, as a projection gives them.
struct Sequence {
  std::vector<float> rows, readout;
  std::vector<int64_t> windows;
  int64_t length;

  Sequence(int64_t tokens, int64_t window)
      : rows(random_numbers<float>(1, tokens * 4 * kRow)), readout(static_cast<size_t>(tokens * kRow)),
        windows(kHeads, window), length(tokens) {}

  WindowScanArgs<float> args(FocusWeight focus_weight) {
    const float* y = rows.data();
    return {y, y + kRow, y + 2 * kRow, y + 3 * kRow, 4 * kRow, windows.data(), 0.125F, focus_weight, readout.data(),
            kRow, nullptr, 0, {}, length, kHeads, kHeadSize};
  }
};

/// What no kernel can do without: every row read, every readout written, by the kinder kind of store.
void BM_pass(benchmark::State& state) {
  namespace hn = hwy::HWY_NAMESPACE;
  Sequence sequence(state.range(0), 0);
  const auto args = sequence.args(FocusWeight::elu);
  const bool past_caches = sequence.readout.size() * sizeof(float) >= (4U << 20U);
  set_threads(static_cast<int>(state.range(2)));
  for (auto _ : state) {
    parallel_for(kHeads, kHeads / state.range(2), [&](int64_t begin, int64_t end) {
      const hn::ScalableTag<float> d;
      for (int64_t t = 0; t < args.length; ++t) {
        for (int64_t c = begin * kHeadSize; c < end * kHeadSize; c += static_cast<int64_t>(hn::Lanes(d))) {
          const int64_t at = t * args.row_stride + c;
          const auto sum = hn::Add(hn::Add(hn::LoadU(d, args.query + at), hn::LoadU(d, args.focus + at)),
                                   hn::Add(hn::LoadU(d, args.key + at), hn::LoadU(d, args.value + at)));
          float* to = args.readout + t * kRow + c;
          past_caches ? hn::Stream(sum, d, to) : hn::StoreU(sum, d, to);
        }
      }
    });
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations() * args.length);
}

template <class Kernel> void run(benchmark::State& state, FocusWeight focus_weight, Kernel kernel) {
  Sequence sequence(state.range(0), state.range(1));
  set_threads(static_cast<int>(state.range(2)));
  for (auto _ : state) {
    parallel_for(kHeads, kHeads / state.range(2), [&](int64_t begin, int64_t end) {
      kernel(heads_of(sequence.args(focus_weight), begin, end));
    });
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations() * sequence.length);
  state.SetLabel(window_scan_target());
}
void BM_reference(benchmark::State& state) {
  run(state, FocusWeight::elu, [](const WindowScanArgs<float>& args) { reference::window_scan(args); });
}
void BM_window_scan(benchmark::State& state) {
  run(state, FocusWeight::elu, [](const WindowScanArgs<float>& args) { window_scan(args); });
}
void BM_window_scan_exp(benchmark::State& state) {
  run(state, FocusWeight::exp, [](const WindowScanArgs<float>& args) { window_scan(args); });
}

/// One token after the other, each from the state that the last one left.
void BM_step(benchmark::State& state) {
  Sequence sequence(1024, state.range(0));
  std::vector<float> memory(static_cast<size_t>(kHeads * window_scan_state_size(state.range(0), kHeadSize)));
  auto args = sequence.args(FocusWeight::elu);
  args.state = memory.data();
  args.length = 1;
  for (auto _ : state) {
    window_scan(args);
    const int64_t at = ++args.position % 1024;
    const float* y = sequence.rows.data() + at * args.row_stride;
    args.query = y, args.focus = y + kRow, args.key = y + 2 * kRow, args.value = y + 3 * kRow;
    benchmark::ClobberMemory();
  }
  state.SetLabel(window_scan_target());
}

void shapes(benchmark::internal::Benchmark* benchmark) {
  benchmark->ArgNames({"tokens", "window", "threads"})->Unit(benchmark::kMillisecond)->UseRealTime();
  for (const int64_t threads : {1, 2}) {
    for (const int64_t tokens : {1024, 4096, 16384, 65536}) {
      for (const int64_t window : {0, 4, 64, 100, 256}) {
        benchmark->Args({tokens, window, threads});
      }
    }
  }
}
void sizes(benchmark::internal::Benchmark* benchmark) {
  benchmark->ArgNames({"tokens", "window", "threads"})->Unit(benchmark::kMillisecond)->UseRealTime();
  for (const int64_t threads : {1, 2}) {
    for (const int64_t tokens : {1024, 4096, 16384, 65536}) {
      benchmark->Args({tokens, 0, threads});
    }
  }
}
BENCHMARK(BM_reference)->ArgNames({"tokens", "window", "threads"})->Unit(benchmark::kMillisecond)->Args({4096, 64, 1});
BENCHMARK(BM_pass)->Apply(sizes);
BENCHMARK(BM_window_scan)->Apply(shapes);
BENCHMARK(BM_window_scan_exp)->Apply(sizes);
BENCHMARK(BM_step)->ArgNames({"window"})->Arg(0)->Arg(4)->Arg(16)->Arg(100)->Arg(256)->Arg(4096);

} // namespace
} // namespace mneme::kernels
