// SPDX-License-Identifier: MIT

#include "kernels/linear/linear.h"

#include "kernels/export.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/linear/linear.cpp"
#include <hwy/foreach_target.h>

#include <hwy/aligned_allocator.h>
#include <hwy/highway.h>

#include "kernels/first_lanes-inl.h"

HWY_BEFORE_NAMESPACE();
namespace mneme::kernels::HWY_NAMESPACE {
namespace { // other kernels define the same names

/// A register block is kRowsAtOnce rows times kPanelVectors vectors of columns. Per step it loads
/// kPanelVectors vectors of b and broadcasts kRowsAtOnce elements of a. 2 FMA ports x 4 cycles latency need
/// at least 8 accumulators.
constexpr int64_t kRowsAtOnce = 6;
#if HWY_TARGET <= HWY_AVX3 || HWY_ARCH_ARM_A64
constexpr int kPanelVectors = 4; // 24 accumulators, 4 vectors of b and one of a in 32 registers
#else
constexpr int kPanelVectors = 2; // 12 accumulators, 2 vectors of b and one of a in 16 registers
#endif

/// A row of packed columns of b. With kInnerPerSum rows they take half of an L2 cache of 1 MB.
constexpr int64_t kColumnBytes = 2048;
/// Rows of a that are packed at once: 6 cache lines of float for each step.
constexpr int64_t kRowsPerPack = 16 * kRowsAtOnce;
/// For so few rows a panel is used right after it was packed, while it is in the L1 cache.
constexpr int64_t kFewRows = 2 * kRowsAtOnce;

/// Rows of a: pointer to the first one, and distances in elements.
template <class T> struct Rows {
  const T* data;
  int64_t row, inner;
};

/// Columns of b that are computed together, panel[k * pitch + column].
template <class T> struct Panel {
  int64_t vectors; ///< 1, 2 or kPanelVectors; the last ones may be partly used
  int64_t columns; ///< that exist
  const T* data;
  int64_t pitch;
};

template <class T> HWY_INLINE int64_t Lanes() {
  return static_cast<int64_t>(hn::Lanes(hn::ScalableTag<T>()));
}

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

/// Products of kRows rows from `row` on and a panel of kVectors vectors, over `inner` steps.
template <int kRows, int kVectors, class T>
HWY_INLINE void RegisterBlock(const Rows<T>& a, const Panel<T>& b, int64_t inner, const Target<T>& target,
                              int64_t row) {
  const hn::ScalableTag<T> d;
  const int64_t n = Lanes<T>();
  auto s00 = hn::Zero(d), s01 = s00, s02 = s00, s03 = s00, s10 = s00, s11 = s00, s12 = s00, s13 = s00;
  auto s20 = s00, s21 = s00, s22 = s00, s23 = s00, s30 = s00, s31 = s00, s32 = s00, s33 = s00;
  auto s40 = s00, s41 = s00, s42 = s00, s43 = s00, s50 = s00, s51 = s00, s52 = s00, s53 = s00;
  const T* HWY_RESTRICT from = a.data + row * a.row;
  const T* HWY_RESTRICT panel = b.data;
  const int64_t stride = a.row;
  for (int64_t k = 0; k < inner; ++k) {
    const auto b0 = hn::LoadU(d, panel);
    const auto b1 = kVectors > 1 ? hn::LoadU(d, panel + n) : b0;
    const auto b2 = kVectors > 2 ? hn::LoadU(d, panel + 2 * n) : b0;
    const auto b3 = kVectors > 2 ? hn::LoadU(d, panel + 3 * n) : b0;
    const auto add = [&](int64_t i, auto& s0, auto& s1, auto& s2, auto& s3) HWY_ATTR {
      const auto factor = hn::Set(d, from[i * stride]);
      s0 = hn::MulAdd(factor, b0, s0);
      if constexpr (kVectors > 1) {
        s1 = hn::MulAdd(factor, b1, s1);
      }
      if constexpr (kVectors > 2) {
        s2 = hn::MulAdd(factor, b2, s2);
        s3 = hn::MulAdd(factor, b3, s3);
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
  const auto store = [&](int64_t i, auto s0, auto s1, auto s2, auto s3) HWY_ATTR {
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

template <int kVectors, class T>
HWY_NOINLINE void RowsTimesPanel(const Rows<T>& a, const Panel<T>& b, int64_t inner, const Target<T>& target,
                                 int64_t rows) {
  int64_t row = 0;
  for (; row + kRowsAtOnce <= rows; row += kRowsAtOnce) {
    RegisterBlock<kRowsAtOnce, kVectors>(a, b, inner, target, row);
  }
  const int64_t left = rows - row; // at most 5
  if (left & 4) {
    RegisterBlock<4, kVectors>(a, b, inner, target, row);
    row += 4;
  }
  if (left & 2) {
    RegisterBlock<2, kVectors>(a, b, inner, target, row);
    row += 2;
  }
  if (left & 1) {
    RegisterBlock<1, kVectors>(a, b, inner, target, row);
  }
}

/// Elements of 128 bits, and whether vectors are composed of such blocks.
template <class T> constexpr int64_t kBlock = 16 / sizeof(T);
constexpr bool kHasBlocks = !HWY_HAVE_SCALABLE && HWY_TARGET != HWY_SCALAR;

#if HWY_HAVE_SCALABLE || HWY_TARGET == HWY_SCALAR
template <class T, class Use> HWY_INLINE void TransposeBlock(const T*, int64_t, const Use&) {}
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
HWY_INLINE void TransposeBlock(const T* rows, int64_t row_stride, const Use& use) {
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
        TransposeBlock(from + k, b_column, [&](int64_t i, auto elements) HWY_ATTR {
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

/// Copies `rows` rows, kRowsAtOnce at a time, to packed[k * kRowsAtOnce + row] of each of these groups.
template <class T> HWY_INLINE void PackRows(const Rows<T>& a, int64_t rows, int64_t inner, T* packed) {
  for (int64_t k = 0; k < inner; ++k) {
    const T* from = a.data + k * a.inner;
    T* to = packed + k * kRowsAtOnce;
    int64_t i = 0;
    if (a.row == 1) {
      for (; i + kRowsAtOnce <= rows; i += kRowsAtOnce, to += kRowsAtOnce * inner) {
        hwy::CopyBytes<kRowsAtOnce * sizeof(T)>(from + i, to);
      }
    }
    for (; i < rows; i += kRowsAtOnce, to += kRowsAtOnce * inner) {
      for (int64_t row = 0; row < HWY_MIN(kRowsAtOnce, rows - i); ++row) {
        to[row] = from[(i + row) * a.row];
      }
    }
  }
}

template <class T>
HWY_INLINE void RowsTimesPanel(const Rows<T>& a, const Panel<T>& b, int64_t inner, const Target<T>& target,
                               int64_t rows) {
  if (b.vectors == 1) {
    RowsTimesPanel<1>(a, b, inner, target, rows);
  } else if (b.vectors == 2) {
    RowsTimesPanel<2>(a, b, inner, target, rows);
  } else {
    RowsTimesPanel<kPanelVectors>(a, b, inner, target, rows);
  }
}

/// One row of a times kVectors vectors of columns from `first` on, which are transposed in registers. Two
/// vectors are two chains of additions, which hide half of the latency.
template <int kVectors, class T>
HWY_INLINE void OneRowTimesColumns(const LinearArgs<T>& args, int64_t first) {
  const hn::ScalableTag<T> d;
  const int64_t n = Lanes<T>(), stride = args.b_column;
  Target<T> target = {args.out + first, args.out_row, kVectors * n,
                      args.bias == nullptr ? nullptr : args.bias + first, args.accumulate};
  HWY_ALIGN T column[hn::MaxLanes(d)];
  for (int64_t begin = 0; begin < args.inner; begin += kInnerPerSum) {
    const int64_t steps = HWY_MIN(kInnerPerSum, args.inner - begin);
    const T* a = args.a + begin * args.a_inner;
    const T* b0 = args.b + first * stride + begin;
    const T* b1 = b0 + n * stride;
    auto sums0 = hn::Zero(d), sums1 = sums0;
    int64_t k = 0;
    for (; k + kBlock<T> <= steps; k += kBlock<T>) {
      TransposeBlock(b0 + k, stride, [&](int64_t i, auto elements) HWY_ATTR {
        sums0 = hn::MulAdd(hn::Set(d, a[(k + i) * args.a_inner]), elements, sums0);
      });
      if constexpr (kVectors > 1) {
        TransposeBlock(b1 + k, stride, [&](int64_t i, auto elements) HWY_ATTR {
          sums1 = hn::MulAdd(hn::Set(d, a[(k + i) * args.a_inner]), elements, sums1);
        });
      }
    }
    for (; k < steps; ++k) {
      const auto add = [&](const T* b, auto& sums) HWY_ATTR {
        for (int64_t lane = 0; lane < n; ++lane) {
          column[lane] = b[lane * stride + k];
        }
        sums = hn::MulAdd(hn::Set(d, a[k * args.a_inner]), hn::Load(d, column), sums);
      };
      add(b0, sums0);
      if constexpr (kVectors > 1) {
        add(b1, sums1);
      }
    }
    StoreSums(d, sums0, target, 0, 0);
    if constexpr (kVectors > 1) {
      StoreSums(d, sums1, target, 0, 1);
    }
    target.bias = nullptr;
    target.accumulate = true;
  }
}

/// One row of a times rows of b, without packing. Returns the number of columns done. Bits are those of
/// RegisterBlock.
template <class T> HWY_INLINE int64_t OneRow(const LinearArgs<T>& args) {
  if (!kHasBlocks || args.rows != 1 || args.b_inner != 1 || args.inner == 0) {
    return 0;
  }
  const int64_t n = Lanes<T>();
  int64_t j = 0;
  for (; j + 2 * n <= args.columns; j += 2 * n) {
    OneRowTimesColumns<2>(args, j);
  }
  for (; j + n <= args.columns; j += n) {
    OneRowTimesColumns<1>(args, j);
  }
  return j;
}

template <class T> void Linear(const LinearArgs<T>& args) {
  const int64_t n = Lanes<T>(), panel_columns = kPanelVectors * n;
  const bool few_rows = args.rows <= kFewRows, pack_a = args.a_inner != 1;
  const int64_t column_block =
      few_rows ? panel_columns
               : HWY_MAX(1, kColumnBytes / static_cast<int64_t>(sizeof(T)) / panel_columns) * panel_columns;
  const int64_t steps_max = HWY_MIN(args.inner, kInnerPerSum);
  const int64_t columns_max =
      (HWY_MIN(args.columns, column_block) + panel_columns - 1) / panel_columns * panel_columns;
  const auto packed_b = hwy::AllocateAligned<T>(static_cast<size_t>(HWY_MAX(1, steps_max * columns_max)));
  const auto packed_a =
      hwy::AllocateAligned<T>(static_cast<size_t>(pack_a ? HWY_MAX(1, steps_max * kRowsPerPack) : 1));
  for (int64_t first = OneRow(args); first < args.columns; first += column_block) {
    const int64_t last = HWY_MIN(args.columns, first + column_block);
    int64_t begin = 0;
    do { // once if inner is 0
      const int64_t steps = HWY_MIN(kInnerPerSum, args.inner - begin);
      const auto panel_at = [&](int64_t j) HWY_ATTR {
        const int64_t vectors = PanelVectors<T>(last - j), columns = HWY_MIN(last - j, panel_columns);
        if (few_rows && args.b_column == 1 && columns == vectors * n) {
          return Panel<T>{vectors, columns, args.b + begin * args.b_inner + j, args.b_inner};
        }
        return Panel<T>{vectors, columns, packed_b.get() + (j - first) * steps, vectors * n};
      };
      for (int64_t j = first; j < last; j += panel_columns) {
        const Panel<T> panel = panel_at(j);
        T* packed = packed_b.get() + (j - first) * steps;
        if (panel.data == packed) {
          PackPanel(args.b + begin * args.b_inner + j * args.b_column, args.b_inner, args.b_column,
                    panel.columns, panel.pitch, steps, packed);
        }
      }
      for (int64_t block = 0; block < args.rows; block += kRowsPerPack) {
        const int64_t block_rows = HWY_MIN(kRowsPerPack, args.rows - block);
        const Rows<T> in_place = {args.a + block * args.a_row + begin * args.a_inner, args.a_row,
                                  args.a_inner};
        if (pack_a) {
          PackRows(in_place, block_rows, steps, packed_a.get());
        }
        for (int64_t i = 0; i < block_rows; i += kRowsAtOnce) {
          const Rows<T> a = pack_a ? Rows<T>{packed_a.get() + i * steps, 1, kRowsAtOnce}
                                   : Rows<T>{in_place.data + i * args.a_row, args.a_row, 1};
          for (int64_t j = first; j < last; j += panel_columns) {
            const Panel<T> panel = panel_at(j);
            RowsTimesPanel(a, panel, steps,
                           Target<T>{args.out + (block + i) * args.out_row + j, args.out_row, panel.columns,
                                     args.bias != nullptr && begin == 0 ? args.bias + j : nullptr,
                                     args.accumulate || begin > 0},
                           HWY_MIN(kRowsAtOnce, block_rows - i));
          }
        }
      }
      begin += steps;
    } while (begin < args.inner);
  }
}

MNEME_KERNEL_TYPES(Linear, LinearArgs)

} // namespace
} // namespace mneme::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace mneme::kernels {

MNEME_EXPORT_KERNEL(linear, Linear, LinearArgs)

} // namespace mneme::kernels
#endif
