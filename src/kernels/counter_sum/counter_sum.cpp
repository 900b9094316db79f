// SPDX-License-Identifier: MIT

#include "kernels/counter_sum/counter_sum.h"

#include "kernels/export.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/counter_sum/counter_sum.cpp"
#include <hwy/foreach_target.h>

#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace mneme::kernels::HWY_NAMESPACE {
namespace { // every kernel has its own names
namespace hn = hwy::HWY_NAMESPACE;

#if HWY_TARGET == HWY_SCALAR // One lane cannot be promoted by halves, and the reference is what it would do.
void CounterSum(const CounterSumArgs& args) {
  reference::counter_sum(args);
}
#else

const hn::ScalableTag<int16_t> d16;
const hn::Repartition<int32_t, decltype(d16)> d32;

/// Adds `count` rows to the columns from `first` on, at most kColumns of them: sums of 16 bits in the cache,
/// which are added to those of 32 bits once. A row is read from its begin to its end, as the hardware
/// prefetches it.
constexpr int64_t kColumns = 2048;

HWY_INLINE void AddRows(const CounterSumArgs& args, const int32_t* rows, int64_t count, int64_t first,
                        int64_t columns) {
  const auto lanes = static_cast<int64_t>(hn::Lanes(d16)), lanes32 = static_cast<int64_t>(hn::Lanes(d32));
  HWY_ALIGN int16_t sums[kColumns];
  const int64_t whole = columns / lanes * lanes;
  for (int64_t b = 0; b < whole; b += lanes) {
    hn::Store(hn::Zero(d16), d16, sums + b);
  }
  for (int64_t i = 0; i < count; ++i) {
    const int16_t* from = args.counters + rows[i] * args.size + first;
    for (int64_t b = 0; b < whole; b += lanes) {
      hn::Store(hn::Add(hn::Load(d16, sums + b), hn::LoadU(d16, from + b)), d16, sums + b);
    }
    for (int64_t b = whole; b < columns; ++b) {
      args.sums[first + b] += from[b];
    }
  }
  const hn::Half<decltype(d16)> half;
  for (int64_t b = 0; b < whole; b += lanes) {
    const auto of_rows = hn::Load(d16, sums + b);
    int32_t* to = args.sums + first + b;
    hn::StoreU(hn::Add(hn::LoadU(d32, to), hn::PromoteTo(d32, hn::LowerHalf(half, of_rows))), d32, to);
    hn::StoreU(hn::Add(hn::LoadU(d32, to + lanes32), hn::PromoteTo(d32, hn::UpperHalf(half, of_rows))), d32,
               to + lanes32);
  }
}

void CounterSum(const CounterSumArgs& args) {
  // Sums of 16 bits cannot overflow within as many rows.
  const int64_t at_once = HWY_MAX(int64_t{1}, 32767 / HWY_MAX(int64_t{1}, args.magnitude));
  for (int64_t first = 0; first < args.size; first += kColumns) {
    const int64_t columns = HWY_MIN(kColumns, args.size - first);
    for (int64_t i = 0; i < args.num_rows; i += at_once) {
      AddRows(args, args.rows + i, HWY_MIN(at_once, args.num_rows - i), first, columns);
    }
  }
}
#endif

} // namespace
} // namespace mneme::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace mneme::kernels {

MNEME_EXPORT_UNTYPED_KERNEL(void, counter_sum, CounterSum, CounterSumArgs)

} // namespace mneme::kernels
#endif
