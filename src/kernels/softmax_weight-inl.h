// SPDX-License-Identifier: MIT

/// The weight of a score, the same bit for bit in the forward and the backward pass of softmax. Included once
/// per CPU target.

#if defined(MNEME_KERNELS_SOFTMAX_WEIGHT_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef MNEME_KERNELS_SOFTMAX_WEIGHT_INL_H_
#undef MNEME_KERNELS_SOFTMAX_WEIGHT_INL_H_
#else
#define MNEME_KERNELS_SOFTMAX_WEIGHT_INL_H_
#endif

#include <hwy/contrib/math/math-inl.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace mneme::kernels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

/// exp(score - largest) for score <= largest; 0 where that is under 2^-100: invisible in any sum that holds a
/// 1, and never a slow denormal. NaN stays NaN.
template <class D, class V> HWY_INLINE V SoftmaxWeight(D d, V score, V largest) {
  const auto cut = hn::Set(d, static_cast<hn::TFromD<D>>(-69.3));
  const auto x = hn::Sub(score, largest);
  return hn::IfThenElse(hn::IsNaN(x), x,
                        hn::IfThenZeroElse(hn::Lt(x, cut), hn::Exp(d, x))); // Exp makes a NaN 0
}

} // namespace mneme::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif // per-target include guard
