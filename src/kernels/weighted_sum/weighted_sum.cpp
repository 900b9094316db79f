// SPDX-License-Identifier: MIT

#include "kernels/weighted_sum/weighted_sum.h"

#include "kernels/export.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/weighted_sum/weighted_sum.cpp"
#include <hwy/foreach_target.h>

#include <hwy/aligned_allocator.h>
#include <hwy/highway.h>

#include "kernels/lane_product-inl.h"

HWY_BEFORE_NAMESPACE();
namespace mneme::kernels::HWY_NAMESPACE {
namespace { // every kernel has its own names

template <class T> void WeightedSum(const WeightedSumArgs<T>& args) {
  const int64_t lanes = PanelLanes<T>();
  constexpr int64_t kStoredPerTile = 64; // The error of a long sum grows with the tile, not with the whole.
  const auto weights = hwy::AllocateAligned<T>(static_cast<size_t>(kStoredPerTile * lanes));
  const auto sums = hwy::AllocateAligned<T>(static_cast<size_t>(HWY_MAX(args.value_size, 1) * lanes));
  const auto ones = hwy::AllocateAligned<T>(static_cast<size_t>(lanes));
  for (int64_t lane = 0; lane < lanes; ++lane) {
    ones[static_cast<size_t>(lane)] = T{1};
  }
  for (int64_t q = 0; q < args.num_queries; q += lanes) {
    const int64_t used = HWY_MIN(lanes, args.num_queries - q);
    PackLanes(args.sums + q * args.value_size, args.value_size, used, args.value_size, T{1}, sums.get());
    for (int64_t s = 0; s < args.num_stored; s += kStoredPerTile) {
      const int64_t rows = HWY_MIN(kStoredPerTile, args.num_stored - s);
      PackLanes(args.weights + q * args.weight_stride + s, args.weight_stride, used, rows, T{1},
                weights.get());
      LaneProduct<T>(args.values + s * args.value_size, {1, args.value_size}, weights.get(), ones.get(),
                     sums.get(), args.value_size, rows, used);
    }
    UnpackLanes(sums.get(), used, args.value_size, args.sums + q * args.value_size, args.value_size);
  }
}

MNEME_KERNEL_TYPES(WeightedSum, WeightedSumArgs)

} // namespace
} // namespace mneme::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace mneme::kernels {

MNEME_EXPORT_KERNEL(weighted_sum, WeightedSum, WeightedSumArgs)

} // namespace mneme::kernels
#endif
