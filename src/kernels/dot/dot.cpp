// SPDX-License-Identifier: MIT

#include "kernels/dot/dot.h"

#include "kernels/export.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/dot/dot.cpp"
#include <hwy/foreach_target.h>

#include <hwy/aligned_allocator.h>
#include <hwy/highway.h>

#include "kernels/lane_product-inl.h"

HWY_BEFORE_NAMESPACE();
namespace mneme::kernels::HWY_NAMESPACE {
namespace { // every kernel has its own names

template <class T> void Dot(const DotArgs<T>& args) {
  const int64_t lanes = PanelLanes<T>();
  constexpr int64_t kStoredPerTile = 64;
  const auto queries = hwy::AllocateAligned<T>(static_cast<size_t>(HWY_MAX(args.size, 1) * lanes));
  const auto scores = hwy::AllocateAligned<T>(static_cast<size_t>(kStoredPerTile * lanes));
  for (int64_t q = 0; q < args.num_queries; q += lanes) {
    const int64_t used = HWY_MIN(lanes, args.num_queries - q);
    PackLanes(args.queries + q * args.size, args.size, used, args.size, T{1}, queries.get());
    for (int64_t s = 0; s < args.num_stored; s += kStoredPerTile) {
      const int64_t rows = HWY_MIN(kStoredPerTile, args.num_stored - s);
      LaneProduct<T>(args.stored + s * args.size, {args.size, 1}, queries.get(), nullptr, scores.get(), rows,
                     args.size, used);
      UnpackLanes(scores.get(), used, rows, args.scores + q * args.num_stored + s, args.num_stored);
    }
  }
}

MNEME_KERNEL_TYPES(Dot, DotArgs)

} // namespace
} // namespace mneme::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace mneme::kernels {

MNEME_EXPORT_KERNEL(dot, Dot, DotArgs)

} // namespace mneme::kernels
#endif
