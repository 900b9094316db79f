// SPDX-License-Identifier: MIT

#include "kernels/softmax_projection/softmax_projection.h"

#include "kernels/export.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/softmax_projection/softmax_projection.cpp"
#include <hwy/foreach_target.h>

#include <hwy/aligned_allocator.h>
#include <hwy/highway.h>

#include "kernels/lane_product-inl.h"
#include "kernels/pair_dropout-inl.h"
#include "kernels/score_mask-inl.h"
#include "kernels/softmax_weight-inl.h"

HWY_BEFORE_NAMESPACE();
namespace mneme::kernels::HWY_NAMESPACE {
namespace { // every kernel has its own names

/// A panel of queries on its way through the stored patterns.
template <class T> struct Panel {
  T* queries; ///< [size][lane], times beta
  T* readout; ///< [value_size][lane], not yet divided by sum
  T* largest; ///< [lane]
  T* sum;     ///< [lane]
  int64_t lanes_used;
};

/// scores [rows][lane] -> exp(score - largest so far), in place. Updates largest and sum; rescale[lane] is
/// what sums kept so far must be multiplied with.
template <class T> HWY_INLINE void ExpOfScores(T* scores, int64_t rows, const Panel<T>& panel, T* rescale) {
  const hn::ScalableTag<T> d;
  const int64_t n = static_cast<int64_t>(hn::Lanes(d)), lanes = PanelLanes<T>();
  for (int64_t part = 0; part < panel.lanes_used; part += n) {
    const auto before = hn::Load(d, panel.largest + part);
    auto largest = before;
    for (int64_t r = 0; r < rows; ++r) {
      largest = hn::Max(largest, hn::Load(d, scores + r * lanes + part));
    }
    auto sum = hn::Zero(d);
    for (int64_t r = 0; r < rows; ++r) {
      const auto weight = SoftmaxWeight(d, hn::Load(d, scores + r * lanes + part), largest);
      hn::Store(weight, d, scores + r * lanes + part);
      sum = hn::Add(sum, weight);
    }
    const auto factor = SoftmaxWeight(d, before, largest);
    hn::Store(factor, d, rescale + part);
    hn::Store(hn::MulAdd(hn::Load(d, panel.sum + part), factor, sum), d, panel.sum + part);
    hn::Store(largest, d, panel.largest + part);
  }
}

template <class T> void SoftmaxProjection(const SoftmaxProjectionArgs<T>& args) {
  const int64_t lanes = PanelLanes<T>();
  // Keys and values of a tile stay in the second-level cache while all panels of a pass go over them.
  constexpr int64_t kPanelsPerPass = 4, kTileBytes = 512 * 1024;
  const int64_t bytes_per_stored = static_cast<int64_t>(sizeof(T)) * HWY_MAX(args.size + args.value_size, 1);
  const int64_t tile = HWY_MIN(128, HWY_MAX(8, kTileBytes / bytes_per_stored / 4 * 4));

  const int64_t panel_items = (args.size + args.value_size + 2) * lanes;
  const auto memory = hwy::AllocateAligned<T>(static_cast<size_t>(kPanelsPerPass * panel_items));
  const auto scores = hwy::AllocateAligned<T>(static_cast<size_t>(tile * lanes));
  const auto rescale = hwy::AllocateAligned<T>(static_cast<size_t>(lanes));
  StoredTile seen(args.mask.missing, tile);
  DropoutFactors<T> dropout(args.dropout, tile);
  const auto stored_copy = StoredTile::Room<T>(args.mask.missing, tile * args.size),
             values_copy = StoredTile::Room<T>(args.mask.missing, tile * args.value_size);
  const auto panel_at = [&](int64_t index, int64_t first_query) {
    T* queries = memory.get() + index * panel_items;
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
        panel.largest[lane] = hwy::LowestValue<T>(); // Finite: -infinity minus itself would be NaN.
        panel.sum[lane] = 0;
      }
    }
    for (int64_t s = 0; s < args.num_stored; s += tile) {
      seen.Move(s, HWY_MIN(tile, args.num_stored - s));
      const int64_t rows = seen.count();
      const T* stored = seen.Rows(args.stored, args.size, stored_copy.get());
      const T* values = seen.Rows(args.values, args.value_size, values_copy.get());
      for (int64_t p = 0; p < panels; ++p) {
        const int64_t q = pass + p * lanes;
        const Panel<T> panel = panel_at(p, q);
        if (SeesNothing(args.mask, q, panel.lanes_used, seen)) {
          continue;
        }
        LaneProduct<T>(stored, {args.size, 1}, panel.queries, nullptr, scores.get(), rows, args.size,
                       panel.lanes_used);
        MaskScores(args.mask, q, panel.lanes_used, seen, scores.get());
        ExpOfScores(scores.get(), rows, panel, rescale.get());
        if (dropout.on()) {
          dropout.Draw(q, panel.lanes_used, seen);
          dropout.Multiply(scores.get(), rows, panel.lanes_used, scores.get());
        }
        LaneProduct<T>(values, {1, args.value_size}, scores.get(), rescale.get(), panel.readout,
                       args.value_size, rows, panel.lanes_used);
      }
    }
    for (int64_t p = 0; p < panels; ++p) {
      const int64_t q = pass + p * lanes;
      const Panel<T> panel = panel_at(p, q);
      for (int64_t lane = 0; lane < panel.lanes_used; ++lane) {
        const T sum = panel.sum[lane];
        for (int64_t v = 0; v < args.value_size; ++v) {
          args.readout[(q + lane) * args.value_size + v] =
              sum == 0 ? T{0} : panel.readout[v * lanes + lane] / sum;
        }
        if (args.largest != nullptr) {
          args.largest[q + lane] = panel.largest[lane];
        }
        if (args.sum != nullptr) {
          args.sum[q + lane] = sum;
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
