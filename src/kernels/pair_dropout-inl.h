// SPDX-License-Identifier: MIT

/// Dropout of an association, tile by tile: the same weights, forward and on the way back. Included once per CPU target.

#if defined(MNEME_KERNELS_PAIR_DROPOUT_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef MNEME_KERNELS_PAIR_DROPOUT_INL_H_
#undef MNEME_KERNELS_PAIR_DROPOUT_INL_H_
#else
#define MNEME_KERNELS_PAIR_DROPOUT_INL_H_
#endif

#include <hwy/aligned_allocator.h>
#include <hwy/highway.h>

#include "kernels/lane_product-inl.h"
#include "kernels/pair_dropout.h"
#include "kernels/philox-inl.h"
#include "kernels/score_mask-inl.h"

HWY_BEFORE_NAMESPACE();
namespace mneme::kernels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

/// What the weights of a tile are multiplied with, for a panel of queries.
template <class T> class DropoutFactors {
public:
  DropoutFactors(const PairDropout& dropout, int64_t rows_most)
      : dropout_(dropout), on_(dropout.share != 0),
        words_(hwy::AllocateAligned<uint32_t>(static_cast<size_t>(on_ ? 4 * PanelLanes<T>() : 1))),
        factors_(hwy::AllocateAligned<T>(static_cast<size_t>(on_ ? rows_most * PanelLanes<T>() : 1))) {}

  bool on() const { return on_; }

  /// Draws those of the queries from `query` on.
  HWY_INLINE void Draw(int64_t query, int64_t lanes_used, const StoredTile& tile) {
    const int64_t lanes = PanelLanes<T>();
    const uint32_t threshold = dropout_.threshold();
    const T scale = static_cast<T>(dropout_.scale());
    int64_t drawn = -1;
    for (int64_t r = 0; r < tile.count(); ++r) {
      const int64_t s = dropout_.first_stored + tile.first() + tile.Row(r);
      if (s / 4 != drawn) {
        drawn = s / 4;
        DrawWords(dropout_.first_query + query, lanes_used, drawn);
      }
      const uint32_t* words = words_.get() + s % 4 * lanes;
      T* factors = factors_.get() + r * lanes;
      for (int64_t lane = 0; lane < lanes; ++lane) {
        factors[lane] = words[lane] < threshold ? T{0} : scale;
      }
    }
  }

  /// to [rows][lane] = from [rows][lane] times the factors
  HWY_INLINE void Multiply(const T* from, int64_t rows, int64_t lanes_used, T* to) const {
    const hn::ScalableTag<T> d;
    const int64_t n = static_cast<int64_t>(hn::Lanes(d)), lanes = PanelLanes<T>();
    for (int64_t r = 0; r < rows; ++r) {
      for (int64_t part = 0; part < lanes_used; part += n) {
        const int64_t at = r * lanes + part;
        hn::Store(hn::Mul(hn::Load(d, from + at), hn::Load(d, factors_.get() + at)), d, to + at);
      }
    }
  }

private:
  /// words_ [4][lane]: of one group of patterns. Three vectors side by side, as many as a panel can be divided by.
  HWY_INLINE void DrawWords(int64_t first_row, int64_t lanes_used, int64_t group) const {
    const hn::ScalableTag<uint64_t> d;
    const int64_t n = static_cast<int64_t>(hn::Lanes(d)), lanes = PanelLanes<T>();
    const auto groups = hn::Set(d, static_cast<uint64_t>(group)), step = hn::Set(d, static_cast<uint64_t>(n));
    for (int64_t part = 0; part < lanes_used; part += 3 * n) {
      const auto a = hn::Iota(d, static_cast<uint64_t>(first_row + part)), b = hn::Add(a, step),
                 c = hn::Add(b, step);
      PhiloxOfThree(d, dropout_.seed, groups, a, groups, b, groups, c,
                    [&](auto x0, auto x1, auto x2, auto x3, int64_t which) HWY_ATTR {
                      const hn::Rebind<uint32_t, decltype(d)> low;
                      uint32_t* to = words_.get() + part + which * n;
                      hn::StoreU(x0, low, to);
                      hn::StoreU(x1, low, to + lanes);
                      hn::StoreU(x2, low, to + 2 * lanes);
                      hn::StoreU(x3, low, to + 3 * lanes);
                    });
    }
  }

  PairDropout dropout_;
  bool on_;
  hwy::AlignedFreeUniquePtr<uint32_t[]> words_;
  hwy::AlignedFreeUniquePtr<T[]> factors_;
};

} // namespace mneme::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif // per-target include guard
