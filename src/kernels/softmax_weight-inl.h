// SPDX-License-Identifier: MIT

/// Unnormalised softmax weight of a score. Forward and backward share this function, so that the weights that
/// backward recomputes are equal bit for bit. Included once per CPU target.

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

/// exp(x) for x in [-70, 0] in float: relative error 1e-7, twice as fast as hn::Exp. Results outside of the
/// range are unspecified. NaN stays NaN.
template <class D, class V> HWY_INLINE V ExpOfNegative(D d, V x, float /*type*/) {
  const hn::RebindToSigned<D> integers;
  constexpr float kLog2OfE = 1.442695022F, kLog2OfELow = 1.92596299e-8F;
  // 1.5 * 2^23: adding it rounds to an integer, which is then in the low mantissa bits.
  constexpr float kRoundToInteger = 12582912;
  const auto log2_of_e = hn::Set(d, kLog2OfE), round = hn::Set(d, kRoundToInteger);
  const auto shifted = hn::MulAdd(x, log2_of_e, round);
  const auto integer = hn::Sub(shifted, round);
  // In [-1/2, 1/2].
  const auto fraction = hn::MulAdd(x, hn::Set(d, kLog2OfELow), hn::MulSub(x, log2_of_e, integer));
  // 2^fraction: least-squares fit of degree 6; relative error at most 1.6e-8, exactly 1 at 0.
  auto power = hn::Set(d, 0.00015370565F);
  power = hn::MulAdd(power, fraction, hn::Set(d, 0.0013400111F));
  power = hn::MulAdd(power, fraction, hn::Set(d, 0.009618375F));
  power = hn::MulAdd(power, fraction, hn::Set(d, 0.055503283F));
  power = hn::MulAdd(power, fraction, hn::Set(d, 0.24022648F));
  power = hn::MulAdd(power, fraction, hn::Set(d, 0.6931472F));
  power = hn::MulAdd(power, fraction, hn::Set(d, 1.0F));
  const auto exponent = hn::ShiftLeft<23>(hn::BitCast(integers, shifted));
  const auto scale = hn::BitCast(d, hn::Add(exponent, hn::Set(integers, 0x3F800000))); // 2^integer
  return hn::Mul(power, scale);
}
template <class D, class V> HWY_INLINE V ExpOfNegative(D d, V x, double /*type*/) {
  return hn::IfThenElse(hn::IsNaN(x), x, hn::Exp(d, x)); // hn::Exp returns 0 for NaN
}

/// exp(score - row_max) for score <= row_max. Weights below 2^-100 become 0: they cannot change a row_sum,
/// which is at least 1, and denormal weights would cost a microcode assist in every multiply-add. NaN stays
/// NaN.
///
/// Also    docs/theory/streaming_attention.md, section 2
template <class D, class V> HWY_INLINE V SoftmaxWeight(D d, V score, V row_max) {
  const auto cut = hn::Set(d, static_cast<hn::TFromD<D>>(-69.3)); // ln(2^-100)
  const auto x = hn::Sub(score, row_max);
  return hn::IfThenZeroElse(hn::Lt(x, cut), ExpOfNegative(d, x, hn::TFromD<D>{}));
}

} // namespace mneme::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif // per-target include guard
