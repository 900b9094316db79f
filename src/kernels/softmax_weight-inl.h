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

/// exp(x) for x in [-70, 0] in float, to 1e-7 and twice as fast as hn::Exp; beyond, anything. NaN stays NaN.
template <class D, class V> HWY_INLINE V ExpOfNegative(D d, V x, float /*kind*/) {
  const hn::RebindToSigned<D> whole_numbers;
  constexpr float kLog2OfE = 1.442695022F, kRestOfLog2OfE = 1.92596299e-8F;
  constexpr float kToWhole =
      12582912; // 1.5 * 2^23: added, it rounds to a whole number, held in the lowest bits
  const auto log2_of_e = hn::Set(d, kLog2OfE), to_whole = hn::Set(d, kToWhole);
  const auto shifted = hn::MulAdd(x, log2_of_e, to_whole);
  const auto whole = hn::Sub(shifted, to_whole);
  const auto part =
      hn::MulAdd(x, hn::Set(d, kRestOfLog2OfE), hn::MulSub(x, log2_of_e, whole)); // in [-1/2, 1/2]
  // 2^part: least squares of the relative error, 1.6e-8 at most; exactly 1 at 0.
  auto power = hn::Set(d, 0.00015370565F);
  power = hn::MulAdd(power, part, hn::Set(d, 0.0013400111F));
  power = hn::MulAdd(power, part, hn::Set(d, 0.009618375F));
  power = hn::MulAdd(power, part, hn::Set(d, 0.055503283F));
  power = hn::MulAdd(power, part, hn::Set(d, 0.24022648F));
  power = hn::MulAdd(power, part, hn::Set(d, 0.6931472F));
  power = hn::MulAdd(power, part, hn::Set(d, 1.0F));
  const auto exponent = hn::ShiftLeft<23>(hn::BitCast(whole_numbers, shifted));
  const auto scale = hn::BitCast(d, hn::Add(exponent, hn::Set(whole_numbers, 0x3F800000))); // 2^whole
  return hn::Mul(power, scale);
}
template <class D, class V> HWY_INLINE V ExpOfNegative(D d, V x, double /*kind*/) {
  return hn::IfThenElse(hn::IsNaN(x), x, hn::Exp(d, x)); // Exp makes a NaN 0
}

/// exp(score - largest) for score <= largest; 0 where that is under 2^-100: invisible in any sum that holds a
/// 1, and never a slow denormal. NaN stays NaN.
template <class D, class V> HWY_INLINE V SoftmaxWeight(D d, V score, V largest) {
  const auto cut = hn::Set(d, static_cast<hn::TFromD<D>>(-69.3));
  const auto x = hn::Sub(score, largest);
  return hn::IfThenZeroElse(hn::Lt(x, cut), ExpOfNegative(d, x, hn::TFromD<D>{}));
}

} // namespace mneme::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif // per-target include guard
