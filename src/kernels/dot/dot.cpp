// SPDX-License-Identifier: MIT

#include "kernels/dot/dot.h"

#include <algorithm>

#include "kernels/export.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/dot/dot.cpp"
#include <hwy/foreach_target.h>

#include <hwy/aligned_allocator.h>
#include <hwy/highway.h>

#include "kernels/lane_product-inl.h"
#include "kernels/linear_parts-inl.h"

HWY_BEFORE_NAMESPACE();
namespace mneme::kernels::HWY_NAMESPACE {
namespace { // other kernels define the same names

// The rounding error of a sum grows with the tile, not with the whole pattern.
constexpr int64_t kFeaturesPerTile = 256;

/// out[row][lane] = the sum of the terms of a[row] and of lane `lane` of b, over `size` features.
template <class Term, class T>
HWY_INLINE void SumFeatures(const T* a, const T* b, const T* ones, T* out, int64_t rows, int64_t size,
                            int64_t lanes_used) {
  int64_t begin = 0;
  do {
    const int64_t features = HWY_MIN(kFeaturesPerTile, size - begin);
    LaneProduct<T, Term>(a + begin, {size, 1}, b + begin * PanelLanes<T>(), begin == 0 ? nullptr : ones, out,
                         rows, features, lanes_used);
    begin += features;
  } while (begin < size);
}

/// A row of ones, the scale of sums that go on from tile to tile.
template <class T> hwy::AlignedFreeUniquePtr<T[]> Ones() {
  auto ones = hwy::AllocateAligned<T>(static_cast<size_t>(PanelLanes<T>()));
  std::fill_n(ones.get(), PanelLanes<T>(), T{1});
  return ones;
}

/// Lanes = queries.
template <class Term, class T> void ManyQueries(const DotArgs<T>& args) {
  const int64_t lanes = PanelLanes<T>();
  constexpr int64_t kStoredPerTile = 64;
  const auto queries = hwy::AllocateAligned<T>(static_cast<size_t>(HWY_MAX(args.size, 1) * lanes));
  const auto scores = hwy::AllocateAligned<T>(static_cast<size_t>(kStoredPerTile * lanes));
  const auto ones = Ones<T>();
  for (int64_t q = 0; q < args.num_queries; q += lanes) {
    const int64_t used = HWY_MIN(lanes, args.num_queries - q);
    PackLanes(args.queries + q * args.size, args.size, used, args.size, T{1}, queries.get());
    for (int64_t s = 0; s < args.num_stored; s += kStoredPerTile) {
      const int64_t rows = HWY_MIN(kStoredPerTile, args.num_stored - s);
      SumFeatures<Term>(args.stored + s * args.size, queries.get(), ones.get(), scores.get(), rows, args.size,
                        used);
      UnpackLanes(scores.get(), used, rows, args.scores + q * args.num_stored + s, args.num_stored);
    }
  }
}

/// Lanes = stored patterns, which are transposed vector by vector: fewer queries than a vector has lanes
/// would leave lanes unused. A panel of three vectors would read more rows at once than prefetchers follow.
/// Every score is the same chain of additions as above.
template <class Term, class T> void FewQueries(const DotArgs<T>& args, int64_t first_stored) {
  const int64_t lanes = PanelLanes<T>(), rows = static_cast<int64_t>(hn::Lanes(hn::ScalableTag<T>()));
  const auto stored = hwy::AllocateAligned<T>(static_cast<size_t>(HWY_MAX(args.size, 1) * lanes));
  const auto scores = hwy::AllocateAligned<T>(static_cast<size_t>(HWY_MAX(args.num_queries, 1) * lanes));
  const auto ones = Ones<T>();
  for (int64_t s = first_stored; s < args.num_stored; s += rows) {
    const int64_t used = HWY_MIN(rows, args.num_stored - s);
    PackLanes(args.stored + s * args.size, args.size, used, args.size, T{1}, stored.get());
    SumFeatures<Term>(args.queries, stored.get(), ones.get(), scores.get(), args.num_queries, args.size,
                      used);
    for (int64_t q = 0; q < args.num_queries; ++q) {
      std::copy_n(scores.get() + q * lanes, used, args.scores + q * args.num_stored + s);
    }
  }
}

/// Scores of one query and of kVectors vectors of stored patterns from `first` on.
template <class Term, int kVectors, bool kCopy, class T>
HWY_INLINE void ScoreVectors(const DotArgs<T>& args, int64_t query, int64_t first) {
  const hn::ScalableTag<T> d;
  auto totals0 = hn::Zero(d), totals1 = totals0;
  bool is_first = true;
  RowTimesRows<Term, kVectors, kCopy, kFeaturesPerTile>(
      Strided<T>{args.queries + query * args.size, 1}, Strided<T>{args.stored + first * args.size, args.size},
      args.size, [&](auto sums0, auto sums1) HWY_ATTR {
        totals0 = is_first ? sums0 : hn::Add(totals0, sums0);
        totals1 = is_first ? sums1 : hn::Add(totals1, sums1);
        is_first = false;
      });
  T* scores = args.scores + query * args.num_stored + first;
  hn::StoreU(totals0, d, scores);
  if constexpr (kVectors > 1) {
    hn::StoreU(totals1, d, scores + Lanes<T>());
  }
}

/// Scores of stored patterns that are transposed in registers: the fastest way to use them up to three times.
/// Every score is the same chain of additions as above.
template <class Term, bool kCopy, class T> void UpToThreeQueries(DotArgs<T> args) {
  const int64_t n = Lanes<T>();
  int64_t s = 0;
  for (; s + 2 * n <= args.num_stored; s += 2 * n) {
    for (int64_t q = 0; q < args.num_queries; ++q) {
      ScoreVectors<Term, 2, kCopy>(args, q, s);
    }
  }
  for (; s + n <= args.num_stored; s += n) {
    for (int64_t q = 0; q < args.num_queries; ++q) {
      ScoreVectors<Term, 1, kCopy>(args, q, s);
    }
  }
  FewQueries<Term>(args, s);
}

template <class Term, class T> void SumTerms(const DotArgs<T>& args) {
  if (args.num_queries > Lanes<T>()) {
    ManyQueries<Term>(args);
  } else if (args.num_queries > 3 || !kHasBlocks) {
    FewQueries<Term>(args, 0);
  } else if (HasCacheConflicts<T>(args.size)) {
    UpToThreeQueries<Term, true>(args);
  } else {
    UpToThreeQueries<Term, false>(args);
  }
}

template <class T> void Dot(const DotArgs<T>& args) {
  switch (args.term) {
  case DotTerm::product:
    return SumTerms<Product>(args);
  case DotTerm::squared_difference:
    return SumTerms<SquaredDifference>(args);
  case DotTerm::absolute_difference:
    return SumTerms<AbsoluteDifference>(args);
  }
}

MNEME_KERNEL_TYPES(Dot, DotArgs)

} // namespace
} // namespace mneme::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace mneme::kernels {

MNEME_EXPORT_KERNEL(dot, Dot, DotArgs)

} // namespace mneme::kernels
#endif
