// SPDX-License-Identifier: MIT

#include "kernels/softmax_projection/softmax_projection.h"

#include "kernels/export.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/softmax_projection/softmax_projection.cpp"
#include <hwy/foreach_target.h>

#include <hwy/highway.h>

#include "kernels/lane_product-inl.h"
#include "kernels/philox_dropout-inl.h"
#include "kernels/score_mask-inl.h"
#include "kernels/scratch.h"
#include "kernels/softmax_weight-inl.h"

HWY_BEFORE_NAMESPACE();
namespace mneme::kernels::HWY_NAMESPACE {
namespace { // other kernels define the same names

/// Panel of queries and its running softmax state, one query per SIMD lane.
template <class T> struct Panel {
  T* queries; ///< [size][lane], times beta
  T* readout; ///< [value_size][lane], not yet divided by row_sum
  T* row_max; ///< [lane]
  T* row_sum; ///< [lane]
  int64_t lanes_used;
};

/// Online softmax update of one tile: scores [rows][lane] become exp(score - row_max), in place. Updates
/// row_max and row_sum; rescale[lane] = exp(old row_max - new row_max) is the factor for what was accumulated
/// before.
///
/// Two passes over the scores, the maximum first. One pass with the row_max of earlier tiles would be 5 %
/// faster, but a tile whose sum overflows must then be computed again, which doubles the time at a large
/// beta.
template <class T> HWY_INLINE void UpdateSoftmax(T* scores, int64_t rows, const Panel<T>& panel, T* rescale) {
  const hn::ScalableTag<T> d;
  const int64_t n = static_cast<int64_t>(hn::Lanes(d)), lanes = PanelLanes<T>();
  for (int64_t lane = 0; lane < panel.lanes_used; lane += n) {
    const auto old_max = hn::Load(d, panel.row_max + lane);
    auto row_max = old_max;
    for (int64_t r = 0; r < rows; ++r) {
      row_max = hn::Max(row_max, hn::Load(d, scores + r * lanes + lane));
    }
    auto sum = hn::Zero(d);
    for (int64_t r = 0; r < rows; ++r) {
      const auto weight = SoftmaxWeight(d, hn::Load(d, scores + r * lanes + lane), row_max);
      hn::Store(weight, d, scores + r * lanes + lane);
      sum = hn::Add(sum, weight);
    }
    const auto factor = SoftmaxWeight(d, old_max, row_max);
    hn::Store(factor, d, rescale + lane);
    hn::Store(hn::MulAdd(hn::Load(d, panel.row_sum + lane), factor, sum), d, panel.row_sum + lane);
    hn::Store(row_max, d, panel.row_max + lane);
  }
}

template <class T> void SoftmaxProjection(const SoftmaxProjectionArgs<T>& args) {
  const int64_t lanes = PanelLanes<T>();
  // The stored patterns and values of a tile (about 512 KiB) stay in the L2 cache while all panels of a pass
  // use them.
  constexpr int64_t kPanelsPerPass = 4, kTileBytes = 512 * 1024;
  const int64_t bytes_per_stored = static_cast<int64_t>(sizeof(T)) * HWY_MAX(args.size + args.value_size, 1);
  const int64_t tile = HWY_MIN(128, HWY_MAX(8, kTileBytes / bytes_per_stored / 4 * 4));

  const int64_t panel_items = (args.size + args.value_size + 2) * lanes;
  const auto workspace = take_scratch<T>(kPanelsPerPass * panel_items);
  const auto scores = take_scratch<T>(tile * lanes);
  const auto rescale = take_scratch<T>(lanes);
  StoredTile stored_tile(args.mask.key_padding_mask, tile);
  DropoutFactors<T> dropout(args.dropout, tile);
  const auto stored_copy = StoredTile::AllocateCopy<T>(args.mask.key_padding_mask, tile * args.size),
             values_copy = StoredTile::AllocateCopy<T>(args.mask.key_padding_mask, tile * args.value_size);
  const auto panel_at = [&](int64_t index, int64_t first_query) {
    T* queries = workspace.get() + index * panel_items;
    T* readout = queries + args.size * lanes;
    return Panel<T>{queries, readout, readout + args.value_size * lanes,
                    readout + (args.value_size + 1) * lanes, HWY_MIN(lanes, args.num_queries - first_query)};
  };

  for (int64_t pass = 0; pass < args.num_queries; pass += kPanelsPerPass * lanes) {
    const int64_t panels = HWY_MIN(kPanelsPerPass, (args.num_queries - pass + lanes - 1) / lanes);
    for (int64_t p = 0; p < panels; ++p) {
      const int64_t q = pass + p * lanes;
      const Panel<T> panel = panel_at(p, q);
      PackLanes(args.queries + q * args.size, args.size, panel.lanes_used, args.size, args.beta,
                panel.queries);
      for (int64_t i = 0; i < args.value_size * lanes; ++i) {
        panel.readout[i] = 0;
      }
      for (int64_t lane = 0; lane < lanes; ++lane) {
        panel.row_max[lane] = hwy::LowestValue<T>(); // finite: -infinity minus itself would be NaN
        panel.row_sum[lane] = 0;
      }
    }
    for (int64_t s = 0; s < args.num_stored; s += tile) {
      stored_tile.MoveTo(s, HWY_MIN(tile, args.num_stored - s));
      const T* stored = stored_tile.Rows(args.stored, args.size, stored_copy.get());
      const T* values = stored_tile.Rows(args.values, args.value_size, values_copy.get());
      for (int64_t p = 0; p < panels; ++p) {
        const int64_t q = pass + p * lanes;
        const Panel<T> panel = panel_at(p, q);
        if (!KeepAttended(args.mask, q, panel.lanes_used, stored_tile)) {
          continue;
        }
        const int64_t rows = stored_tile.count();
        LaneProduct<T>(stored, {args.size, 1}, panel.queries, nullptr, scores.get(), rows, args.size,
                       panel.lanes_used);
        MaskScores(args.mask, q, panel.lanes_used, stored_tile, scores.get());
        UpdateSoftmax(scores.get(), rows, panel, rescale.get());
        if (dropout.enabled()) {
          dropout.Generate(q, panel.lanes_used, stored_tile);
          dropout.Apply(scores.get(), rows, panel.lanes_used, scores.get());
        }
        LaneProduct<T>(values, {1, args.value_size}, scores.get(), rescale.get(), panel.readout,
                       args.value_size, rows, panel.lanes_used);
      }
    }
    for (int64_t p = 0; p < panels; ++p) {
      const int64_t q = pass + p * lanes;
      const Panel<T> panel = panel_at(p, q);
      for (int64_t lane = 0; lane < panel.lanes_used; ++lane) {
        const T row_sum = panel.row_sum[lane];
        for (int64_t v = 0; v < args.value_size; ++v) {
          args.readout[(q + lane) * args.value_size + v] =
              row_sum == 0 ? T{0} : panel.readout[v * lanes + lane] / row_sum;
        }
        if (args.row_max != nullptr) {
          args.row_max[q + lane] = panel.row_max[lane];
        }
        if (args.row_sum != nullptr) {
          args.row_sum[q + lane] = row_sum;
        }
      }
    }
  }
}

MNEME_KERNEL_TYPES(SoftmaxProjection, SoftmaxProjectionArgs)

} // namespace
} // namespace mneme::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace mneme::kernels {

MNEME_EXPORT_KERNEL(softmax_projection, SoftmaxProjection, SoftmaxProjectionArgs)

} // namespace mneme::kernels
#endif
