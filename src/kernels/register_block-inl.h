// SPDX-License-Identifier: MIT

/// Matrix products in registers: blocks of a few rows of a and one panel of columns of b. Included once per
/// CPU target.

#if defined(MNEME_KERNELS_REGISTER_BLOCK_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef MNEME_KERNELS_REGISTER_BLOCK_INL_H_
#undef MNEME_KERNELS_REGISTER_BLOCK_INL_H_
#else
#define MNEME_KERNELS_REGISTER_BLOCK_INL_H_
#endif

#include <cstdint>

#include <hwy/cache_control.h>
#include <hwy/highway.h>

#include "kernels/first_lanes-inl.h"
#include "kernels/inline_lambda.h"
#include "kernels/linear/linear.h"
#include "kernels/linear_parts-inl.h"

HWY_BEFORE_NAMESPACE();
namespace mneme::kernels::HWY_NAMESPACE {

/// Vectors of columns of a panel. Per step a block loads as many vectors of b, and one element of each row of
/// a.
#if HWY_TARGET <= HWY_AVX3 || HWY_ARCH_ARM_A64
constexpr int kPanelVectors = 4; // of 32 registers
#else
constexpr int kPanelVectors = 2; // of 16 registers
#endif

/// Rows of a: pointer to the first one, and distances in elements.
template <class Element> struct Rows {
  const Element* data;
  int64_t row, inner;
};

/// Numbers that are read later: `count` pieces of `size` adjacent numbers, `stride` apart. Prefetchers of
/// CPUs do not follow them from one piece to the next.
template <class T> struct Pieces {
  const T* data = nullptr;
  int64_t count = 0, stride = 0, size = 0;

  /// Prefetches one of `parts` parts, which follow each other.
  HWY_INLINE void Prefetch(int64_t part, int64_t parts) const {
    constexpr int64_t kLine = 64 / static_cast<int64_t>(sizeof(T));
    const int64_t end = count * (part + 1) / parts;
    for (int64_t i = count * part / parts; i < end; ++i) {
      for (int64_t j = 0; j < size; j += kLine) {
        hwy::Prefetch(data + i * stride + j);
      }
    }
  }
};

/// The numbers of a that a product reads next: those of `count` rows from `row` on, over the kInnerPerSum
/// steps from `begin` on; after the last row, those of the first rows over the next steps.
template <class T>
HWY_INLINE Pieces<T> NextRows(const LinearArgs<T>& args, int64_t begin, int64_t row, int64_t count) {
  if (row >= args.rows) {
    row = 0;
    begin += kInnerPerSum;
  }
  const int64_t rows = HWY_MIN(count, args.rows - row), steps = HWY_MIN(kInnerPerSum, args.inner - begin);
  if (steps <= 0 || (args.a_row != 1 && args.a_inner != 1)) {
    return {};
  }
  const T* data = args.a + row * args.a_row + begin * args.a_inner;
  return args.a_inner == 1 ? Pieces<T>{data, rows, args.a_row, steps}
                           : Pieces<T>{data, steps, args.a_inner, rows};
}

/// Columns of b that are computed together, panel[k * pitch + column].
template <class Element> struct Panel {
  int64_t vectors; ///< 1, 2 or kPanelVectors; the last ones may be partly used
  int64_t columns; ///< that exist
  const Element* data;
  int64_t pitch;
};

/// T: type of the sums.
template <class T> HWY_INLINE int64_t PanelVectors(int64_t columns) {
  const int64_t n = Lanes<T>();
  return columns > 2 * n ? kPanelVectors : columns > n ? 2 : 1;
}

/// Destination of the sums of a panel over one block of the inner dimension.
template <class T> struct Target {
  T* out;
  int64_t out_row, columns; ///< columns of this panel
  const T* bias;            ///< of these columns; nullptr: none
  bool accumulate;
};

/// Adds bias and the previous value to the sums of one vector of a row, and stores them.
template <class D, class T>
HWY_INLINE void StoreSums(D d, hn::Vec<D> sums, const Target<T>& target, int64_t row, int64_t vector) {
  const auto n = static_cast<int64_t>(hn::Lanes(d)), column = vector * n, left = target.columns - column;
  if (left <= 0) {
    return;
  }
  T* to = target.out + row * target.out_row + column;
  if (left >= n) {
    if (target.bias != nullptr) {
      sums = hn::Add(sums, hn::LoadU(d, target.bias + column));
    }
    if (target.accumulate) {
      sums = hn::Add(hn::LoadU(d, to), sums);
    }
    hn::StoreU(sums, d, to);
  } else {
    if (target.bias != nullptr) {
      sums = hn::Add(sums, LoadFirst(d, target.bias + column, left));
    }
    if (target.accumulate) {
      sums = hn::Add(LoadFirst(d, to, left), sums);
    }
    StoreFirst(sums, d, to, left);
  }
}

/// Products of kRows rows from `row` on and a panel of kVectors vectors, over `inner` elements.
///
/// Products  the kind of product: its Element in memory; Load, which makes an operand of a vector of columns;
///           Repeat, which makes one of an element of a row; Add(a, b, sums) -> sums + a b; and kRows, the
///           rows of a block, at most 6
template <class Products, int kRows, int kVectors, class Element, class T>
HWY_INLINE void RegisterBlock(const Rows<Element>& a, const Panel<Element>& b, int64_t inner,
                              const Target<T>& target, int64_t row) {
  const hn::ScalableTag<T> d;
  const int64_t n = Lanes<T>();
  auto s00 = hn::Zero(d), s01 = s00, s02 = s00, s03 = s00, s10 = s00, s11 = s00, s12 = s00, s13 = s00;
  auto s20 = s00, s21 = s00, s22 = s00, s23 = s00, s30 = s00, s31 = s00, s32 = s00, s33 = s00;
  auto s40 = s00, s41 = s00, s42 = s00, s43 = s00, s50 = s00, s51 = s00, s52 = s00, s53 = s00;
  const Element* HWY_RESTRICT from = a.data + row * a.row;
  const Element* HWY_RESTRICT panel = b.data;
  const int64_t stride = a.row;
  for (int64_t k = 0; k < inner; ++k) {
    const auto b0 = Products::Load(panel);
    const auto b1 = kVectors > 1 ? Products::Load(panel + n) : b0;
    const auto b2 = kVectors > 2 ? Products::Load(panel + 2 * n) : b0;
    const auto b3 = kVectors > 2 ? Products::Load(panel + 3 * n) : b0;
    const auto add = [&](int64_t i, auto& s0, auto& s1, auto& s2, auto& s3) MNEME_INLINE_LAMBDA {
      const auto factor = Products::Repeat(from[i * stride]);
      s0 = Products::Add(factor, b0, s0);
      if constexpr (kVectors > 1) {
        s1 = Products::Add(factor, b1, s1);
      }
      if constexpr (kVectors > 2) {
        s2 = Products::Add(factor, b2, s2);
        s3 = Products::Add(factor, b3, s3);
      }
    };
    add(0, s00, s01, s02, s03);
    if constexpr (kRows > 1) {
      add(1, s10, s11, s12, s13);
    }
    if constexpr (kRows > 2) {
      add(2, s20, s21, s22, s23), add(3, s30, s31, s32, s33);
    }
    if constexpr (kRows > 4) {
      add(4, s40, s41, s42, s43), add(5, s50, s51, s52, s53);
    }
    from += a.inner;
    panel += b.pitch;
  }
  const auto store = [&](int64_t i, auto s0, auto s1, auto s2, auto s3) MNEME_INLINE_LAMBDA {
    StoreSums(d, s0, target, row + i, 0);
    if constexpr (kVectors > 1) {
      StoreSums(d, s1, target, row + i, 1);
    }
    if constexpr (kVectors > 2) {
      StoreSums(d, s2, target, row + i, 2), StoreSums(d, s3, target, row + i, 3);
    }
  };
  store(0, s00, s01, s02, s03);
  if constexpr (kRows > 1) {
    store(1, s10, s11, s12, s13);
  }
  if constexpr (kRows > 2) {
    store(2, s20, s21, s22, s23), store(3, s30, s31, s32, s33);
  }
  if constexpr (kRows > 4) {
    store(4, s40, s41, s42, s43), store(5, s50, s51, s52, s53);
  }
}

template <class Products, int kVectors, class Element, class T>
HWY_NOINLINE void RowsTimesVectors(const Rows<Element>& a, const Panel<Element>& b, int64_t inner,
                                   const Target<T>& target, int64_t rows) {
  int64_t row = 0;
  for (; row + Products::kRows <= rows; row += Products::kRows) {
    RegisterBlock<Products, Products::kRows, kVectors>(a, b, inner, target, row);
  }
  const int64_t left = rows - row; // at most 5
  if (left & 4) {
    RegisterBlock<Products, 4, kVectors>(a, b, inner, target, row);
    row += 4;
  }
  if (left & 2) {
    RegisterBlock<Products, 2, kVectors>(a, b, inner, target, row);
    row += 2;
  }
  if (left & 1) {
    RegisterBlock<Products, 1, kVectors>(a, b, inner, target, row);
  }
}

/// Products of `rows` rows and a panel.
template <class Products, class Element, class T>
HWY_INLINE void RowsTimesPanel(const Rows<Element>& a, const Panel<Element>& b, int64_t inner,
                               const Target<T>& target, int64_t rows) {
  if (b.vectors == 1) {
    RowsTimesVectors<Products, 1>(a, b, inner, target, rows);
  } else if (b.vectors == 2) {
    RowsTimesVectors<Products, 2>(a, b, inner, target, rows);
  } else {
    RowsTimesVectors<Products, kPanelVectors>(a, b, inner, target, rows);
  }
}

} // namespace mneme::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif // per-target include guard
