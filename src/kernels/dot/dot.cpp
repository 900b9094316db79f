// SPDX-License-Identifier: MIT

#include "kernels/dot/dot.h"

#include <algorithm>

#include "kernels/export.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/dot/dot.cpp"
#include <hwy/foreach_target.h>

#include <hwy/highway.h>

#include "kernels/lane_product-inl.h"
#include "kernels/pair_sums-inl.h"
#include "kernels/scratch.h"

HWY_BEFORE_NAMESPACE();
namespace mneme::kernels::HWY_NAMESPACE {
namespace { // other kernels define the same names

/// Sums in the order of matrix products: lanes = stored patterns, features one after the other.
template <class T> void ChainsOfProducts(const DotArgs<T>& args) {
  constexpr int64_t kFeaturesPerChain = 256;
  const int64_t lanes = PanelLanes<T>();
  const auto allocate = [&](int64_t rows) { return take_scratch<T>(HWY_MAX(rows, 1) * lanes); };
  const auto stored = allocate(args.size), scores = allocate(args.num_queries), ones = allocate(1);
  std::fill_n(ones.get(), lanes, T{1});
  for (int64_t s = 0; s < args.num_stored; s += lanes) {
    const int64_t used = HWY_MIN(lanes, args.num_stored - s);
    PackLanes(args.stored + s * args.size, args.size, used, args.size, T{1}, stored.get());
    for (int64_t begin = 0; begin == 0 || begin < args.size; begin += kFeaturesPerChain) {
      LaneProduct<T, Product>(args.queries + begin, {args.size, 1}, stored.get() + begin * lanes,
                              begin == 0 ? nullptr : ones.get(), scores.get(), args.num_queries,
                              HWY_MIN(kFeaturesPerChain, args.size - begin), used);
    }
    for (int64_t q = 0; q < args.num_queries; ++q) {
      std::copy_n(scores.get() + q * lanes, used, args.scores + q * args.num_stored + s);
    }
  }
}

template <class Term, class T> void SumTerms(const DotArgs<T>& args) {
  SumOfPairs<Term>(PairSums<T>{.queries = args.queries,
                               .query_stride = args.size,
                               .stored = args.stored,
                               .stored_stride = args.size,
                               .sums = args.scores,
                               .sums_stride = args.num_stored,
                               .num_queries = args.num_queries,
                               .num_stored = args.num_stored,
                               .size = args.size});
}

template <class T> void Dot(const DotArgs<T>& args) {
  switch (args.term) {
  case DotTerm::product:
    return args.in_order ? ChainsOfProducts(args) : SumTerms<Product>(args);
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
