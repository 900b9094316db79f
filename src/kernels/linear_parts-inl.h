// SPDX-License-Identifier: MIT

/// Rows of a matrix as lanes: blocks that are transposed in registers. Included once per CPU target.

#if defined(MNEME_KERNELS_LINEAR_PARTS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef MNEME_KERNELS_LINEAR_PARTS_INL_H_
#undef MNEME_KERNELS_LINEAR_PARTS_INL_H_
#else
#define MNEME_KERNELS_LINEAR_PARTS_INL_H_
#endif

#include <cstdint>

#include <hwy/highway.h>

#include "kernels/first_lanes-inl.h"

HWY_BEFORE_NAMESPACE();
namespace mneme::kernels::HWY_NAMESPACE {
template <class T> HWY_INLINE int64_t Lanes() {
  return static_cast<int64_t>(hn::Lanes(hn::ScalableTag<T>()));
}

/// Elements of 128 bits, and whether vectors are composed of such blocks.
template <class T> constexpr int64_t kBlock = 16 / sizeof(T);
constexpr bool kHasBlocks = !HWY_HAVE_SCALABLE && HWY_TARGET != HWY_SCALAR;

#if HWY_HAVE_SCALABLE || HWY_TARGET == HWY_SCALAR
template <class T, class Use> HWY_INLINE void TransposeRows(const T*, int64_t, const Use&) {}
#else
/// Vector of the 128-bit blocks at `from`, `from` + stride, ...
template <class T> HWY_INLINE hn::Vec<hn::ScalableTag<T>> LoadBlocks(const T* from, int64_t stride) {
  const hn::Full128<T> block;
#if HWY_MAX_BYTES == 64
  const hn::Full256<T> half;
  return hn::Combine(
      hn::ScalableTag<T>(),
      hn::Combine(half, hn::LoadU(block, from + 3 * stride), hn::LoadU(block, from + 2 * stride)),
      hn::Combine(half, hn::LoadU(block, from + stride), hn::LoadU(block, from)));
#elif HWY_MAX_BYTES == 32
  return hn::Combine(hn::ScalableTag<T>(), hn::LoadU(block, from + stride), hn::LoadU(block, from));
#else
  return (void)stride, hn::LoadU(block, from);
#endif
}

/// Transposes the first kBlock elements of as many rows as a vector has lanes: use(k, vector) receives
/// element k of each row.
template <class T, class Use>
HWY_INLINE void TransposeRows(const T* rows, int64_t row_stride, const Use& use) {
  const hn::ScalableTag<T> d;
  const int64_t stride = kBlock<T> * row_stride;
  const auto r0 = LoadBlocks(rows, stride), r1 = LoadBlocks(rows + row_stride, stride);
  if constexpr (sizeof(T) == 8) {
    use(0, hn::InterleaveLower(d, r0, r1));
    use(1, hn::InterleaveUpper(d, r0, r1));
  } else {
    const hn::RepartitionToWide<decltype(d)> wide;
    const auto r2 = LoadBlocks(rows + 2 * row_stride, stride), r3 = LoadBlocks(rows + 3 * row_stride, stride);
    const auto low01 = hn::BitCast(wide, hn::InterleaveLower(d, r0, r1)),
               low23 = hn::BitCast(wide, hn::InterleaveLower(d, r2, r3)),
               up01 = hn::BitCast(wide, hn::InterleaveUpper(d, r0, r1)),
               up23 = hn::BitCast(wide, hn::InterleaveUpper(d, r2, r3));
    use(0, hn::BitCast(d, hn::InterleaveLower(wide, low01, low23)));
    use(1, hn::BitCast(d, hn::InterleaveUpper(wide, low01, low23)));
    use(2, hn::BitCast(d, hn::InterleaveLower(wide, up01, up23)));
    use(3, hn::BitCast(d, hn::InterleaveUpper(wide, up01, up23)));
  }
}
#endif

/// Copies `inner` steps of `columns` columns to packed[k * width + column]; columns that do not exist become
/// 0.
template <class T>
HWY_INLINE void PackPanel(const T* b, int64_t b_inner, int64_t b_column, int64_t columns, int64_t width,
                          int64_t inner, T* packed) {
  const hn::ScalableTag<T> d;
  const int64_t n = Lanes<T>();
  if (b_column == 1) {
    for (int64_t k = 0; k < inner; ++k) {
      const T* from = b + k * b_inner;
      T* to = packed + k * width;
      for (int64_t j = 0; j < width; j += n) {
        hn::Store(j + n <= columns ? hn::LoadU(d, from + j) : LoadFirst(d, from + j, HWY_MAX(0, columns - j)),
                  d, to + j);
      }
    }
    return;
  }
  for (int64_t j = 0; j < width; j += n) {
    const T* from = b + j * b_column;
    T* to = packed + j;
    int64_t k = 0;
    if (kHasBlocks && b_inner == 1 && j + n <= columns) {
      for (; k + kBlock<T> <= inner; k += kBlock<T>) {
        TransposeRows(from + k, b_column, [&](int64_t i, auto elements) HWY_ATTR {
          hn::Store(elements, d, to + (k + i) * width);
        });
      }
    }
    for (; k < inner; ++k) {
      for (int64_t lane = 0; lane < n; ++lane) {
        to[k * width + lane] = j + lane < columns ? from[lane * b_column + k * b_inner] : T{0};
      }
    }
  }
}

} // namespace mneme::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif // per-target include guard
