// SPDX-License-Identifier: MIT

#include "kernels/softmax_change/softmax_change.h"

#include "kernels/export.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/softmax_change/softmax_change.cpp"
#include <hwy/foreach_target.h>

#include <hwy/aligned_allocator.h>
#include <hwy/highway.h>

#include "kernels/lane_product-inl.h"
#include "kernels/score_mask-inl.h"
#include "kernels/softmax_weight-inl.h"

HWY_BEFORE_NAMESPACE();
namespace mneme::kernels::HWY_NAMESPACE {
namespace { // every kernel has its own names

/// Changes are squared this many times as large: the square of a small one would be a slow denormal, or nothing.
template <class T> HWY_INLINE T Enlarged() {
  return static_cast<T>(int64_t{1} << 60);
}

/// One state of a panel of queries.
template <class T> struct Panel {
  T* queries;     ///< [size][lane]
  T* largest;     ///< [lane]
  T* inverse_sum; ///< [lane], enlarged; 0 where there is no query, or nothing is seen
  T* scores;      ///< [tile][lane]

  static int64_t Items(int64_t size, int64_t tile) { return (size + tile + 2) * PanelLanes<T>(); }

  static Panel At(T* memory, int64_t size) {
    const int64_t lanes = PanelLanes<T>();
    return {memory, memory + size * lanes, memory + (size + 1) * lanes, memory + (size + 2) * lanes};
  }

  void Read(const typename SoftmaxChangeArgs<T>::State& state, int64_t first, int64_t used,
            int64_t size) const {
    PackLanes(state.queries + first * size, size, used, size, T{1}, queries);
    for (int64_t lane = 0; lane < PanelLanes<T>(); ++lane) {
      largest[lane] = lane < used ? state.largest[first + lane] : T{0};
      inverse_sum[lane] =
          lane < used && state.sum[first + lane] != 0 ? Enlarged<T>() / state.sum[first + lane] : T{0};
    }
  }

  HWY_INLINE auto Weight(int64_t row, int64_t part) const {
    const hn::ScalableTag<T> d;
    const auto score = hn::Load(d, scores + row * PanelLanes<T>() + part);
    return hn::Mul(SoftmaxWeight(d, score, hn::Load(d, largest + part)), hn::Load(d, inverse_sum + part));
  }
};

template <class T> void SoftmaxChange(const SoftmaxChangeArgs<T>& args) {
  const hn::ScalableTag<T> d;
  const int64_t n = static_cast<int64_t>(hn::Lanes(d)), lanes = PanelLanes<T>();
  constexpr int64_t kTile = 64; // scores of both states stay in the nearest cache
  const int64_t items = Panel<T>::Items(args.size, kTile);
  const auto memory = hwy::AllocateAligned<T>(static_cast<size_t>(2 * items + lanes));
  const Panel<T> before = Panel<T>::At(memory.get(), args.size),
                 after = Panel<T>::At(memory.get() + items, args.size);
  T* sums = memory.get() + 2 * items;
  StoredTile seen(args.mask.missing, kTile);
  const auto stored_copy = StoredTile::Room<T>(args.mask.missing, kTile * args.size);
  constexpr double kBack =
      1.0 / (static_cast<double>(int64_t{1} << 60) * static_cast<double>(int64_t{1} << 60));

  for (int64_t first = 0; first < args.num_queries; first += lanes) {
    const int64_t used = HWY_MIN(lanes, args.num_queries - first);
    before.Read(args.before, first, used, args.size);
    after.Read(args.after, first, used, args.size);
    for (int64_t lane = 0; lane < used; ++lane) {
      args.squares[first + lane] = 0;
    }
    for (int64_t s = 0; s < args.num_stored; s += kTile) {
      seen.Move(s, HWY_MIN(kTile, args.num_stored - s));
      if (SeesNothing(args.mask, first, used, seen)) {
        continue;
      }
      const int64_t rows = seen.count();
      const T* stored = seen.Rows(args.stored, args.size, stored_copy.get());
      for (const Panel<T>& panel : {before, after}) {
        LaneProduct<T>(stored, {args.size, 1}, panel.queries, nullptr, panel.scores, rows, args.size, used);
        MaskScores(args.mask, first, used, seen, panel.scores);
      }
      for (int64_t part = 0; part < used; part += n) {
        auto sum = hn::Zero(d);
        for (int64_t row = 0; row < rows; ++row) {
          const auto change = hn::Sub(after.Weight(row, part), before.Weight(row, part));
          sum = hn::MulAdd(change, change, sum);
        }
        hn::Store(sum, d, sums + part);
      }
      for (int64_t lane = 0; lane < used; ++lane) {
        args.squares[first + lane] += kBack * static_cast<double>(sums[lane]);
      }
    }
  }
}

MNEME_KERNEL_TYPES(SoftmaxChange, SoftmaxChangeArgs)

} // namespace
} // namespace mneme::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace mneme::kernels {

MNEME_EXPORT_KERNEL(softmax_change, SoftmaxChange, SoftmaxChangeArgs)

} // namespace mneme::kernels
#endif
