// SPDX-License-Identifier: MIT

/// Sums of terms over all pairs of rows of two matrices, with features as lanes: fast for few queries, as
/// every row is read in the order of memory. Included once per CPU target.

#if defined(MNEME_KERNELS_PAIR_SUMS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef MNEME_KERNELS_PAIR_SUMS_INL_H_
#undef MNEME_KERNELS_PAIR_SUMS_INL_H_
#else
#define MNEME_KERNELS_PAIR_SUMS_INL_H_
#endif

#include <algorithm>
#include <cstdint>

#include <hwy/cache_control.h>
#include <hwy/highway.h>

#include "kernels/first_lanes-inl.h"
#include "kernels/lane_product-inl.h"
#include "kernels/linear_parts-inl.h"

HWY_BEFORE_NAMESPACE();
namespace mneme::kernels::HWY_NAMESPACE {

/// sums [num_queries, num_stored] (+)= sums of the terms of queries [num_queries, size] and stored
/// [num_stored, size]. Elements of a row are adjacent, rows `stride` elements apart.
template <class T> struct PairSums {
  const T* queries;
  int64_t query_stride;
  const T* stored;
  int64_t stored_stride;
  T* sums;
  int64_t sums_stride;
  int64_t num_queries, num_stored, size;
  bool adds = false;
};

/// Sum of the terms of a pair, the same for every CPU target with fused multiply-add: chain c has the
/// features c, c + kChains ..., in order. The chains are then added in halves: c and c + kChains / 2, and so
/// on.
template <class T> constexpr int64_t kChains = 64 / sizeof(T);
/// The rounding error of a sum grows with a tile of this many features, not with the whole pattern.
template <class T> constexpr int64_t kFeaturesPerTile = 128 * kChains<T>;

#if HWY_HAVE_SCALABLE || HWY_TARGET == HWY_SCALAR

template <class Term, class T> T SumOfPair(const T* a, const T* b, int64_t size) {
  const hn::CappedTag<T, 1> d;
  T chains[kChains<T>] = {};
  for (int64_t i = 0; i < size; ++i) {
    T& chain = chains[i % kChains<T>];
    chain = hn::GetLane(Term()(hn::Set(d, a[i]), hn::Set(d, b[i]), hn::Set(d, chain)));
  }
  for (int64_t half = kChains<T> / 2; half > 0; half /= 2) {
    for (int64_t c = 0; c < half; ++c) {
      chains[c] += chains[c + half];
    }
  }
  return chains[0];
}

template <class Term, class T> void SumOfPairs(const PairSums<T>& args) {
  for (int64_t q = 0; q < args.num_queries; ++q) {
    for (int64_t s = 0; s < args.num_stored; ++s) {
      T& to = args.sums[q * args.sums_stride + s];
      T sum = args.adds ? to : T{0};
      for (int64_t begin = 0; begin < args.size; begin += kFeaturesPerTile<T>) {
        sum += SumOfPair<Term>(args.queries + q * args.query_stride + begin,
                               args.stored + s * args.stored_stride + begin,
                               HWY_MIN(kFeaturesPerTile<T>, args.size - begin));
      }
      to = sum;
    }
  }
}

#else

template <class T> using Tag = hn::CappedTag<T, static_cast<size_t>(kChains<T>)>;
template <class T> using Vector = hn::Vec<Tag<T>>;
template <class T> constexpr int kLanes = static_cast<int>(hn::MaxLanes(Tag<T>()));
template <class T> constexpr int kParts = static_cast<int>(kChains<T>) / kLanes<T>; ///< vectors of the chains
template <class T> constexpr int kBlocks = kLanes<T> / static_cast<int>(kBlock<T>); ///< of a vector
/// Rows whose sums are computed together. With 16 registers, 8 vectors of sums are the most.
constexpr int kRowsPerPass = HWY_TARGET >= HWY_AVX2 && HWY_ARCH_X86 ? 2 : 4;

/// The chains of kQ x kS pairs over `size` features, halved until they fit in a vector.
///
/// kPrefetch: fetches rows that are needed later, because prefetchers of CPUs do not follow short rows.
template <class Term, int kQ, int kS, bool kPrefetch, class T>
HWY_INLINE void SumPairs(const T* const* queries, const T* const* rows, int64_t size,
                         Vector<T> (&sums)[kQ][kS]) {
  const Tag<T> d;
  Vector<T> parts[kQ][kS][kParts<T>];
  const auto for_each = [&](auto use) HWY_ATTR {
#pragma GCC unroll 4
    for (int q = 0; q < kQ; ++q) {
#pragma GCC unroll 8
      for (int s = 0; s < kS; ++s) {
        use(q, s);
      }
    }
  };
  for_each([&](int q, int s) HWY_ATTR {
#pragma GCC unroll 4
    for (int part = 0; part < kParts<T>; ++part) {
      parts[q][s][part] = hn::Zero(d);
    }
  });
  const auto add = [&](int part, auto load) HWY_ATTR {
    Vector<T> of_queries[kQ];
#pragma GCC unroll 4
    for (int q = 0; q < kQ; ++q) {
      of_queries[q] = load(queries[q]);
    }
#pragma GCC unroll 8
    for (int s = 0; s < kS; ++s) {
      const Vector<T> of_row = load(rows[s]);
#pragma GCC unroll 4
      for (int q = 0; q < kQ; ++q) {
        parts[q][s][part] = Term()(of_queries[q], of_row, parts[q][s][part]);
      }
    }
  };
  int64_t i = 0;
  for (; i + kChains<T> <= size; i += kChains<T>) {
    if constexpr (kPrefetch) {
      constexpr int64_t kBytesAhead = 16384;
#pragma GCC unroll 8
      for (int s = 0; s < kS; ++s) {
        hwy::Prefetch(reinterpret_cast<const char*>(rows[s] + i) + kBytesAhead);
      }
    }
#pragma GCC unroll 4
    for (int part = 0; part < kParts<T>; ++part) {
      add(part, [&](const T* from) HWY_ATTR { return hn::LoadU(d, from + i + part * kLanes<T>); });
    }
  }
#pragma GCC unroll 4
  for (int part = 0; part < kParts<T>; ++part) {
    const int64_t left = size - i - part * kLanes<T>;
    if (left > 0) {
      add(part, [&](const T* from) HWY_ATTR {
        const T* at = from + i + part * kLanes<T>;
        return left >= kLanes<T> ? hn::LoadU(d, at) : LoadFirst(d, at, left);
      });
    }
  }
  for_each([&](int q, int s) HWY_ATTR {
#pragma GCC unroll 2
    for (int half = kParts<T> / 2; half > 0; half /= 2) {
#pragma GCC unroll 2
      for (int part = 0; part < half; ++part) {
        parts[q][s][part] = hn::Add(parts[q][s][part], parts[q][s][part + half]);
      }
    }
    sums[q][s] = parts[q][s][0];
  });
}

/// Block i is that of v[i], after its blocks have been added in halves.
template <class T> HWY_INLINE Vector<T> AddBlocks(const Vector<T>* v) {
  [[maybe_unused]] const Tag<T> d;
#if HWY_MAX_BYTES == 64
  const auto halve = [&](Vector<T> a, Vector<T> b) HWY_ATTR {
    return hn::Add(hn::ConcatLowerLower(d, b, a), hn::ConcatUpperUpper(d, b, a));
  };
  const Vector<T> x = halve(v[0], v[2]), y = halve(v[1], v[3]); // blocks of v[0] v[0] v[2] v[2], ...
  return hn::Add(hn::OddEvenBlocks(hn::SwapAdjacentBlocks(y), x),
                 hn::OddEvenBlocks(y, hn::SwapAdjacentBlocks(x)));
#elif HWY_MAX_BYTES == 32
  return hn::Add(hn::ConcatLowerLower(d, v[1], v[0]), hn::ConcatUpperUpper(d, v[1], v[0]));
#else
  return v[0];
#endif
}

/// Lane i of a block is the sum of the lanes of the block of v[i], added in halves.
template <class T> HWY_INLINE Vector<T> AddLanes(const Vector<T>* v) {
  const Tag<T> d;
  const auto halve = [&](Vector<T> a, Vector<T> b) HWY_ATTR {
    return hn::Add(hn::InterleaveLower(d, a, b), hn::InterleaveUpper(d, a, b));
  };
  if constexpr (sizeof(T) == 8) {
    return halve(v[0], v[1]);
  } else {
    const hn::RepartitionToWide<Tag<T>> wide;
    const auto x = hn::BitCast(wide, halve(v[0], v[1])), y = hn::BitCast(wide, halve(v[2], v[3]));
    return hn::Add(hn::BitCast(d, hn::InterleaveLower(wide, x, y)),
                   hn::BitCast(d, hn::InterleaveUpper(wide, x, y)));
  }
}

/// Writes block i to to[i], or adds it.
template <class T, class D> HWY_INLINE void StoreBlocks(D d, hn::Vec<D> v, T* const* to, bool add) {
  constexpr size_t kHalf = hn::MaxLanes(D()) / 2;
  if constexpr (kHalf * sizeof(T) >= 16) {
    const hn::Half<D> half;
    StoreBlocks<T>(half, hn::LowerHalf(half, v), to, add);
    StoreBlocks<T>(half, hn::UpperHalf(half, v), to + kHalf * sizeof(T) / 16, add);
  } else {
    hn::StoreU(add ? hn::Add(hn::LoadU(d, to[0]), v) : v, d, to[0]);
  }
}

constexpr int64_t kBytesOfShortRow = 1024;
constexpr int kRowsPerTile = 4;
template <class T> constexpr int kRowsPerBlock = HWY_MAX(kLanes<T>, kRowsPerTile);

/// Sums of as many queries as a vector has blocks with kRowsPerTile rows, to to[q].
template <class Term, class T>
HWY_INLINE void SumTile(const T* const* queries, const T* const* rows, int64_t size, T* const* scores,
                        bool add) {
  constexpr int kQ = kBlocks<T>;
  Vector<T> of_rows[kRowsPerTile];
#pragma GCC unroll 2
  for (int row = 0; row < kRowsPerTile; row += kRowsPerPass) {
    Vector<T> sums[kQ][kRowsPerPass];
    SumPairs<Term, kQ, kRowsPerPass, false>(queries, rows + row, size, sums);
#pragma GCC unroll 4
    for (int s = 0; s < kRowsPerPass; ++s) {
      Vector<T> of_queries[kQ];
#pragma GCC unroll 4
      for (int q = 0; q < kQ; ++q) {
        of_queries[q] = sums[q][s];
      }
      of_rows[row + s] = AddBlocks<T>(of_queries);
    }
  }
#pragma GCC unroll 2
  for (int row = 0; row < kRowsPerTile; row += kBlock<T>) {
    T* to[kQ];
#pragma GCC unroll 4
    for (int q = 0; q < kQ; ++q) {
      to[q] = scores[q] + row;
    }
    StoreBlocks<T>(Tag<T>(), AddLanes<T>(of_rows + row), to, add);
  }
}

/// Sums of one query with as many rows as a vector has lanes.
template <class Term, bool kPrefetch, class T>
HWY_INLINE void SumRows(const T* query, const T* const* rows, int64_t size, T* scores, bool add) {
  constexpr int kS = 2 * kBlocks<T>; // rows that are read at once
  Vector<T> of_blocks[kBlock<T>];
#pragma GCC unroll 2
  for (int lane = 0; lane < kBlock<T>; lane += 2) {
    const T* chosen[kS];
#pragma GCC unroll 8
    for (int s = 0; s < kS; ++s) {
      chosen[s] = rows[lane + s / kBlocks<T> + s % kBlocks<T> * kBlock<T>];
    }
    Vector<T> sums[1][kS];
    SumPairs<Term, 1, kS, kPrefetch>(&query, chosen, size, sums);
    of_blocks[lane] = AddBlocks<T>(sums[0]);
    of_blocks[lane + 1] = AddBlocks<T>(sums[0] + kBlocks<T>);
  }
  T* blocks[kBlocks<T>];
  for (int block = 0; block < kBlocks<T>; ++block) {
    blocks[block] = scores + block * kBlock<T>;
  }
  StoreBlocks<T>(Tag<T>(), AddLanes<T>(of_blocks), blocks, add);
}

/// Sums of the queries first_query to last_query (exclusive) with kRowsPerBlock rows from first_row on, or
/// with those that there are.
template <class Term, class T>
HWY_INLINE void SumBlock(const PairSums<T>& args, int64_t first_query, int64_t last_query,
                         int64_t first_row) {
  constexpr int kQ = kBlocks<T>;
  constexpr int64_t kRows = kRowsPerBlock<T>;
  HWY_ALIGN T buffer[kQ][kRows];
  const int64_t used = HWY_MIN(kRows, args.num_stored - first_row);
  for (int64_t begin = 0; begin == 0 || begin < args.size; begin += kFeaturesPerTile<T>) {
    const int64_t features = HWY_MIN(kFeaturesPerTile<T>, args.size - begin);
    const bool adds = args.adds || begin > 0;
    const T* rows[kRows];
    for (int64_t row = 0; row < kRows; ++row) { // a missing row is replaced by the last one
      rows[row] = args.stored + (first_row + HWY_MIN(row, used - 1)) * args.stored_stride + begin;
    }
    for (int64_t first = first_query; first < last_query; first += kQ) {
      const int64_t count = HWY_MIN(int64_t{kQ}, last_query - first);
      const T* queries[kQ];
      T* scores[kQ];
      for (int64_t q = 0; q < kQ; ++q) { // a missing query, too
        queries[q] = args.queries + (first + HWY_MIN(q, count - 1)) * args.query_stride + begin;
        scores[q] = buffer[q];
        if (q < count && used == kRows) {
          scores[q] = args.sums + (first + q) * args.sums_stride + first_row;
        } else if (q < count && adds) {
          std::copy_n(args.sums + (first + q) * args.sums_stride + first_row, used, buffer[q]);
        }
      }
      if (count == 1) {
        for (int64_t row = 0; row < used; row += kLanes<T>) {
          if (args.size * static_cast<int64_t>(sizeof(T)) <= kBytesOfShortRow) {
            SumRows<Term, true>(queries[0], rows + row, features, scores[0] + row, adds);
          } else {
            SumRows<Term, false>(queries[0], rows + row, features, scores[0] + row, adds);
          }
        }
      } else {
        for (int64_t row = 0; row < used; row += kRowsPerTile) {
          T* of_tile[kQ];
          for (int q = 0; q < kQ; ++q) {
            of_tile[q] = scores[q] + row;
          }
          SumTile<Term>(queries, rows + row, features, of_tile, adds);
        }
      }
      for (int64_t q = 0; q < count && used < kRows; ++q) {
        std::copy_n(buffer[q], used, args.sums + (first + q) * args.sums_stride + first_row);
      }
    }
  }
}

template <class Term, class T> void SumOfPairs(const PairSums<T>& args) {
  constexpr int64_t kBytesOfQueries = 1 << 18; // stay in the L2 cache
  const int64_t fitting = kBytesOfQueries / (static_cast<int64_t>(sizeof(T)) * HWY_MAX(args.size, 1));
  const int64_t block = HWY_MAX(fitting / kBlocks<T>, 1) * kBlocks<T>;
  for (int64_t q = 0; q < args.num_queries; q += block) {
    for (int64_t s = 0; s < args.num_stored; s += kRowsPerBlock<T>) {
      SumBlock<Term>(args, q, HWY_MIN(q + block, args.num_queries), s);
    }
  }
}

#endif

} // namespace mneme::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif // per-target include guard
