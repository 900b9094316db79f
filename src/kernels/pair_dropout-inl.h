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
#include "kernels/score_mask-inl.h"

HWY_BEFORE_NAMESPACE();
namespace mneme::kernels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

/// The low halves of a, times m: all 64 bits. What the high halves hold does not matter.
template <class D64, class V> HWY_INLINE V ProductOfLowHalves(D64 d, V a, V m) {
#if HWY_TARGET == HWY_SCALAR
  return hn::Mul(hn::And(a, hn::Set(d, 0xFFFFFFFFU)), m);
#else
  const hn::RepartitionToNarrow<D64> halves;
  return hn::BitCast(d, hn::MulEven(hn::BitCast(halves, a), hn::BitCast(halves, m)));
#endif
}

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
  /// words_ [4][lane]: Philox4x32-10, with one counter in each 64-bit lane; the high halves hold whatever they like. Three
  /// vectors side by side, as many as a panel can be divided by: each has to wait for its products.
  HWY_INLINE void DrawWords(int64_t first_row, int64_t lanes_used, int64_t group) const {
    const hn::ScalableTag<uint64_t> d;
    const int64_t n = static_cast<int64_t>(hn::Lanes(d));
    const auto multiplier0 = hn::Set(d, 0xD2511F53U), multiplier1 = hn::Set(d, 0xCD9E8D57U);
    for (int64_t part = 0; part < lanes_used; part += 3 * n) {
      const auto row = hn::Iota(d, static_cast<uint64_t>(first_row + part)),
                 step = hn::Set(d, static_cast<uint64_t>(n));
      auto a0 = hn::Set(d, static_cast<uint64_t>(group)), a1 = hn::ShiftRight<32>(a0), a2 = row,
           a3 = hn::ShiftRight<32>(a2);
      auto b0 = a0, b1 = a1, b2 = hn::Add(a2, step), b3 = hn::ShiftRight<32>(b2);
      auto c0 = a0, c1 = a1, c2 = hn::Add(b2, step), c3 = hn::ShiftRight<32>(c2);
      auto key0 = static_cast<uint32_t>(dropout_.seed), key1 = static_cast<uint32_t>(dropout_.seed >> 32);
      for (int round = 0; round < 10; ++round) {
        const auto k0 = hn::Set(d, uint64_t{key0}), k1 = hn::Set(d, uint64_t{key1});
        const auto mix = [&](auto& x0, auto& x1, auto& x2, auto& x3) HWY_ATTR {
          const auto product0 = ProductOfLowHalves(d, x0, multiplier0),
                     product1 = ProductOfLowHalves(d, x2, multiplier1);
          x0 = hn::Xor3(hn::ShiftRight<32>(product1), x1, k0);
          x1 = product1;
          x2 = hn::Xor3(hn::ShiftRight<32>(product0), x3, k1);
          x3 = product0;
        };
        mix(a0, a1, a2, a3);
        mix(b0, b1, b2, b3);
        mix(c0, c1, c2, c3);
        key0 += 0x9E3779B9U;
        key1 += 0xBB67AE85U;
      }
      const int64_t lanes = PanelLanes<T>();
      const auto keep = [&](auto x0, auto x1, auto x2, auto x3, int64_t at) HWY_ATTR {
        const hn::Rebind<uint32_t, decltype(d)> low;
        uint32_t* to = words_.get() + at;
        hn::StoreU(hn::TruncateTo(low, x0), low, to);
        hn::StoreU(hn::TruncateTo(low, x1), low, to + lanes);
        hn::StoreU(hn::TruncateTo(low, x2), low, to + 2 * lanes);
        hn::StoreU(hn::TruncateTo(low, x3), low, to + 3 * lanes);
      };
      keep(a0, a1, a2, a3, part);
      keep(b0, b1, b2, b3, part + n);
      keep(c0, c1, c2, c3, part + 2 * n);
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
