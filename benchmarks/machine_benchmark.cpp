// SPDX-License-Identifier: MIT

/// Limits of this machine on one thread: multiply-adds per second, bytes read from memory per second.

#include <cstdint>
#include <numeric>
#include <vector>

#include <benchmark/benchmark.h>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "benchmarks/machine_benchmark.cpp"
#include <hwy/foreach_target.h>

#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace mneme::benchmarks::HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

/// Runs `rounds` times twelve independent multiply-adds, enough for two FMA units with a latency of up to six
/// cycles. Returns the number of multiply-adds.
template <class T> int64_t MultiplyAdds(int64_t rounds, T* result) {
  const hn::ScalableTag<T> d;
  const auto factor = hn::Set(d, T(0.999)), term = hn::Set(d, T(0.001));
  auto a0 = hn::Iota(d, 1), a1 = hn::Iota(d, 2), a2 = hn::Iota(d, 3), a3 = hn::Iota(d, 4),
       a4 = hn::Iota(d, 5), a5 = hn::Iota(d, 6), a6 = hn::Iota(d, 7), a7 = hn::Iota(d, 8),
       a8 = hn::Iota(d, 9), a9 = hn::Iota(d, 10), a10 = hn::Iota(d, 11), a11 = hn::Iota(d, 12);
  for (int64_t i = 0; i < rounds; ++i) {
    a0 = hn::MulAdd(a0, factor, term);
    a1 = hn::MulAdd(a1, factor, term);
    a2 = hn::MulAdd(a2, factor, term);
    a3 = hn::MulAdd(a3, factor, term);
    a4 = hn::MulAdd(a4, factor, term);
    a5 = hn::MulAdd(a5, factor, term);
    a6 = hn::MulAdd(a6, factor, term);
    a7 = hn::MulAdd(a7, factor, term);
    a8 = hn::MulAdd(a8, factor, term);
    a9 = hn::MulAdd(a9, factor, term);
    a10 = hn::MulAdd(a10, factor, term);
    a11 = hn::MulAdd(a11, factor, term);
  }
  const auto sum0 = hn::Add(hn::Add(a0, a1), hn::Add(a2, a3)),
             sum1 = hn::Add(hn::Add(a4, a5), hn::Add(a6, a7)),
             sum2 = hn::Add(hn::Add(a8, a9), hn::Add(a10, a11));
  *result = hn::GetLane(hn::SumOfLanes(d, hn::Add(hn::Add(sum0, sum1), sum2)));
  return rounds * 12 * static_cast<int64_t>(hn::Lanes(d));
}

int64_t MultiplyAddsFloat(int64_t rounds, float* result) {
  return MultiplyAdds(rounds, result);
}
int64_t MultiplyAddsDouble(int64_t rounds, double* result) {
  return MultiplyAdds(rounds, result);
}

/// Reads all words once, four vectors at a time.
uint64_t Read(const uint64_t* words, int64_t count) {
  const hn::ScalableTag<uint64_t> d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  auto a0 = hn::Zero(d), a1 = a0, a2 = a0, a3 = a0;
  for (int64_t i = 0; i + 4 * lanes <= count; i += 4 * lanes) {
    a0 = hn::Xor(a0, hn::LoadU(d, words + i));
    a1 = hn::Xor(a1, hn::LoadU(d, words + i + lanes));
    a2 = hn::Xor(a2, hn::LoadU(d, words + i + 2 * lanes));
    a3 = hn::Xor(a3, hn::LoadU(d, words + i + 3 * lanes));
  }
  return hn::GetLane(hn::Xor(hn::Xor(a0, a1), hn::Xor(a2, a3)));
}

const char* Target() {
  return hwy::TargetName(HWY_TARGET);
}

} // namespace
} // namespace mneme::benchmarks::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace mneme::benchmarks {
namespace {

HWY_EXPORT(MultiplyAddsFloat);
HWY_EXPORT(MultiplyAddsDouble);
HWY_EXPORT(Read);
HWY_EXPORT(Target);

constexpr int64_t kRounds = 100'000;

int64_t multiply_adds(float* result) {
  return HWY_DYNAMIC_DISPATCH(MultiplyAddsFloat)(kRounds, result);
}
int64_t multiply_adds(double* result) {
  return HWY_DYNAMIC_DISPATCH(MultiplyAddsDouble)(kRounds, result);
}

template <class T> void multiply_adds_of(benchmark::State& state) {
  int64_t items = 0;
  T result = 0;
  for (auto _ : state) {
    items += multiply_adds(&result);
    benchmark::DoNotOptimize(result);
  }
  state.SetItemsProcessed(items);
  state.SetLabel(HWY_DYNAMIC_DISPATCH(Target)());
}
void BM_multiply_adds_float(benchmark::State& state) {
  multiply_adds_of<float>(state);
}
void BM_multiply_adds_double(benchmark::State& state) {
  multiply_adds_of<double>(state);
}
/// Reads 512 MiB, much more than any cache.
void BM_read_bytes(benchmark::State& state) {
  std::vector<uint64_t> words(size_t{1} << 26);
  std::iota(words.begin(), words.end(), uint64_t{1});
  for (auto _ : state) {
    benchmark::DoNotOptimize(HWY_DYNAMIC_DISPATCH(Read)(words.data(), static_cast<int64_t>(words.size())));
  }
  state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(words.size() * sizeof(uint64_t)));
  state.SetLabel(HWY_DYNAMIC_DISPATCH(Target)());
}
BENCHMARK(BM_multiply_adds_float);
BENCHMARK(BM_multiply_adds_double);
BENCHMARK(BM_read_bytes);

} // namespace
} // namespace mneme::benchmarks
#endif
