// SPDX-License-Identifier: MIT

#include "kernels/cross_entropy/cross_entropy.h"

#include <cmath>
#include <limits>

#include "kernels/export.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cross_entropy/cross_entropy.cpp"
#include <hwy/foreach_target.h>

#include <hwy/highway.h>

#include "kernels/first_lanes-inl.h"
#include "kernels/softmax_weight-inl.h"

HWY_BEFORE_NAMESPACE();
namespace mneme::kernels::HWY_NAMESPACE {
namespace { // other kernels define the same names

/// Calls use(vector, index, number of elements) for the vectors from `begin` to `end`. Lanes behind the last
/// element are minus infinity, whose weight is 0.
template <class D, class T, class Use>
HWY_INLINE void ForVectors(D d, const T* row, int64_t begin, int64_t end, const Use& use) {
  const auto n = static_cast<int64_t>(hn::Lanes(d));
  int64_t j = begin;
  for (; j + n <= end; j += n) {
    use(hn::LoadU(d, row + j), j, n);
  }
  if (j < end) {
    const auto lowest = hn::Set(d, -std::numeric_limits<T>::infinity());
    const auto exists = hn::FirstN(d, static_cast<size_t>(end - j));
    use(hn::IfThenElse(exists, LoadFirst(d, row + j, end - j), lowest), j, end - j);
  }
}

template <class D, class T> HWY_INLINE void StoreUpTo(D d, hn::Vec<D> v, T* to, int64_t count) {
  if (count == static_cast<int64_t>(hn::Lanes(d))) {
    hn::StoreU(v, d, to);
  } else {
    StoreFirst(v, d, to, count);
  }
}

/// Replaces the logits of a row by weights relative to the largest one. Returns the sum of the weights; parts
/// of it are added in double, so that the rounding error does not grow with the vocabulary.
template <class D, class T> HWY_INLINE double ToWeights(D d, T* row, int64_t words, T max) {
  const int64_t words_per_part = 32 * static_cast<int64_t>(hn::Lanes(d));
  double sum = 0;
  for (int64_t begin = 0; begin < words; begin += words_per_part) {
    auto part = hn::Zero(d);
    ForVectors(d, row, begin, HWY_MIN(words, begin + words_per_part),
               [&](auto logits, int64_t j, int64_t count) HWY_ATTR {
                 const auto weights = SoftmaxWeight(d, logits, hn::Set(d, max));
                 part = hn::Add(part, weights);
                 StoreUpTo(d, weights, row + j, count);
               });
    sum += hn::GetLane(hn::SumOfLanes(d, part));
  }
  return sum;
}

template <class T> void CrossEntropy(const CrossEntropyArgs<T>& args) {
  const hn::ScalableTag<T> d;
  for (int64_t row = 0; row < args.rows; ++row) {
    T* logits = args.logits + row * args.words;
    const int64_t target = args.targets[row];
    const T of_target = logits[target];
    auto largest = hn::Set(d, -std::numeric_limits<T>::infinity());
    ForVectors(d, logits, 0, args.words,
               [&](auto vector, int64_t, int64_t) HWY_ATTR { largest = hn::Max(largest, vector); });
    const T max = hn::GetLane(hn::MaxOfLanes(d, largest));
    const double sum = ToWeights(d, logits, args.words, max);
    args.losses[row] = double{max} + std::log(sum) - double{of_target};
    if (args.gradient) {
      const auto scale = hn::Set(d, static_cast<T>(1 / sum));
      ForVectors(d, logits, 0, args.words, [&](auto weights, int64_t j, int64_t count) HWY_ATTR {
        StoreUpTo(d, hn::Mul(weights, scale), logits + j, count);
      });
      logits[target] -= T{1};
    }
  }
}

MNEME_KERNEL_TYPES(CrossEntropy, CrossEntropyArgs)

} // namespace
} // namespace mneme::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace mneme::kernels {

MNEME_EXPORT_KERNEL(cross_entropy, CrossEntropy, CrossEntropyArgs)

} // namespace mneme::kernels
#endif
