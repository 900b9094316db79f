// SPDX-License-Identifier: MIT

/// Matrix product of similarity and projection, with one query per SIMD lane. No sum across lanes is needed,
/// and the result of a query does not depend on the other queries. Included once per CPU target.

#if defined(MNEME_KERNELS_LANE_PRODUCT_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef MNEME_KERNELS_LANE_PRODUCT_INL_H_
#undef MNEME_KERNELS_LANE_PRODUCT_INL_H_
#else
#define MNEME_KERNELS_LANE_PRODUCT_INL_H_
#endif

#include <cstdint>

#include <hwy/highway.h>

#include "kernels/inline_lambda.h"

HWY_BEFORE_NAMESPACE();
namespace mneme::kernels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

/// Queries of one panel: three vectors. Four rows x three vectors = 12 accumulators, which hide the FMA
/// latency (2 ports x 4 cycles need at least 8); with three vectors of b and one broadcast of a they fill 16
/// vector registers.
template <class T> HWY_INLINE int64_t PanelLanes() {
  return 3 * static_cast<int64_t>(hn::Lanes(hn::ScalableTag<T>()));
}

/// Distances, in elements, between neighbours of a matrix a[row][inner].
struct Strides {
  int64_t row, inner;
};

/// Terms that one pair of numbers contributes to a sum.
struct Product {
  template <class V> HWY_INLINE V operator()(V a, V b, V sum) const { return hn::MulAdd(a, b, sum); }
};
struct SquaredDifference {
  template <class V> HWY_INLINE V operator()(V a, V b, V sum) const {
    const V difference = hn::Sub(a, b);
    return hn::MulAdd(difference, difference, sum);
  }
};
struct AbsoluteDifference {
  template <class V> HWY_INLINE V operator()(V a, V b, V sum) const {
    return hn::Add(sum, hn::Abs(hn::Sub(a, b)));
  }
};

/// LaneProduct for the first kVectors vectors of every panel row; the other vectors of `out` are not written.
template <int kVectors, class Term, class T>
HWY_INLINE void ProductOfVectors(const T* a, Strides strides, const T* b, const T* scale, T* out,
                                 int64_t rows, int64_t inner) {
  const hn::ScalableTag<T> d;
  const int64_t n = static_cast<int64_t>(hn::Lanes(d));
  const int64_t lanes = PanelLanes<T>();
  const auto store = [&](auto sum, int64_t row, int64_t vector) MNEME_INLINE_LAMBDA {
    if (vector < kVectors) {
      T* to = out + row * lanes + vector * n;
      hn::Store(scale == nullptr ? sum : hn::MulAdd(hn::Load(d, to), hn::Load(d, scale + vector * n), sum), d,
                to);
    }
  };
  const auto add = [&](auto factor, auto b0, auto b1, auto b2, auto& s0, auto& s1, auto& s2)
                       MNEME_INLINE_LAMBDA {
                         s0 = Term()(factor, b0, s0);
                         if constexpr (kVectors > 1) {
                           s1 = Term()(factor, b1, s1);
                         }
                         if constexpr (kVectors > 2) {
                           s2 = Term()(factor, b2, s2);
                         }
                       };
  int64_t row = 0;
  for (; row + 4 <= rows; row += 4) {
    auto s00 = hn::Zero(d), s01 = hn::Zero(d), s02 = hn::Zero(d);
    auto s10 = hn::Zero(d), s11 = hn::Zero(d), s12 = hn::Zero(d);
    auto s20 = hn::Zero(d), s21 = hn::Zero(d), s22 = hn::Zero(d);
    auto s30 = hn::Zero(d), s31 = hn::Zero(d), s32 = hn::Zero(d);
    const T* from = a + row * strides.row;
    const T* lanes_of_b = b;
    for (int64_t k = 0; k < inner; ++k) {
      const auto b0 = hn::Load(d, lanes_of_b);
      const auto b1 = kVectors > 1 ? hn::Load(d, lanes_of_b + n) : b0;
      const auto b2 = kVectors > 2 ? hn::Load(d, lanes_of_b + 2 * n) : b0;
      add(hn::Set(d, from[0]), b0, b1, b2, s00, s01, s02);
      add(hn::Set(d, from[strides.row]), b0, b1, b2, s10, s11, s12);
      add(hn::Set(d, from[2 * strides.row]), b0, b1, b2, s20, s21, s22);
      add(hn::Set(d, from[3 * strides.row]), b0, b1, b2, s30, s31, s32);
      from += strides.inner;
      lanes_of_b += lanes;
    }
    store(s00, row, 0), store(s01, row, 1), store(s02, row, 2);
    store(s10, row + 1, 0), store(s11, row + 1, 1), store(s12, row + 1, 2);
    store(s20, row + 2, 0), store(s21, row + 2, 1), store(s22, row + 2, 2);
    store(s30, row + 3, 0), store(s31, row + 3, 1), store(s32, row + 3, 2);
  }
  for (; row < rows; ++row) {
    auto s0 = hn::Zero(d), s1 = hn::Zero(d), s2 = hn::Zero(d);
    for (int64_t k = 0; k < inner; ++k) {
      const T* lanes_of_b = b + k * lanes;
      const auto b0 = hn::Load(d, lanes_of_b);
      const auto b1 = kVectors > 1 ? hn::Load(d, lanes_of_b + n) : b0;
      const auto b2 = kVectors > 2 ? hn::Load(d, lanes_of_b + 2 * n) : b0;
      add(hn::Set(d, a[row * strides.row + k * strides.inner]), b0, b1, b2, s0, s1, s2);
    }
    store(s0, row, 0), store(s1, row, 1), store(s2, row, 2);
  }
}

/// out[row][lane] = out[row][lane] * scale[lane] + sum over inner of a[row][inner] * b[inner][lane]
///
/// b and out are aligned panels [.., PanelLanes]; scale is one panel row, or nullptr to start from 0. Vectors
/// that have no lane below `lanes_used` are skipped, and their elements of `out` are not written.
/// With another Term, that takes the place of the product.
template <class T, class Term = Product>
HWY_INLINE void LaneProduct(const T* a, Strides strides, const T* b, const T* scale, T* out, int64_t rows,
                            int64_t inner, int64_t lanes_used) {
  const int64_t n = static_cast<int64_t>(hn::Lanes(hn::ScalableTag<T>()));
  if (lanes_used > 2 * n) {
    ProductOfVectors<3, Term>(a, strides, b, scale, out, rows, inner);
  } else if (lanes_used > n) {
    ProductOfVectors<2, Term>(a, strides, b, scale, out, rows, inner);
  } else {
    ProductOfVectors<1, Term>(a, strides, b, scale, out, rows, inner);
  }
}

/// Transposes a block of rows, as many as 128 bits have lanes, into as many panel rows: panel[column][lane]
/// = factor * rows[lane][column].
template <class T>
HWY_INLINE void TransposeBlock(const T* rows, int64_t row_stride, T factor, T* panel, int64_t panel_stride) {
#if HWY_TARGET == HWY_SCALAR
  (void)row_stride, (void)panel_stride;
  panel[0] = factor * rows[0];
#else
  const hn::Full128<T> d;
  const auto scale = hn::Set(d, factor);
  const auto r0 = hn::LoadU(d, rows), r1 = hn::LoadU(d, rows + row_stride);
  if constexpr (sizeof(T) == 8) {
    hn::StoreU(hn::Mul(hn::InterleaveLower(d, r0, r1), scale), d, panel);
    hn::StoreU(hn::Mul(hn::InterleaveUpper(d, r0, r1), scale), d, panel + panel_stride);
  } else {
    const auto r2 = hn::LoadU(d, rows + 2 * row_stride), r3 = hn::LoadU(d, rows + 3 * row_stride);
    const auto low01 = hn::InterleaveLower(d, r0, r1), low23 = hn::InterleaveLower(d, r2, r3);
    const auto up01 = hn::InterleaveUpper(d, r0, r1), up23 = hn::InterleaveUpper(d, r2, r3);
    hn::StoreU(hn::Mul(hn::ConcatLowerLower(d, low23, low01), scale), d, panel);
    hn::StoreU(hn::Mul(hn::ConcatUpperUpper(d, low23, low01), scale), d, panel + panel_stride);
    hn::StoreU(hn::Mul(hn::ConcatLowerLower(d, up23, up01), scale), d, panel + 2 * panel_stride);
    hn::StoreU(hn::Mul(hn::ConcatUpperUpper(d, up23, up01), scale), d, panel + 3 * panel_stride);
  }
#endif
}

/// Transposes rows into a panel: panel[column][lane] = factor * rows[lane][column]. Lanes from `rows_used` on
/// become 0.
template <class T>
HWY_INLINE void PackLanes(const T* rows, int64_t row_stride, int64_t rows_used, int64_t columns, T factor,
                          T* panel) {
  const hn::ScalableTag<T> d;
  const int64_t lanes = PanelLanes<T>(), n = static_cast<int64_t>(hn::Lanes(d));
  const int64_t first_empty = (rows_used + n - 1) / n * n; // vector without any row
  constexpr int64_t kBlock = HWY_TARGET == HWY_SCALAR ? 1 : 16 / sizeof(T);
  constexpr int64_t kLine = 64 / sizeof(T); // a cache line of each row is read once
  const int64_t whole = rows_used / kBlock * kBlock;
  for (int64_t line = 0; line < columns; line += kLine) {
    const int64_t end = HWY_MIN(columns, line + kLine);
    for (int64_t lane = 0; lane < whole; lane += kBlock) {
      int64_t c = line;
      for (; c + kBlock <= end; c += kBlock) {
        TransposeBlock(rows + lane * row_stride + c, row_stride, factor, panel + c * lanes + lane, lanes);
      }
      for (; c < end; ++c) {
        for (int64_t i = lane; i < lane + kBlock; ++i) {
          panel[c * lanes + i] = factor * rows[i * row_stride + c];
        }
      }
    }
    for (int64_t c = line; c < end; ++c) {
      for (int64_t lane = whole; lane < rows_used; ++lane) {
        panel[c * lanes + lane] = factor * rows[lane * row_stride + c];
      }
      int64_t lane = rows_used;
      for (; lane < first_empty; ++lane) {
        panel[c * lanes + lane] = T{0};
      }
      for (; lane < lanes; lane += n) {
        hn::Store(hn::Zero(d), d, panel + c * lanes + lane);
      }
    }
  }
}

/// Inverse of PackLanes: rows[lane][column] = panel[column][lane].
template <class T>
HWY_INLINE void UnpackLanes(const T* panel, int64_t rows_used, int64_t columns, T* rows, int64_t row_stride) {
  const int64_t lanes = PanelLanes<T>();
  for (int64_t lane = 0; lane < rows_used; ++lane) {
    for (int64_t c = 0; c < columns; ++c) {
      rows[lane * row_stride + c] = panel[c * lanes + lane];
    }
  }
}

} // namespace mneme::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif // per-target include guard
