// SPDX-License-Identifier: MIT

#include "kernels/int8_linear/int8_linear.h"

#include "kernels/export.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/int8_linear/int8_linear.cpp"
#include <hwy/foreach_target.h>

#include <hwy/cache_control.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace mneme::kernels::HWY_NAMESPACE {
namespace { // other kernels define the same names
namespace hn = hwy::HWY_NAMESPACE;

#if HWY_TARGET == HWY_SCALAR // one lane of int32 has no pairs of int16
void QuantiseRows(const QuantiseRowsArgs& args) {
  reference::quantise_rows(args);
}
void Int8Linear(const Int8LinearArgs& args) {
  reference::int8_linear(args);
}
#else

const hn::ScalableTag<float> df;
const hn::ScalableTag<int32_t> d32;
const hn::ScalableTag<int16_t> d16;
const hn::Rebind<int16_t, hn::ScalableTag<int32_t>> d16_of_d32;
const hn::Rebind<int8_t, hn::ScalableTag<int16_t>> d8;
using Sums = hn::Vec<decltype(d32)>;
using Numbers = hn::Vec<decltype(d16)>;

constexpr int64_t kMaxLanes32 = hn::MaxLanes(hn::ScalableTag<int32_t>());

/// A register block is up to kRowsAtOnce rows of a times kColumnsAtOnce rows of b: 8 accumulators, 2 vectors
/// of b, one of a and one of products fit in 16 registers. A single row of a is multiplied by 4 rows of b.
constexpr int64_t kRowsAtOnce = 4, kColumnsAtOnce = 2, kColumnsOfOneRow = 4;

/// Bytes of the rows of a that are multiplied by all of b before the next ones: half of an L2 cache of 512
/// kB.
constexpr int64_t kRowBytes = 1 << 18;

/// Distance of the prefetched bytes of b for a single row of a. Four rows of b that are read in parallel are
/// four short streams, which the prefetchers of CPUs follow at half of the rate of the memory.
constexpr int64_t kPrefetchBytes = 4096, kCacheLine = 64;

constexpr int32_t kAbsoluteBits = 0x7FFFFFFF, kInfinityBits = 0x7F800000;

// --- quantised rows ----------------------------------------------------------------------------------------

/// The largest absolute value of a row as its bits, whose order is that of the values, with NaN above
/// infinity.
HWY_INLINE int32_t MaxBits(const float* x, int64_t inner) {
  const auto n = static_cast<int64_t>(hn::Lanes(d32));
  const auto absolute = hn::Set(d32, kAbsoluteBits);
  auto max = hn::Zero(d32);
  int64_t k = 0;
  for (; k + n <= inner; k += n) {
    max = hn::Max(max, hn::And(absolute, hn::BitCast(d32, hn::LoadU(df, x + k))));
  }
  if (k < inner) {
    HWY_ALIGN float tail[kMaxLanes32] = {};
    for (int64_t i = 0; k + i < inner; ++i) {
      tail[i] = x[k + i];
    }
    max = hn::Max(max, hn::And(absolute, hn::BitCast(d32, hn::Load(df, tail))));
  }
  return hn::GetLane(hn::MaxOfLanes(d32, max));
}

/// quantised[k] = round(x[k] * inverse)
HWY_INLINE void Quantise(const float* x, float inverse, int64_t inner, int16_t* quantised) {
  const auto n = static_cast<int64_t>(hn::Lanes(d32));
  const auto factor = hn::Set(df, inverse);
  const auto rounded = [factor](auto numbers) HWY_ATTR {
    return hn::DemoteTo(d16_of_d32, hn::NearestInt(hn::Mul(numbers, factor)));
  };
  int64_t k = 0;
  for (; k + n <= inner; k += n) {
    hn::StoreU(rounded(hn::LoadU(df, x + k)), d16_of_d32, quantised + k);
  }
  if (k < inner) {
    HWY_ALIGN float tail[kMaxLanes32] = {};
    HWY_ALIGN int16_t result[kMaxLanes32];
    for (int64_t i = 0; k + i < inner; ++i) {
      tail[i] = x[k + i];
    }
    hn::Store(rounded(hn::Load(df, tail)), d16_of_d32, result);
    for (int64_t i = 0; k + i < inner; ++i) {
      quantised[k + i] = result[i];
    }
  }
}

void QuantiseRows(const QuantiseRowsArgs& args) {
  for (int64_t i = 0; i < args.rows; ++i) {
    const float* x = args.x + i * args.x_row;
    int16_t* quantised = args.quantised + i * args.inner;
    const int32_t bits = MaxBits(x, args.inner);
    float max = 0;
    hwy::CopyBytes<sizeof(float)>(&bits, &max);
    if (bits < kInfinityBits && max >= kMinRowMax) {
      Quantise(x, static_cast<float>(kInt15Max) / max, args.inner, quantised);
      args.scales[i] = max / static_cast<float>(kInt15Max);
      continue;
    }
    for (int64_t k = 0; k < args.inner; ++k) {
      quantised[k] = 0;
    }
    args.scales[i] = bits < kInfinityBits ? 0.0F : __builtin_nanf("");
  }
}

// --- product -----------------------------------------------------------------------------------------------

/// sum + products of pairs of neighbours
HWY_INLINE Sums AddPairs(Numbers a, Numbers b, Sums sum) {
  auto upper = hn::Zero(d32); // remains 0 on x86
  sum = hn::ReorderWidenMulAccumulate(d32, a, b, sum, upper);
  return hn::Add(sum, upper);
}

HWY_INLINE int64_t SumOf(Sums sums) {
  return hn::GetLane(hn::SumOfLanes(d32, sums));
}

/// totals[i][j] += sums of the products of kRows rows of a and kColumns rows of b, of `inner` numbers, at
/// most kInnerPerInt32. `prefetch`: memory of b that is needed next, as long as the rows of b together.
template <int kRows, int kColumns>
HWY_INLINE void AddProducts(const int16_t* HWY_RESTRICT a, int64_t a_row, const int8_t* HWY_RESTRICT b,
                            int64_t b_row, int64_t inner, const int8_t* prefetch,
                            int64_t* HWY_RESTRICT totals) {
  const auto n = static_cast<int64_t>(hn::Lanes(d16));
  auto s00 = hn::Zero(d32), s01 = s00, s02 = s00, s03 = s00; // sij: row i of a, row j of b
  auto s10 = s00, s11 = s00, s20 = s00, s21 = s00, s30 = s00, s31 = s00;
  int64_t k = 0;
  for (; k + n <= inner; k += n) {
    if constexpr (kRows == 1) {
      for (int64_t line = 0; line < kColumns * n; line += kCacheLine) { // unrolled by the compiler
        hwy::Prefetch(prefetch + kColumns * k + line);
      }
    }
    const auto b_at = [&](int64_t j)
                          HWY_ATTR { return hn::PromoteTo(d16, hn::LoadU(d8, b + j * b_row + k)); };
    const auto b0 = b_at(0), b1 = kColumns > 1 ? b_at(1) : b0;
    const auto add = [&](int64_t i, auto& s0, auto& s1) HWY_ATTR {
      const auto row = hn::LoadU(d16, a + i * a_row + k);
      s0 = AddPairs(row, b0, s0);
      if constexpr (kColumns > 1) {
        s1 = AddPairs(row, b1, s1);
      }
      return row;
    };
    const auto first = add(0, s00, s01);
    if constexpr (kColumns > 2) {
      s02 = AddPairs(first, b_at(2), s02);
      s03 = AddPairs(first, b_at(3), s03);
    }
    if constexpr (kRows > 1) {
      add(1, s10, s11);
    }
    if constexpr (kRows > 2) {
      add(2, s20, s21);
      add(3, s30, s31);
    }
  }
  const auto store = [&](int64_t i, auto s0, auto s1) HWY_ATTR {
    totals[i * kColumns] += SumOf(s0);
    if constexpr (kColumns > 1) {
      totals[i * kColumns + 1] += SumOf(s1);
    }
  };
  store(0, s00, s01);
  if constexpr (kColumns > 2) {
    totals[2] += SumOf(s02);
    totals[3] += SumOf(s03);
  }
  if constexpr (kRows > 1) {
    store(1, s10, s11);
  }
  if constexpr (kRows > 2) {
    store(2, s20, s21);
    store(3, s30, s31);
  }
  for (; k < inner; ++k) {
    for (int64_t i = 0; i < kRows; ++i) {
      for (int64_t j = 0; j < kColumns; ++j) {
        totals[i * kColumns + j] += int64_t{a[i * a_row + k]} * b[j * b_row + k];
      }
    }
  }
}

/// kRows rows of a from `row` on times kColumns rows of b from `column` on.
template <int kRows, int kColumns>
HWY_INLINE void Block(const Int8LinearArgs& args, int64_t row, int64_t column) {
  const int64_t inner = args.inner, b_row = inner + kInt8ScaleBytes;
  const int16_t* a = args.a + row * inner;
  const int8_t* b = args.b + column * b_row;
  int64_t totals[kRows * kColumns] = {};
  for (int64_t begin = 0; begin < inner; begin += kInnerPerInt32) {
    AddProducts<kRows, kColumns>(a + begin, inner, b + begin, b_row, HWY_MIN(kInnerPerInt32, inner - begin),
                                 b + kPrefetchBytes + kColumns * begin, totals);
  }
  for (int64_t j = 0; j < kColumns; ++j) {
    float b_scale = 0;
    hwy::CopyBytes<sizeof(float)>(b + j * b_row + inner, &b_scale);
    const double bias = args.bias != nullptr ? static_cast<double>(args.bias[column + j]) : 0.0;
    for (int64_t i = 0; i < kRows; ++i) {
      const double scale = static_cast<double>(args.a_scales[row + i]) * static_cast<double>(b_scale);
      args.out[(row + i) * args.out_row + column + j] =
          static_cast<float>(static_cast<double>(totals[i * kColumns + j]) * scale + bias);
    }
  }
}

/// Rows of a from `first` to `last` times kColumns rows of b.
template <int kColumns>
HWY_INLINE void RowsTimesColumns(const Int8LinearArgs& args, int64_t first, int64_t last, int64_t column) {
  int64_t i = first;
  for (; i + kRowsAtOnce <= last; i += kRowsAtOnce) {
    Block<kRowsAtOnce, kColumns>(args, i, column);
  }
  for (; i + 2 <= last; i += 2) {
    Block<2, kColumns>(args, i, column);
  }
  if (i < last) {
    Block<1, kColumns>(args, i, column);
  }
}

void Int8Linear(const Int8LinearArgs& args) {
  constexpr auto kNumberBytes = static_cast<int64_t>(sizeof(int16_t));
  const int64_t group_bytes = HWY_MAX(1, args.inner * kNumberBytes * kRowsAtOnce),
                row_block = HWY_MAX(1, kRowBytes / group_bytes) * kRowsAtOnce;
  for (int64_t first = 0; first < args.rows; first += row_block) {
    const int64_t last = HWY_MIN(args.rows, first + row_block);
    int64_t j = 0;
    if (args.rows == 1) {
      for (; j + kColumnsOfOneRow <= args.columns; j += kColumnsOfOneRow) {
        Block<1, kColumnsOfOneRow>(args, 0, j);
      }
    }
    for (; j + kColumnsAtOnce <= args.columns; j += kColumnsAtOnce) {
      RowsTimesColumns<kColumnsAtOnce>(args, first, last, j);
    }
    if (j < args.columns) {
      RowsTimesColumns<1>(args, first, last, j);
    }
  }
}
#endif

} // namespace
} // namespace mneme::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace mneme::kernels {

MNEME_EXPORT_UNTYPED_KERNEL(void, quantise_rows, QuantiseRows, QuantiseRowsArgs)
MNEME_EXPORT_UNTYPED_KERNEL(void, int8_linear, Int8Linear, Int8LinearArgs)

} // namespace mneme::kernels
#endif
