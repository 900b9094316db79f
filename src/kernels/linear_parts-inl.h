// SPDX-License-Identifier: MIT

/// Rows of a matrix as lanes: blocks that are transposed in registers, and products of one row with them.
/// Included once per CPU target.

#if defined(MNEME_KERNELS_LINEAR_PARTS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef MNEME_KERNELS_LINEAR_PARTS_INL_H_
#undef MNEME_KERNELS_LINEAR_PARTS_INL_H_
#else
#define MNEME_KERNELS_LINEAR_PARTS_INL_H_
#endif

#include <cstdint>

#include <hwy/cache_control.h>
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

/// Rows with at most this many elements are too short for the prefetchers of CPUs: RowTimesRows prefetches
/// them.
constexpr int64_t kShortRow = 1000;

/// Numbers that are `stride` apart: elements of a row, or first elements of rows.
template <class T> struct Strided {
  const T* data;
  int64_t stride;
};

/// Whether at least 8 of the rows of two vectors, which are this many elements apart, have the same set of
/// the L1 cache: it has 64 sets of 64 bytes in 8 to 12 ways.
template <class T> HWY_INLINE bool HasCacheConflicts(int64_t stride) {
  constexpr int64_t kBytesOfAllSets = 4096, kRowsPerSet = 8;
  return stride * static_cast<int64_t>(sizeof(T)) % (kBytesOfAllSets * kRowsPerSet / (2 * Lanes<T>())) == 0;
}

/// Copies a vector of elements of each of as many rows as a vector has lanes.
template <class T> HWY_INLINE void CopyLines(const T* rows, int64_t row_stride, T* HWY_RESTRICT to) {
  const hn::ScalableTag<T> d;
  const int64_t n = Lanes<T>();
  for (int64_t row = 0; row < n; ++row) {
    hn::Store(hn::LoadU(d, rows + row * row_stride), d, to + row * n);
  }
}

/// Prefetches a cache line of each of as many rows as a vector has lanes.
template <class T> HWY_INLINE void PrefetchLines(const T* rows, int64_t row_stride) {
  for (int64_t row = 0; row < Lanes<T>(); ++row) {
    hwy::Prefetch(rows + row * row_stride);
  }
}

/// Sums of the terms of one row and of kVectors vectors of other rows, whose elements are adjacent and which
/// are transposed in registers. Two vectors are two chains of additions, which hide half of the latency.
/// Calls store(sums0, sums1) for each kPerSum elements, in order.
///
/// kCopy: copies each cache line before it is used, so that it is read once. Rows with cache conflicts would
/// evict their lines between the reads of TransposeRows.
template <class Term, int kVectors, bool kCopy, int64_t kPerSum, class T, class Store>
HWY_INLINE void RowTimesRows(const Strided<T>& row, const Strided<T>& rows, int64_t inner,
                             const Store& store) {
  const hn::ScalableTag<T> d;
  constexpr int64_t kLanesMax = hn::MaxLanes(hn::ScalableTag<T>());
  const int64_t n = Lanes<T>(), stride = rows.stride;
  const bool prefetch = stride <= kShortRow;
  HWY_ALIGN T column[kLanesMax];
  HWY_ALIGN T lines[kCopy ? kVectors * kLanesMax * kLanesMax : 1];
  for (int64_t begin = 0; begin < inner; begin += kPerSum) {
    const int64_t steps = HWY_MIN(kPerSum, inner - begin);
    const T* a = row.data + begin * row.stride;
    const T* b0 = rows.data + begin;
    const T* b1 = b0 + n * stride;
    auto sums0 = hn::Zero(d), sums1 = sums0;
    int64_t k = 0;
    for (; k + n <= steps; k += n) {
      const T *rows0 = b0 + k, *rows1 = b1 + k;
      int64_t row_stride = stride;
      if (prefetch) { // rows of the next call
        PrefetchLines(rows0 + kVectors * n * stride, stride);
        if constexpr (kVectors > 1) {
          PrefetchLines(rows1 + kVectors * n * stride, stride);
        }
      }
      if constexpr (kCopy) {
        CopyLines(rows0, stride, lines);
        rows0 = lines;
        if constexpr (kVectors > 1) {
          CopyLines(rows1, stride, lines + n * n);
          rows1 = lines + n * n;
        }
        row_stride = n;
      }
      for (int64_t block = 0; block < n; block += kBlock<T>) {
        const T* factors = a + (k + block) * row.stride;
        TransposeRows(rows0 + block, row_stride, [&](int64_t i, auto elements) HWY_ATTR {
          sums0 = Term()(hn::Set(d, factors[i * row.stride]), elements, sums0);
        });
        if constexpr (kVectors > 1) {
          TransposeRows(rows1 + block, row_stride, [&](int64_t i, auto elements) HWY_ATTR {
            sums1 = Term()(hn::Set(d, factors[i * row.stride]), elements, sums1);
          });
        }
      }
    }
    for (; k < steps; ++k) {
      const auto add = [&](const T* b, auto& sums) HWY_ATTR {
        for (int64_t lane = 0; lane < n; ++lane) {
          column[lane] = b[lane * stride + k];
        }
        sums = Term()(hn::Set(d, a[k * row.stride]), hn::Load(d, column), sums);
      };
      add(b0, sums0);
      if constexpr (kVectors > 1) {
        add(b1, sums1);
      }
    }
    store(sums0, sums1);
  }
}

} // namespace mneme::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif // per-target include guard
