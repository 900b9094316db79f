// SPDX-License-Identifier: MIT

/// Vectorised philox4x32 (core/random.h): one counter per 64-bit lane. Included once per CPU target.

#if defined(MNEME_KERNELS_PHILOX_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef MNEME_KERNELS_PHILOX_INL_H_
#undef MNEME_KERNELS_PHILOX_INL_H_
#else
#define MNEME_KERNELS_PHILOX_INL_H_
#endif

#include <cstdint>

#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace mneme::kernels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

/// 64-bit products of the low 32-bit halves of a and m. The high halves are ignored.
template <class D64, class V> HWY_INLINE V ProductOfLowHalves(D64 d, V a, V m) {
#if HWY_TARGET == HWY_SCALAR
  return hn::Mul(hn::And(a, hn::Set(d, 0xFFFFFFFFU)), m);
#else
  const hn::RepartitionToNarrow<D64> halves;
  return hn::BitCast(d, hn::MulEven(hn::BitCast(halves, a), hn::BitCast(halves, m)));
#endif
}

/// philox4x32({low and high word of group, low and high word of row}, seed) for three vectors of counters.
/// The ten rounds of one counter are a chain of dependent multiplications; three independent chains are
/// interleaved to hide their latency. store(word0, word1, word2, word3, vector) receives the uint32 words of
/// each vector.
template <class D64, class V, class Store>
HWY_INLINE void PhiloxThreeVectors(D64 d, uint64_t seed, V group_a, V row_a, V group_b, V row_b, V group_c,
                                   V row_c, const Store& store) {
  const auto multiplier0 = hn::Set(d, 0xD2511F53U), multiplier1 = hn::Set(d, 0xCD9E8D57U);
  // Only the low halves of the counter words are read.
  auto a0 = group_a, a1 = hn::ShiftRight<32>(group_a), a2 = row_a, a3 = hn::ShiftRight<32>(row_a);
  auto b0 = group_b, b1 = hn::ShiftRight<32>(group_b), b2 = row_b, b3 = hn::ShiftRight<32>(row_b);
  auto c0 = group_c, c1 = hn::ShiftRight<32>(group_c), c2 = row_c, c3 = hn::ShiftRight<32>(row_c);
  auto key0 = static_cast<uint32_t>(seed), key1 = static_cast<uint32_t>(seed >> 32);
  for (int round = 0; round < 10; ++round) {
    const auto k0 = hn::Set(d, uint64_t{key0}), k1 = hn::Set(d, uint64_t{key1});
    const auto round_of = [&](auto& x0, auto& x1, auto& x2, auto& x3) HWY_ATTR {
      const auto product0 = ProductOfLowHalves(d, x0, multiplier0),
                 product1 = ProductOfLowHalves(d, x2, multiplier1);
      x0 = hn::Xor3(hn::ShiftRight<32>(product1), x1, k0);
      x1 = product1;
      x2 = hn::Xor3(hn::ShiftRight<32>(product0), x3, k1);
      x3 = product0;
    };
    round_of(a0, a1, a2, a3);
    round_of(b0, b1, b2, b3);
    round_of(c0, c1, c2, c3);
    key0 += 0x9E3779B9U;
    key1 += 0xBB67AE85U;
  }
  const hn::Rebind<uint32_t, D64> low;
  const auto emit = [&](V x0, V x1, V x2, V x3, int64_t vector) HWY_ATTR {
    store(hn::TruncateTo(low, x0), hn::TruncateTo(low, x1), hn::TruncateTo(low, x2), hn::TruncateTo(low, x3),
          vector);
  };
  emit(a0, a1, a2, a3, 0);
  emit(b0, b1, b2, b3, 1);
  emit(c0, c1, c2, c3, 2);
}

} // namespace mneme::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif // per-target include guard
