// SPDX-License-Identifier: MIT

#include "kernels/softmax_projection_gradient/softmax_projection_gradient.h"

#include "kernels/export.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/softmax_projection_gradient/softmax_projection_gradient.cpp"
#include <hwy/foreach_target.h>

#include <hwy/highway.h>

#include "kernels/first_lanes-inl.h"
#include "kernels/lane_product-inl.h"
#include "kernels/philox_dropout-inl.h"
#include "kernels/score_mask-inl.h"
#include "kernels/scratch.h"
#include "kernels/softmax_weight-inl.h"

HWY_BEFORE_NAMESPACE();
namespace mneme::kernels::HWY_NAMESPACE {
namespace { // other kernels define the same names

/// Panel of queries with its saved softmax state and gradients. Rows with `_by_` in their name are packed
/// with features or values as lanes, for gradients that are summed over queries.
template <class T> struct Panel {
  T* queries;            ///< [size][lane]
  T* d_readout;          ///< [value_size][lane], divided by row_sum
  T* d_queries;          ///< [size][lane]
  T* row_max;            ///< [lane]
  T* delta;              ///< [lane], divided by row_sum
  T* queries_by_feature; ///< [panel of features][query][feature], for d_stored
  T* d_readout_by_value; ///< [panel of values][query][value], divided by row_sum, for d_values
  int64_t lanes_used;
};

template <class T> HWY_INLINE int64_t PanelsOf(int64_t columns) {
  return (columns + PanelLanes<T>() - 1) / PanelLanes<T>();
}
/// Columns of a panel, whole vectors: about the same number in each, because LaneProduct is slow for a panel
/// of one vector.
template <class T> HWY_INLINE int64_t ColumnsOfPanel(int64_t columns) {
  const int64_t n = PanelLanes<T>() / 3, panels = HWY_MAX(PanelsOf<T>(columns), 1);
  return ((columns + panels - 1) / panels + n - 1) / n * n;
}

/// Packs rows [count][columns] times factor[row] into panels of columns [panel][row][column], padded with
/// zeros to whole vectors.
template <class T>
HWY_INLINE void PackColumns(const T* rows, const T* factor, int64_t count, int64_t columns, T* panels) {
  const hn::ScalableTag<T> d;
  const int64_t n = static_cast<int64_t>(hn::Lanes(d)), lanes = PanelLanes<T>(),
                width = ColumnsOfPanel<T>(columns);
  for (int64_t first = 0; first < columns; first += width) {
    const int64_t used = HWY_MIN(width, columns - first);
    for (int64_t row = 0; row < count; ++row) {
      const T* from = rows + row * columns + first;
      const auto by = hn::Set(d, factor[row]);
      int64_t lane = 0;
      for (; lane + n <= used; lane += n) {
        hn::Store(hn::Mul(by, hn::LoadU(d, from + lane)), d, panels + lane);
      }
      if (lane < used) {
        hn::Store(hn::Mul(by, LoadFirst(d, from + lane, used - lane)), d, panels + lane);
      }
      panels += lanes;
    }
  }
}

/// total [all stored][columns] += weights [rows of the tile][query lane] . panels of columns
/// [panel][query][column]
template <class T>
HWY_INLINE void AddTransposedProduct(const T* weights, const T* panels, int64_t queries,
                                     const StoredTile& tile, int64_t columns, T* product, T* total) {
  const hn::ScalableTag<T> d;
  const int64_t n = static_cast<int64_t>(hn::Lanes(d)), lanes = PanelLanes<T>(),
                width = ColumnsOfPanel<T>(columns);
  for (int64_t first = 0; first < columns; first += width) {
    const int64_t used = HWY_MIN(width, columns - first);
    LaneProduct<T>(weights, {lanes, 1}, panels, nullptr, product, tile.count(), queries, used);
    for (int64_t r = 0; r < tile.count(); ++r) {
      T* to = total + (tile.first() + tile.Row(r)) * columns + first;
      int64_t lane = 0;
      for (; lane + n <= used; lane += n) {
        hn::StoreU(hn::Add(hn::LoadU(d, to + lane), hn::Load(d, product + r * lanes + lane)), d, to + lane);
      }
      for (; lane < used; ++lane) { // a masked store would delay the next panel, which loads it
        to[lane] += product[r * lanes + lane];
      }
    }
    panels += queries * lanes;
  }
}

/// In place: scores [rows][lane] become unnormalised weights E = exp(score - row_max), d_p [rows][lane]
/// become the gradient of the scores, E o (d_p - delta). The factor 1 / row_sum is already in d_p and delta.
template <class T>
HWY_INLINE void WeightsAndScoreGradients(T* scores, T* d_p, int64_t rows, const Panel<T>& panel) {
  const hn::ScalableTag<T> d;
  const int64_t n = static_cast<int64_t>(hn::Lanes(d)), lanes = PanelLanes<T>();
  for (int64_t lane = 0; lane < panel.lanes_used; lane += n) {
    const auto row_max = hn::Load(d, panel.row_max + lane), delta = hn::Load(d, panel.delta + lane);
    for (int64_t r = 0; r < rows; ++r) {
      const int64_t at = r * lanes + lane;
      const auto weight = SoftmaxWeight(d, hn::Load(d, scores + at), row_max);
      hn::Store(weight, d, scores + at);
      hn::Store(hn::Mul(weight, hn::Sub(hn::Load(d, d_p + at), delta)), d, d_p + at);
    }
  }
}

template <class T> void Gradient(const SoftmaxProjectionGradientArgs<T>& args) {
  const int64_t lanes = PanelLanes<T>();
  // The stored patterns and values of a tile (about 256 KiB) and their gradients (as much again) stay in the
  // L2 cache while all panels of a pass use them.
  constexpr int64_t kPanelsPerPass = 4, kTileBytes = 256 * 1024;
  const int64_t bytes_per_stored = static_cast<int64_t>(sizeof(T)) * HWY_MAX(args.size + args.value_size, 1);
  const int64_t tile = HWY_MIN(128, HWY_MAX(8, kTileBytes / bytes_per_stored / 4 * 4));

  const int64_t by_feature = args.d_stored != nullptr ? PanelsOf<T>(args.size) * lanes * lanes : 0;
  const int64_t by_value = args.d_values != nullptr ? PanelsOf<T>(args.value_size) * lanes * lanes : 0;
  const int64_t panel_items = (2 * args.size + args.value_size + 2) * lanes + by_feature + by_value;
  const auto workspace = take_scratch<T>(kPanelsPerPass * panel_items);
  const auto scores = take_scratch<T>(tile * lanes);
  const auto d_p = take_scratch<T>(tile * lanes);
  const auto product = take_scratch<T>(tile * lanes);
  const auto ones = take_scratch<T>(lanes);
  const auto inverse_sum = take_scratch<T>(lanes);
  for (int64_t lane = 0; lane < lanes; ++lane) {
    ones[static_cast<size_t>(lane)] = T{1};
  }
  StoredTile stored_tile(args.mask.key_padding_mask, tile);
  DropoutFactors<T> dropout(args.dropout, tile);
  const auto stored_copy = StoredTile::AllocateCopy<T>(args.mask.key_padding_mask, tile * args.size),
             values_copy = StoredTile::AllocateCopy<T>(args.mask.key_padding_mask, tile * args.value_size);
  const auto panel_at = [&](int64_t index, int64_t first_query) {
    Panel<T> panel;
    panel.queries = workspace.get() + index * panel_items;
    panel.d_readout = panel.queries + args.size * lanes;
    panel.d_queries = panel.d_readout + args.value_size * lanes;
    panel.row_max = panel.d_queries + args.size * lanes;
    panel.delta = panel.row_max + lanes;
    panel.queries_by_feature = panel.delta + lanes;
    panel.d_readout_by_value = panel.queries_by_feature + by_feature;
    panel.lanes_used = HWY_MIN(lanes, args.num_queries - first_query);
    return panel;
  };

  for (int64_t pass = 0; pass < args.num_queries; pass += kPanelsPerPass * lanes) {
    const int64_t panels = HWY_MIN(kPanelsPerPass, (args.num_queries - pass + lanes - 1) / lanes);
    for (int64_t p = 0; p < panels; ++p) {
      const int64_t q = pass + p * lanes;
      const Panel<T> panel = panel_at(p, q);
      for (int64_t lane = 0; lane < lanes; ++lane) {
        const bool has_weights = lane < panel.lanes_used && args.row_sum[q + lane] != 0;
        inverse_sum[static_cast<size_t>(lane)] = has_weights ? T{1} / args.row_sum[q + lane] : T{0};
        panel.row_max[lane] = lane < panel.lanes_used ? args.row_max[q + lane] : T{0};
        panel.delta[lane] =
            has_weights ? args.delta[q + lane] * inverse_sum[static_cast<size_t>(lane)] : T{0};
      }
      PackLanes(args.queries + q * args.size, args.size, panel.lanes_used, args.size, T{1}, panel.queries);
      PackLanes(args.d_readout + q * args.value_size, args.value_size, panel.lanes_used, args.value_size,
                T{1}, panel.d_readout);
      for (int64_t v = 0; v < args.value_size; ++v) {
        for (int64_t lane = 0; lane < lanes; ++lane) {
          panel.d_readout[v * lanes + lane] *= inverse_sum[static_cast<size_t>(lane)];
        }
      }
      for (int64_t i = 0; i < args.size * lanes; ++i) {
        panel.d_queries[i] = 0;
      }
      if (args.d_stored != nullptr) {
        PackColumns(args.queries + q * args.size, ones.get(), panel.lanes_used, args.size,
                    panel.queries_by_feature);
      }
      if (args.d_values != nullptr) {
        PackColumns(args.d_readout + q * args.value_size, inverse_sum.get(), panel.lanes_used,
                    args.value_size, panel.d_readout_by_value);
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
        LaneProduct<T>(values, {args.value_size, 1}, panel.d_readout, nullptr, d_p.get(), rows,
                       args.value_size, panel.lanes_used);
        if (dropout.enabled()) {
          dropout.Generate(q, panel.lanes_used, stored_tile);
          dropout.Apply(d_p.get(), rows, panel.lanes_used, d_p.get());
        }
        WeightsAndScoreGradients(scores.get(), d_p.get(), rows, panel);
        if (args.d_queries != nullptr) {
          LaneProduct<T>(stored, {1, args.size}, d_p.get(), ones.get(), panel.d_queries, args.size, rows,
                         panel.lanes_used);
        }
        if (args.d_stored != nullptr) {
          AddTransposedProduct(d_p.get(), panel.queries_by_feature, panel.lanes_used, stored_tile, args.size,
                               product.get(), args.d_stored);
        }
        if (args.d_values != nullptr) {
          if (dropout.enabled()) {
            dropout.Apply(scores.get(), rows, panel.lanes_used, scores.get());
          }
          AddTransposedProduct(scores.get(), panel.d_readout_by_value, panel.lanes_used, stored_tile,
                               args.value_size, product.get(), args.d_values);
        }
      }
    }
    for (int64_t p = 0; p < panels && args.d_queries != nullptr; ++p) {
      const int64_t q = pass + p * lanes;
      const Panel<T> panel = panel_at(p, q);
      for (int64_t lane = 0; lane < panel.lanes_used; ++lane) {
        for (int64_t i = 0; i < args.size; ++i) {
          args.d_queries[(q + lane) * args.size + i] += panel.d_queries[i * lanes + lane];
        }
      }
    }
  }
}

MNEME_KERNEL_TYPES(Gradient, SoftmaxProjectionGradientArgs)

} // namespace
} // namespace mneme::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace mneme::kernels {

MNEME_EXPORT_KERNEL(softmax_projection_gradient, Gradient, SoftmaxProjectionGradientArgs)

} // namespace mneme::kernels
#endif
