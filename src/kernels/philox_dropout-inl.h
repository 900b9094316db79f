// SPDX-License-Identifier: MIT

/// Dropout factors of one tile of attention weights, the same in forward and backward. Included once per CPU
/// target.

#if defined(MNEME_KERNELS_PHILOX_DROPOUT_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef MNEME_KERNELS_PHILOX_DROPOUT_INL_H_
#undef MNEME_KERNELS_PHILOX_DROPOUT_INL_H_
#else
#define MNEME_KERNELS_PHILOX_DROPOUT_INL_H_
#endif

#include <hwy/highway.h>

#include "kernels/lane_product-inl.h"
#include "kernels/philox_dropout.h"
#include "kernels/philox-inl.h"
#include "kernels/score_mask-inl.h"
#include "kernels/scratch.h"

HWY_BEFORE_NAMESPACE();
namespace mneme::kernels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

/// Dropout factors of a tile of stored patterns and a panel of queries.
template <class T> class DropoutFactors {
public:
  DropoutFactors(const PhiloxDropout& dropout, int64_t max_rows)
      : dropout_(dropout), enabled_(dropout.probability != 0),
        rows_(take_scratch<uint64_t>(enabled_ ? PanelLanes<T>() : 1)),
        words_(take_scratch<uint32_t>(enabled_ ? 4 * PanelLanes<T>() : 1)),
        factors_(take_scratch<T>(enabled_ ? max_rows * PanelLanes<T>() : 1)) {}

  bool enabled() const { return enabled_; }

  /// Generates the factors of the queries from `query` on.
  HWY_INLINE void Generate(int64_t query, int64_t lanes_used, const StoredTile& tile) {
    const int64_t lanes = PanelLanes<T>();
    const uint32_t drop_threshold = dropout_.drop_threshold();
    const T keep_scale = static_cast<T>(dropout_.keep_scale());
    for (int64_t lane = 0; lane < lanes; ++lane) {
      rows_[static_cast<size_t>(lane)] = static_cast<uint64_t>(dropout_.row(query + lane));
    }
    int64_t current_group = -1;
    for (int64_t r = 0; r < tile.count(); ++r) {
      const int64_t s = dropout_.first_stored + tile.first() + tile.Row(r);
      if (s / 4 != current_group) {
        current_group = s / 4;
        GenerateWords(lanes_used, current_group);
      }
      const uint32_t* words = words_.get() + s % 4 * lanes;
      T* factors = factors_.get() + r * lanes;
      for (int64_t lane = 0; lane < lanes; ++lane) {
        factors[lane] = words[lane] < drop_threshold ? T{0} : keep_scale;
      }
    }
  }

  /// to [rows][lane] = from [rows][lane] * factors; `to` may be `from`.
  HWY_INLINE void Apply(const T* from, int64_t rows, int64_t lanes_used, T* to) const {
    const hn::ScalableTag<T> d;
    const int64_t n = static_cast<int64_t>(hn::Lanes(d)), lanes = PanelLanes<T>();
    for (int64_t r = 0; r < rows; ++r) {
      for (int64_t lane = 0; lane < lanes_used; lane += n) {
        const int64_t at = r * lanes + lane;
        hn::Store(hn::Mul(hn::Load(d, from + at), hn::Load(d, factors_.get() + at)), d, to + at);
      }
    }
  }

private:
  /// Writes words_ [4][lane], the random words of one group of four patterns. Three vectors at a time: a
  /// panel is a multiple of three vectors.
  HWY_INLINE void GenerateWords(int64_t lanes_used, int64_t group) const {
    const hn::ScalableTag<uint64_t> d;
    const int64_t n = static_cast<int64_t>(hn::Lanes(d)), lanes = PanelLanes<T>();
    const auto groups = hn::Set(d, static_cast<uint64_t>(group));
    for (int64_t lane = 0; lane < lanes_used; lane += 3 * n) {
      const uint64_t* rows = rows_.get() + lane;
      const auto a = hn::Load(d, rows), b = hn::Load(d, rows + n), c = hn::Load(d, rows + 2 * n);
      PhiloxThreeVectors(d, dropout_.seed, groups, a, groups, b, groups, c,
                         [&](auto x0, auto x1, auto x2, auto x3, int64_t vector) HWY_ATTR {
                           const hn::Rebind<uint32_t, decltype(d)> low;
                           uint32_t* to = words_.get() + lane + vector * n;
                           hn::StoreU(x0, low, to);
                           hn::StoreU(x1, low, to + lanes);
                           hn::StoreU(x2, low, to + 2 * lanes);
                           hn::StoreU(x3, low, to + 3 * lanes);
                         });
    }
  }

  PhiloxDropout dropout_;
  bool enabled_;
  Scratch<uint64_t> rows_; ///< counters of the queries of a panel
  Scratch<uint32_t> words_;
  Scratch<T> factors_;
};

} // namespace mneme::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif // per-target include guard
