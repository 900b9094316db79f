// SPDX-License-Identifier: MIT

/// Addition of bits, one number per bit position of a vector. Included once per CPU target.

#if defined(MNEME_KERNELS_FULL_ADDER_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef MNEME_KERNELS_FULL_ADDER_INL_H_
#undef MNEME_KERNELS_FULL_ADDER_INL_H_
#else
#define MNEME_KERNELS_FULL_ADDER_INL_H_
#endif

#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace mneme::kernels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

/// Full adder of three bits: a becomes their sum, the carry is returned.
template <class V> HWY_INLINE V FullAdder(V& a, V b, V c) {
#if HWY_TARGET <= HWY_AVX3 // one ternary instruction each; Highway has no majority
  if constexpr (sizeof(V) == 64) {
    const V carry{_mm512_ternarylogic_epi64(a.raw, b.raw, c.raw, 0xE8)};
    a = V{_mm512_ternarylogic_epi64(a.raw, b.raw, c.raw, 0x96)};
    return carry;
  }
#endif
  const V differs = hn::Xor(a, b);
  const V carry = hn::Or(hn::And(a, b), hn::And(differs, c));
  a = hn::Xor(differs, c);
  return carry;
}

/// Half adder of two bits: a becomes their sum, the carry is returned.
template <class V> HWY_INLINE V HalfAdder(V& a, V b) {
  const V carry = hn::And(a, b);
  a = hn::Xor(a, b);
  return carry;
}

} // namespace mneme::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif // per-target include guard
