// SPDX-License-Identifier: MIT

/// The matrix product that similarity and projection have in common, with lanes = queries: no sum across
/// lanes is ever needed, and what happens to one query does not depend on the others. Included once per CPU
/// target.

#if defined(MNEME_KERNELS_LANE_PRODUCT_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef MNEME_KERNELS_LANE_PRODUCT_INL_H_
#undef MNEME_KERNELS_LANE_PRODUCT_INL_H_
#else
#define MNEME_KERNELS_LANE_PRODUCT_INL_H_
#endif

#include <cstdint>

#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace mneme::kernels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

/// Queries of one panel: three vectors, so that four rows of sums just fit into sixteen registers.
template <class T> HWY_INLINE int64_t PanelLanes() {
  return 3 * static_cast<int64_t>(hn::Lanes(hn::ScalableTag<T>()));
}

/// Where a matrix element a[row][inner] lies, seen from its first element.
struct Strides {
  int64_t row, inner;
};

/// The product below for the first kVectors vectors of every panel row; those after them stay untouched.
template <int kVectors, class T>
HWY_INLINE void ProductOfVectors(const T* a, Strides strides, const T* b, const T* scale, T* out,
                                 int64_t rows, int64_t inner) {
  const hn::ScalableTag<T> d;
  const int64_t n = static_cast<int64_t>(hn::Lanes(d));
  const int64_t lanes = PanelLanes<T>();
  const auto finish = [&](auto sum, int64_t row, int64_t third) HWY_ATTR {
    if (third < kVectors) {
      T* to = out + row * lanes + third * n;
      hn::Store(scale == nullptr ? sum : hn::MulAdd(hn::Load(d, to), hn::Load(d, scale + third * n), sum), d,
                to);
    }
  };
  const auto add = [&](auto factor, auto b0, auto b1, auto b2, auto& s0, auto& s1, auto& s2) HWY_ATTR {
    s0 = hn::MulAdd(factor, b0, s0);
    if constexpr (kVectors > 1) {
      s1 = hn::MulAdd(factor, b1, s1);
    }
    if constexpr (kVectors > 2) {
      s2 = hn::MulAdd(factor, b2, s2);
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
    finish(s00, row, 0), finish(s01, row, 1), finish(s02, row, 2);
    finish(s10, row + 1, 0), finish(s11, row + 1, 1), finish(s12, row + 1, 2);
    finish(s20, row + 2, 0), finish(s21, row + 2, 1), finish(s22, row + 2, 2);
    finish(s30, row + 3, 0), finish(s31, row + 3, 1), finish(s32, row + 3, 2);
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
    finish(s0, row, 0), finish(s1, row, 1), finish(s2, row, 2);
  }
}

/// out[row][lane] = out[row][lane] * scale[lane] + sum over inner of a[row][inner] * b[inner][lane]
///
/// b, out: panels [.., PanelLanes], aligned; scale: one panel row, or nullptr to start from 0. Vectors of
/// lanes beyond `lanes_used` are left out: their part of `out` stays what it was.
template <class T>
HWY_INLINE void LaneProduct(const T* a, Strides strides, const T* b, const T* scale, T* out, int64_t rows,
                            int64_t inner, int64_t lanes_used) {
  const int64_t n = static_cast<int64_t>(hn::Lanes(hn::ScalableTag<T>()));
  if (lanes_used > 2 * n) {
    ProductOfVectors<3>(a, strides, b, scale, out, rows, inner);
  } else if (lanes_used > n) {
    ProductOfVectors<2>(a, strides, b, scale, out, rows, inner);
  } else {
    ProductOfVectors<1>(a, strides, b, scale, out, rows, inner);
  }
}

/// panel[column][lane] = factor * rows[lane][column] for `columns` columns; lanes beyond `rows_used` become
/// 0.
template <class T>
HWY_INLINE void PackLanes(const T* rows, int64_t row_stride, int64_t rows_used, int64_t columns, T factor,
                          T* panel) {
  const int64_t lanes = PanelLanes<T>();
  for (int64_t c = 0; c < columns; ++c) { // columns outside: a cache line of each row serves many of them
    for (int64_t lane = 0; lane < rows_used; ++lane) {
      panel[c * lanes + lane] = factor * rows[lane * row_stride + c];
    }
    for (int64_t lane = rows_used; lane < lanes; ++lane) {
      panel[c * lanes + lane] = T{0};
    }
  }
}

/// The way back: rows[lane][column] = panel[column][lane].
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
