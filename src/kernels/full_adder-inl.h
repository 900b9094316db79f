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

/// Two bits x and y of equal weight, as x and x ^ y.
template <class V> struct BitPair { V x, differs; };

/// Adds four bits of equal weight to a, which becomes their sum; returns both carries. 8 operations, where
/// two full adders without a ternary instruction take 10: with t = a ^ x ^ y, the carry of the first three
/// bits is t ^ (x ^ y | x ^ a), because a carry differs from its sum exactly where the three bits are not all
/// equal.
/// Source  Demenkov, Kojevnikov, Kulikov, Yaroslavtsev 2010, "New upper bounds on the Boolean circuit
///         complexity of symmetric functions", MDFA
template <class V> HWY_INLINE BitPair<V> AddPairs(V& a, BitPair<V> p, BitPair<V> q) {
  const V t = hn::Xor(a, p.differs);
  const V first = hn::Or(p.differs, hn::Xor(p.x, a));      // first carry ^ t
  const V second = hn::AndNot(q.differs, hn::Xor(q.x, t)); // second carry ^ t
  a = hn::Xor(t, q.differs);
  return {hn::Xor(t, first), hn::Xor(first, second)};
}

/// Full adder of a bit and a pair: 4 operations.
template <class V> HWY_INLINE V AddPair(V& a, BitPair<V> p) {
  const V differs = hn::Or(p.differs, hn::Xor(p.x, a)); // carry ^ sum
  a = hn::Xor(a, p.differs);
  return hn::Xor(a, differs);
}

} // namespace mneme::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif // per-target include guard
