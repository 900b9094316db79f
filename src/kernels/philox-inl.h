// SPDX-License-Identifier: MIT

/// philox4x32 of core/random.h, many counters at once. Included once per CPU target.

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

/// The low halves of a, times m: all 64 bits. What the high halves hold does not matter.
template <class D64, class V> HWY_INLINE V ProductOfLowHalves(D64 d, V a, V m) {
#if HWY_TARGET == HWY_SCALAR
  return hn::Mul(hn::And(a, hn::Set(d, 0xFFFFFFFFU)), m);
#else
  const hn::RepartitionToNarrow<D64> halves;
  return hn::BitCast(d, hn::MulEven(hn::BitCast(halves, a), hn::BitCast(halves, m)));
#endif
}

/// philox4x32({low and high word of group, low and high word of row}, seed), with one counter in each 64-bit lane: for three
/// vectors of groups and rows side by side, since each has to wait for its products. keep(words 0, 1, 2, 3, which) takes
/// the words of each vector as uint32.
template <class D64, class V, class Keep>
HWY_INLINE void PhiloxOfThree(D64 d, uint64_t seed, V group_a, V row_a, V group_b, V row_b, V group_c,
                              V row_c, const Keep& keep) {
  const auto multiplier0 = hn::Set(d, 0xD2511F53U), multiplier1 = hn::Set(d, 0xCD9E8D57U);
  // What the high halves hold does not matter.
  auto a0 = group_a, a1 = hn::ShiftRight<32>(group_a), a2 = row_a, a3 = hn::ShiftRight<32>(row_a);
  auto b0 = group_b, b1 = hn::ShiftRight<32>(group_b), b2 = row_b, b3 = hn::ShiftRight<32>(row_b);
  auto c0 = group_c, c1 = hn::ShiftRight<32>(group_c), c2 = row_c, c3 = hn::ShiftRight<32>(row_c);
  auto key0 = static_cast<uint32_t>(seed), key1 = static_cast<uint32_t>(seed >> 32);
  for (int round = 0; round < 10; ++round) {
    const auto k0 = hn::Set(d, uint64_t{key0}), k1 = hn::Set(d, uint64_t{key1});
    const auto mix = [&](auto& x0, auto& x1, auto& x2, auto& x3) HWY_ATTR {
      const auto product0 = ProductOfLowHalves(d, x0, multiplier0),
                 product1 = ProductOfLowHalves(d, x2, multiplier1);
      x0 = hn::Xor3(hn::ShiftRight<32>(product1), x1, k0);
      x1 = product1;
      x2 = hn::Xor3(hn::ShiftRight<32>(product0), x3, k1);
      x3 = product0;
    };
    mix(a0, a1, a2, a3);
    mix(b0, b1, b2, b3);
    mix(c0, c1, c2, c3);
    key0 += 0x9E3779B9U;
    key1 += 0xBB67AE85U;
  }
  const hn::Rebind<uint32_t, D64> low;
  const auto kept = [&](V x0, V x1, V x2, V x3, int64_t which) HWY_ATTR {
    keep(hn::TruncateTo(low, x0), hn::TruncateTo(low, x1), hn::TruncateTo(low, x2), hn::TruncateTo(low, x3),
         which);
  };
  kept(a0, a1, a2, a3, 0);
  kept(b0, b1, b2, b3, 1);
  kept(c0, c1, c2, c3, 2);
}

} // namespace mneme::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif // per-target include guard
