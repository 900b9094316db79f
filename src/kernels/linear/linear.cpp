// SPDX-License-Identifier: MIT

#include "kernels/linear/linear.h"

#include "kernels/export.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/linear/linear.cpp"
#include <hwy/foreach_target.h>

#include <algorithm>

#include <hwy/cache_control.h>
#include <hwy/highway.h>

#include "kernels/lane_product-inl.h"
#include "kernels/linear_parts-inl.h"
#include "kernels/pair_sums-inl.h"
#include "kernels/register_block-inl.h"
#include "kernels/scratch.h"

HWY_BEFORE_NAMESPACE();
namespace mneme::kernels::HWY_NAMESPACE {
namespace { // other kernels define the same names

/// 2 FMA ports x 4 cycles latency need at least 8 accumulators.
constexpr int64_t kRowsAtOnce =
    6; // 24 or 12 accumulators, kPanelVectors vectors of b and one of a in registers

/// A row of packed columns of b. With kInnerPerSum rows they take half of an L2 cache of 1 MB.
constexpr int64_t kColumnBytes = 2048;
/// Rows of a that are packed at once: 6 cache lines of float for each step.
constexpr int64_t kRowsPerPack = 16 * kRowsAtOnce;
/// For so few rows a panel is used right after it was packed, while it is in the L1 cache.
constexpr int64_t kFewRows = 2 * kRowsAtOnce;

/// Products of numbers, each in its own type.
template <class T> struct Plain {
  using Element = T;
  using Vector = hn::Vec<hn::ScalableTag<T>>;
  static constexpr int64_t kRows = kRowsAtOnce;

  static HWY_INLINE Vector Load(const T* from) { return hn::LoadU(hn::ScalableTag<T>(), from); }
  static HWY_INLINE Vector Repeat(T element) { return hn::Set(hn::ScalableTag<T>(), element); }
  static HWY_INLINE Vector Add(Vector a, Vector b, Vector sums) { return hn::MulAdd(a, b, sums); }
};

/// PackPanel for all panels of `columns` columns that are adjacent in b, in the order of memory: a panel
/// alone would read one cache line per row of b, from another page each time.
template <class T>
HWY_INLINE void PackAdjacentColumns(const T* b, int64_t b_inner, int64_t columns, int64_t inner, T* packed) {
  const hn::ScalableTag<T> d;
  const int64_t n = Lanes<T>(), panel_columns = kPanelVectors * n,
                whole = columns / panel_columns * panel_columns;
  for (int64_t k = 0; k < inner; ++k) {
    const T* from = b + k * b_inner;
    T* to = packed + k * panel_columns;
    for (int64_t j = 0; j < whole; j += panel_columns, to += inner * panel_columns) {
      for (int64_t i = 0; i < panel_columns; i += n) {
        hn::Store(hn::LoadU(d, from + j + i), d, to + i);
      }
    }
  }
  if (whole < columns) {
    PackPanel(b + whole, b_inner, 1, columns - whole, PanelVectors<T>(columns - whole) * n, inner,
              packed + whole * inner);
  }
}

/// Copies `rows` rows, kRowsAtOnce at a time, to packed[k * kRowsAtOnce + row] of each of these groups.
template <class T> HWY_INLINE void PackRows(const Rows<T>& a, int64_t rows, int64_t inner, T* packed) {
  constexpr int64_t kStepsAtOnce = 8; // of a group: few cache lines are written by turns
  for (int64_t begin = 0; begin < inner; begin += kStepsAtOnce) {
    const int64_t steps = HWY_MIN(kStepsAtOnce, inner - begin);
    const T* from = a.data + begin * a.inner;
    T* to = packed + begin * kRowsAtOnce;
    int64_t i = 0;
    for (; a.row == 1 && i + kRowsAtOnce <= rows; i += kRowsAtOnce) {
      for (int64_t k = 0; k < steps; ++k) {
        hwy::CopyBytes<kRowsAtOnce * sizeof(T)>(from + k * a.inner + i, to + i * inner + k * kRowsAtOnce);
      }
    }
    for (; i < rows; i += kRowsAtOnce) {
      for (int64_t k = 0; k < steps; ++k) {
        for (int64_t row = 0; row < HWY_MIN(kRowsAtOnce, rows - i); ++row) {
          to[i * inner + k * kRowsAtOnce + row] = from[k * a.inner + (i + row) * a.row];
        }
      }
    }
  }
}

/// Destination of the sums of one row from column `first` on.
template <class T> HWY_INLINE Target<T> RowTarget(const LinearArgs<T>& args, int64_t first, int64_t columns) {
  return {args.out + first, args.out_row, columns, args.bias == nullptr ? nullptr : args.bias + first,
          args.accumulate};
}

/// Adds kSteps steps of `columns` columns, adjacent in b, to their sums.
template <int kSteps, class T>
HWY_INLINE void AddSteps(const T* HWY_RESTRICT b, int64_t b_inner, const T* a, int64_t a_inner,
                         int64_t columns, T* HWY_RESTRICT sums) {
  const hn::ScalableTag<T> d;
  const int64_t n = Lanes<T>();
  const auto add = [&](int64_t j, const auto& load) HWY_ATTR {
    auto sum = hn::Load(d, sums + j);
    const T* from = b + j;
    for (int64_t k = 0; k < kSteps; ++k, from += b_inner) { // unrolled by the compiler
      sum = hn::MulAdd(hn::Set(d, a[k * a_inner]), load(from), sum);
    }
    hn::Store(sum, d, sums + j);
  };
  int64_t j = 0;
  for (; j + n <= columns; j += n) {
    add(j, [d](const T* from) HWY_ATTR { return hn::LoadU(d, from); });
  }
  if (j < columns) {
    add(j, [d, left = columns - j](const T* from) HWY_ATTR { return LoadFirst(d, from, left); });
  }
}

/// One row of a times columns that are adjacent in b, which is read in the order of memory.
template <class T> HWY_INLINE void OneRowTimesAdjacentColumns(const LinearArgs<T>& args) {
  const hn::ScalableTag<T> d;
  constexpr int64_t kColumns = 8192 / sizeof(T); // their sums take a quarter of an L1 cache
  constexpr int kStepsAtOnce = 8;                // for each time that the sums are read and written
  HWY_ALIGN T sums[kColumns];
  const int64_t n = Lanes<T>();
  for (int64_t first = 0; first < args.columns; first += kColumns) {
    const int64_t columns = HWY_MIN(kColumns, args.columns - first);
    Target<T> target = RowTarget(args, first, columns);
    int64_t begin = 0;
    do { // once if inner is 0
      const int64_t steps = HWY_MIN(kInnerPerSum, args.inner - begin);
      const T* a = args.a + begin * args.a_inner;
      const T* b = args.b + begin * args.b_inner + first;
      std::fill_n(sums, kColumns, T{0});
      int64_t k = 0;
      for (; k + kStepsAtOnce <= steps; k += kStepsAtOnce) {
        AddSteps<kStepsAtOnce>(b + k * args.b_inner, args.b_inner, a + k * args.a_inner, args.a_inner,
                               columns, sums);
      }
      for (; k < steps; ++k) {
        AddSteps<1>(b + k * args.b_inner, args.b_inner, a + k * args.a_inner, args.a_inner, columns, sums);
      }
      for (int64_t j = 0; j < columns; j += n) {
        StoreSums(d, hn::Load(d, sums + j), target, 0, j / n);
      }
      target.bias = nullptr;
      target.accumulate = true;
      begin += steps;
    } while (begin < args.inner);
  }
}

template <class T> void FewRows(const LinearArgs<T>& args) {
  const bool adds = args.accumulate || args.bias != nullptr;
  for (int64_t i = 0; i < args.rows && args.bias != nullptr; ++i) {
    T* to = args.out + i * args.out_row;
    for (int64_t j = 0; j < args.columns; ++j) {
      to[j] = args.accumulate ? to[j] + args.bias[j] : args.bias[j];
    }
  }
  SumOfPairs<Product>(PairSums<T>{.queries = args.a,
                                  .query_stride = args.a_row,
                                  .stored = args.b,
                                  .stored_stride = args.b_column,
                                  .sums = args.out,
                                  .sums_stride = args.out_row,
                                  .num_queries = args.rows,
                                  .num_stored = args.columns,
                                  .size = args.inner,
                                  .adds = adds});
}

template <class T> void Linear(const LinearArgs<T>& args) {
  if (args.few_rows) {
    return FewRows(args);
  }
  if (args.rows == 1 && args.b_column == 1 && args.b_inner != 1) {
    return OneRowTimesAdjacentColumns(args); // without packing; bits are those of RegisterBlock
  }
  const int64_t n = Lanes<T>(), panel_columns = kPanelVectors * n;
  const bool few_rows = args.rows <= kFewRows, pack_a = args.a_inner != 1;
  const int64_t column_block =
      few_rows ? panel_columns
               : HWY_MAX(1, kColumnBytes / static_cast<int64_t>(sizeof(T)) / panel_columns) * panel_columns;
  const int64_t steps_max = HWY_MIN(args.inner, kInnerPerSum);
  const int64_t columns_max =
      (HWY_MIN(args.columns, column_block) + panel_columns - 1) / panel_columns * panel_columns;
  const auto packed_b = take_scratch<T>(steps_max * columns_max);
  const auto packed_a = take_scratch<T>(pack_a ? HWY_MAX(1, steps_max * kRowsPerPack) : 1);
  for (int64_t first = 0; first < args.columns; first += column_block) {
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
      if (!few_rows && args.b_column == 1) {
        PackAdjacentColumns(args.b + begin * args.b_inner + first, args.b_inner, last - first, steps,
                            packed_b.get());
      } else {
        for (int64_t j = first; j < last; j += panel_columns) {
          const Panel<T> panel = panel_at(j);
          T* packed = packed_b.get() + (j - first) * steps;
          if (panel.data == packed) {
            PackPanel(args.b + begin * args.b_inner + j * args.b_column, args.b_inner, args.b_column,
                      panel.columns, panel.pitch, steps, packed);
          }
        }
      }
      for (int64_t block = 0; block < args.rows; block += kRowsPerPack) {
        const int64_t block_rows = HWY_MIN(kRowsPerPack, args.rows - block);
        const Rows<T> in_place = {args.a + block * args.a_row + begin * args.a_inner, args.a_row,
                                  args.a_inner};
        if (pack_a) {
          PackRows(in_place, block_rows, steps, packed_a.get());
        }
        const int64_t panels = (last - first + panel_columns - 1) / panel_columns,
                      groups = (block_rows + kRowsAtOnce - 1) / kRowsAtOnce,
                      parts = pack_a ? groups * panels : panels;
        Pieces<T> next = NextRows(args, begin, block + kRowsPerPack, kRowsPerPack);
        int64_t part = 0;
        for (int64_t i = 0; i < block_rows; i += kRowsAtOnce) {
          if (!pack_a) {
            next = NextRows(args, begin, block + i + kRowsAtOnce, kRowsAtOnce);
            part = 0;
          }
          const Rows<T> a = pack_a ? Rows<T>{packed_a.get() + i * steps, 1, kRowsAtOnce}
                                   : Rows<T>{in_place.data + i * args.a_row, args.a_row, 1};
          for (int64_t j = first; j < last; j += panel_columns) {
            const Panel<T> panel = panel_at(j);
            next.Prefetch(part++, parts);
            RowsTimesPanel<Plain<T>>(a, panel, steps,
                                     Target<T>{args.out + (block + i) * args.out_row + j, args.out_row,
                                               panel.columns,
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
