// SPDX-License-Identifier: MIT

#include "kernels/bfloat16_linear/bfloat16_linear.h"

#include "kernels/export.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/bfloat16_linear/bfloat16_linear.cpp"
#include <hwy/foreach_target.h>

#include <bit>

#include <hwy/highway.h>

#include "kernels/linear_parts-inl.h"
#include "kernels/register_block-inl.h"
#include "kernels/scratch.h"

HWY_BEFORE_NAMESPACE();
namespace mneme::kernels::HWY_NAMESPACE {
namespace { // other kernels define the same names

/// Two neighbours of the inner dimension, as bfloat16: the first in the lower half. The product of the upper
/// halves is added first.
using Pair = uint32_t;

const hn::ScalableTag<float> df;
const hn::ScalableTag<Pair> dp;
using Sums = hn::Vec<decltype(df)>;
using Pairs = hn::Vec<decltype(dp)>;

// Without instructions for bfloat16, halves of pairs take registers too.
constexpr int64_t kRowsAtOnce = kPanelVectors == 4 ? 6 : 4;

/// Rows of a that are packed at once, a multiple of kRowsAtOnce and of the lanes of a vector.
constexpr int64_t kRowsPerPack = 192;
constexpr int64_t kColumnsPerPack = 512;
constexpr int64_t kPairsPerSum = kInnerPerSum / 2;

constexpr Pair kUpperHalf = 0xFFFF0000;

// --- rounding and products ---------------------------------------------------------------------------------

/// The pair of two numbers, each rounded to the nearest bfloat16.
HWY_INLINE Pair RoundPair(float first, float second) {
  const auto round = [](float x) {
    const auto bits = std::bit_cast<uint32_t>(x);
    return x != x ? bits | 0x00400000 : bits + 0x7FFF + ((bits >> 16) & 1);
  };
  return (round(second) & kUpperHalf) | (round(first) >> 16);
}

/// Without instructions for bfloat16: the halves of pairs are float32 numbers.
struct Emulated {
  using Element = Pair;
  static constexpr int64_t kRows = kRowsAtOnce;
  struct Operand {
    Sums first, second;
  };

  static HWY_INLINE Operand Load(const Pair* from) { return Split(hn::LoadU(dp, from)); }
  static HWY_INLINE Operand Repeat(Pair pair) { return Split(hn::Set(dp, pair)); }
  static HWY_INLINE Operand Split(Pairs pairs) {
    return {hn::BitCast(df, hn::ShiftLeft<16>(pairs)),
            hn::BitCast(df, hn::And(pairs, hn::Set(dp, kUpperHalf)))};
  }
  static HWY_INLINE Sums Add(const Operand& a, const Operand& b, Sums sums) {
    return hn::MulAdd(a.first, b.first, hn::MulAdd(a.second, b.second, sums));
  }

  /// The pairs of the lanes of two vectors.
  static HWY_INLINE Pairs Join(Sums first, Sums second) {
    return hn::Or(hn::And(RoundUpperHalf(second), hn::Set(dp, kUpperHalf)),
                  hn::ShiftRight<16>(RoundUpperHalf(first)));
  }
  /// The pairs of adjacent numbers, of twice as many as a vector has lanes.
  static HWY_INLINE Pairs JoinAdjacent(const float* from) {
    Sums first, second;
    hn::LoadInterleaved2(df, from, first, second);
    return Join(first, second);
  }

private:
  /// The bfloat16 nearest to each number in the upper half, and any bits in the lower one.
  static HWY_INLINE Pairs RoundUpperHalf(Sums x) {
    const Pairs bits = hn::BitCast(dp, x), last = hn::And(hn::ShiftRight<16>(bits), hn::Set(dp, 1));
    const Pairs nearest = hn::Add(hn::Add(bits, last), hn::Set(dp, 0x7FFF));
    const Pairs quiet = hn::Or(bits, hn::Set(dp, 0x00400000));
    return hn::IfThenElse(hn::RebindMask(dp, hn::IsNaN(x)), quiet, nearest);
  }
};

#if HWY_TARGET <= HWY_AVX3 && HWY_COMPILER_GCC_ACTUAL
#define MNEME_BFLOAT16_INSTRUCTIONS 1
/// With the instructions of AVX-512 BF16. The targets of Highway do not include them, so they are written in
/// assembly.
struct Native {
  using Element = Pair;
  static constexpr int64_t kRows = kRowsAtOnce;

  static HWY_INLINE Pairs Load(const Pair* from) { return hn::LoadU(dp, from); }
  static HWY_INLINE Pairs Repeat(Pair pair) { return hn::Set(dp, pair); }
  static HWY_INLINE Sums Add(Pairs a, Pairs b, Sums sums) {
    asm("vdpbf16ps %2, %1, %0" : "+v"(sums.raw) : "v"(a.raw), "v"(b.raw));
    return sums;
  }

  static HWY_INLINE Pairs Join(Sums first, Sums second) {
    alignas(64) static constexpr uint16_t kInterleaved[32] = {0,  16, 1,  17, 2,  18, 3,  19, 4,  20, 5,
                                                              21, 6,  22, 7,  23, 8,  24, 9,  25, 10, 26,
                                                              11, 27, 12, 28, 13, 29, 14, 30, 15, 31};
    return Pairs{_mm512_permutexvar_epi16(_mm512_load_si512(kInterleaved), Halves(first, second))};
  }
  static HWY_INLINE Pairs JoinAdjacent(const float* from) {
    return Pairs{Halves(hn::LoadU(df, from), hn::LoadU(df, from + Lanes<float>()))};
  }

private:
  /// The rounded numbers of `lower`, then those of `upper`.
  static HWY_INLINE __m512i Halves(Sums lower, Sums upper) {
    __m512i halves;
    asm("vcvtne2ps2bf16 %1, %2, %0" : "=v"(halves) : "v"(lower.raw), "v"(upper.raw));
    return halves;
  }
};
#else
#define MNEME_BFLOAT16_INSTRUCTIONS 0
#endif

// --- packing -----------------------------------------------------------------------------------------------

/// Strided vectors of `inner` elements, several of them.
struct Lines {
  const float* data;
  int64_t line, inner; ///< distances of lines and of their elements
};

/// Pairs of one line whose elements are adjacent, to adjacent pairs.
template <class Products> HWY_INLINE void PackAdjacent(const float* from, int64_t inner, Pair* to) {
  const int64_t n = Lanes<float>();
  int64_t k = 0;
  for (; k + 2 * n <= inner; k += 2 * n) {
    hn::StoreU(Products::JoinAdjacent(from + k), dp, to + k / 2);
  }
  for (; k < inner; k += 2) {
    to[k / 2] = RoundPair(from[k], k + 1 < inner ? from[k + 1] : 0.0F);
  }
}

/// packed[k * width + line] for lines that are adjacent in memory. Lines up to a multiple of the lanes are
/// written; those that do not exist become 0.
template <class Products>
HWY_INLINE void PackAcross(const Lines& lines, int64_t count, int64_t inner, int64_t width, Pair* packed) {
  const int64_t n = Lanes<float>();
  for (int64_t k = 0; k < inner; k += 2) {
    const float *first = lines.data + k * lines.inner, *second = first + lines.inner;
    Pair* to = packed + k / 2 * width;
    for (int64_t i = 0; i < count; i += n) {
      const auto load = [&](const float* from) HWY_ATTR {
        return i + n <= count ? hn::LoadU(df, from + i) : LoadFirst(df, from + i, count - i);
      };
      hn::StoreU(Products::Join(load(first), k + 1 < inner ? load(second) : hn::Zero(df)), dp, to + i);
    }
  }
}

/// packed[k * width + line] for lines with any strides.
HWY_INLINE void PackSpread(const Lines& lines, int64_t count, int64_t inner, int64_t width, Pair* packed) {
  for (int64_t k = 0; k < inner; k += 2) {
    for (int64_t i = 0; i < count; ++i) {
      const float* from = lines.data + i * lines.line + k * lines.inner;
      packed[k / 2 * width + i] = RoundPair(from[0], k + 1 < inner ? from[lines.inner] : 0.0F);
    }
  }
}

/// packed[k * width + column] of one panel. Columns that do not exist keep any values; their sums are not
/// stored.
template <class Products>
HWY_INLINE void PackPanel(const Lines& columns, int64_t count, int64_t inner, int64_t width, Pair* packed) {
  if (columns.line == 1 && columns.inner != 1) {
    PackAcross<Products>(columns, count, inner, width, packed);
    return;
  }
  int64_t j = 0;
#if !HWY_HAVE_SCALABLE && HWY_TARGET != HWY_SCALAR
  if (columns.inner == 1) {
    const int64_t n = Lanes<float>(), pairs = (inner + 1) / 2;
    HWY_ALIGN Pair lines[hn::MaxLanes(hn::ScalableTag<Pair>()) * kPairsPerSum];
    for (; j + n <= count; j += n) {
      for (int64_t line = 0; line < n; ++line) {
        PackAdjacent<Products>(columns.data + (j + line) * columns.line, inner, lines + line * pairs);
      }
      int64_t k = 0;
      for (; k + kBlock<Pair> <= pairs; k += kBlock<Pair>) {
        TransposeRows(lines + k, pairs, [&](int64_t i, Pairs block) HWY_ATTR {
          hn::StoreU(block, dp, packed + (k + i) * width + j);
        });
      }
      for (; k < pairs; ++k) {
        for (int64_t line = 0; line < n; ++line) {
          packed[k * width + j + line] = lines[line * pairs + k];
        }
      }
    }
  }
#endif
  PackSpread({columns.data + j * columns.line, columns.line, columns.inner}, count - j, inner, width,
             packed + j);
}

/// Returns the packed rows.
template <class Products>
HWY_INLINE Rows<Pair> PackRows(const Lines& rows, int64_t count, int64_t inner, Pair* packed) {
  if (rows.inner == 1) {
    const int64_t pairs = (inner + 1) / 2;
    for (int64_t i = 0; i < count; ++i) {
      PackAdjacent<Products>(rows.data + i * rows.line, inner, packed + i * pairs);
    }
    return {packed, pairs, 1};
  }
  if (rows.line == 1) {
    PackAcross<Products>(rows, count, inner, kRowsPerPack, packed);
  } else {
    PackSpread(rows, count, inner, kRowsPerPack, packed);
  }
  return {packed, 1, kRowsPerPack};
}

// --- product -----------------------------------------------------------------------------------------------

template <class Products> void Product(const LinearArgs<float>& args) {
  const int64_t panel_columns = kPanelVectors * Lanes<float>();
  const auto packed_b = take_scratch<Pair>(
      kPairsPerSum * HWY_MIN(kColumnsPerPack, (args.columns / panel_columns + 1) * panel_columns));
  const auto packed_a = take_scratch<Pair>(kPairsPerSum * kRowsPerPack);
  for (int64_t first = 0; first < args.columns; first += kColumnsPerPack) {
    const int64_t last = HWY_MIN(args.columns, first + kColumnsPerPack);
    int64_t begin = 0;
    do { // once if inner is 0
      const int64_t inner = HWY_MIN(kInnerPerSum, args.inner - begin), pairs = (inner + 1) / 2;
      const auto panel_at = [&](int64_t j) HWY_ATTR {
        const int64_t columns = HWY_MIN(panel_columns, last - j), vectors = PanelVectors<float>(columns);
        return Panel<Pair>{vectors, columns, packed_b.get() + (j - first) * pairs, vectors * Lanes<float>()};
      };
      for (int64_t j = first; j < last; j += panel_columns) {
        const Panel<Pair> panel = panel_at(j);
        PackPanel<Products>({args.b + begin * args.b_inner + j * args.b_column, args.b_column, args.b_inner},
                            panel.columns, inner, panel.pitch, packed_b.get() + (j - first) * pairs);
      }
      for (int64_t row = 0; row < args.rows; row += kRowsPerPack) {
        const int64_t rows = HWY_MIN(kRowsPerPack, args.rows - row);
        const Rows<Pair> a =
            PackRows<Products>({args.a + row * args.a_row + begin * args.a_inner, args.a_row, args.a_inner},
                               rows, inner, packed_a.get());
        const Pieces<float> next = NextRows(args, begin, row + kRowsPerPack, kRowsPerPack);
        const int64_t parts =
            (rows + kRowsAtOnce - 1) / kRowsAtOnce * ((last - first + panel_columns - 1) / panel_columns);
        int64_t part = 0;
        for (int64_t i = 0; i < rows; i += kRowsAtOnce) {
          for (int64_t j = first; j < last; j += panel_columns) {
            const Panel<Pair> panel = panel_at(j);
            next.Prefetch(part++, parts);
            RowsTimesPanel<Products>(
                Rows<Pair>{a.data + i * a.row, a.row, a.inner}, panel, pairs,
                Target<float>{args.out + (row + i) * args.out_row + j, args.out_row, panel.columns,
                              args.bias != nullptr && begin == 0 ? args.bias + j : nullptr,
                              args.accumulate || begin > 0},
                HWY_MIN(kRowsAtOnce, rows - i));
          }
        }
      }
      begin += inner;
    } while (begin < args.inner);
  }
}

void Bfloat16Linear(const LinearArgs<float>& args) {
#if MNEME_BFLOAT16_INSTRUCTIONS
  if (has_bfloat16_products()) {
    Product<Native>(args);
    return;
  }
#endif
  Product<Emulated>(args);
}

} // namespace
#undef MNEME_BFLOAT16_INSTRUCTIONS
} // namespace mneme::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace mneme::kernels {

using Bfloat16LinearArgs = LinearArgs<float>;
MNEME_EXPORT_UNTYPED_KERNEL(void, bfloat16_linear, Bfloat16Linear, Bfloat16LinearArgs)

} // namespace mneme::kernels
#endif
