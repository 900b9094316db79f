// SPDX-License-Identifier: MIT

#include "kernels/softmax_change/softmax_change.h"

#include "kernels/export.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/softmax_change/softmax_change.cpp"
#include <hwy/foreach_target.h>

#include <hwy/highway.h>

#include "kernels/lane_product-inl.h"
#include "kernels/score_mask-inl.h"
#include "kernels/scratch.h"
#include "kernels/softmax_weight-inl.h"

HWY_BEFORE_NAMESPACE();
namespace mneme::kernels::HWY_NAMESPACE {
namespace { // other kernels define the same names

/// Scale of the weights before they are squared. Without it, the square of a small change would be a
/// denormal, which is slow, or zero.
template <class T> HWY_INLINE T WeightScale() {
  return static_cast<T>(int64_t{1} << 60);
}

/// Panel of queries in one of the two states.
template <class T> struct Panel {
  T* queries;     ///< [size][lane]
  T* row_max;     ///< [lane]
  T* inverse_sum; ///< [lane], WeightScale / row_sum; 0 for unused lanes and fully masked queries
  T* scores;      ///< [tile][lane]

  static int64_t Items(int64_t size, int64_t tile) { return (size + tile + 2) * PanelLanes<T>(); }

  static Panel At(T* memory, int64_t size) {
    const int64_t lanes = PanelLanes<T>();
    return {memory, memory + size * lanes, memory + (size + 1) * lanes, memory + (size + 2) * lanes};
  }

  void Load(const typename SoftmaxChangeArgs<T>::State& state, int64_t first, int64_t used,
            int64_t size) const {
    PackLanes(state.queries + first * size, size, used, size, T{1}, queries);
    for (int64_t lane = 0; lane < PanelLanes<T>(); ++lane) {
      row_max[lane] = lane < used ? state.row_max[first + lane] : T{0};
      const bool has_weights = lane < used && state.row_sum[first + lane] != 0;
      inverse_sum[lane] = has_weights ? WeightScale<T>() / state.row_sum[first + lane] : T{0};
    }
  }

  HWY_INLINE auto Weight(int64_t row, int64_t lane) const {
    const hn::ScalableTag<T> d;
    const auto score = hn::Load(d, scores + row * PanelLanes<T>() + lane);
    return hn::Mul(SoftmaxWeight(d, score, hn::Load(d, row_max + lane)), hn::Load(d, inverse_sum + lane));
  }
};

template <class T> void SoftmaxChange(const SoftmaxChangeArgs<T>& args) {
  const hn::ScalableTag<T> d;
  const int64_t n = static_cast<int64_t>(hn::Lanes(d)), lanes = PanelLanes<T>();
  constexpr int64_t kTile = 64; // scores of both states, 2 x 12 KiB at AVX-512, stay in the L1 cache
  const int64_t items = Panel<T>::Items(args.size, kTile);
  const auto workspace = take_scratch<T>(2 * items + lanes);
  const Panel<T> before = Panel<T>::At(workspace.get(), args.size),
                 after = Panel<T>::At(workspace.get() + items, args.size);
  T* sums = workspace.get() + 2 * items;
  StoredTile stored_tile(args.mask.key_padding_mask, kTile);
  const auto stored_copy = StoredTile::AllocateCopy<T>(args.mask.key_padding_mask, kTile * args.size);
  constexpr double kUnscale =
      1.0 / (static_cast<double>(int64_t{1} << 60) * static_cast<double>(int64_t{1} << 60));

  for (int64_t first = 0; first < args.num_queries; first += lanes) {
    const int64_t used = HWY_MIN(lanes, args.num_queries - first);
    before.Load(args.before, first, used, args.size);
    after.Load(args.after, first, used, args.size);
    for (int64_t lane = 0; lane < used; ++lane) {
      args.squares[first + lane] = 0;
    }
    for (int64_t s = 0; s < args.num_stored; s += kTile) {
      stored_tile.MoveTo(s, HWY_MIN(kTile, args.num_stored - s));
      if (!KeepAttended(args.mask, first, used, stored_tile)) {
        continue;
      }
      const int64_t rows = stored_tile.count();
      const T* stored = stored_tile.Rows(args.stored, args.size, stored_copy.get());
      for (const Panel<T>& panel : {before, after}) {
        LaneProduct<T>(stored, {args.size, 1}, panel.queries, nullptr, panel.scores, rows, args.size, used);
        MaskScores(args.mask, first, used, stored_tile, panel.scores);
      }
      for (int64_t lane = 0; lane < used; lane += n) {
        auto sum = hn::Zero(d);
        for (int64_t row = 0; row < rows; ++row) {
          const auto change = hn::Sub(after.Weight(row, lane), before.Weight(row, lane));
          sum = hn::MulAdd(change, change, sum);
        }
        hn::Store(sum, d, sums + lane);
      }
      for (int64_t lane = 0; lane < used; ++lane) {
        args.squares[first + lane] += kUnscale * static_cast<double>(sums[lane]);
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
