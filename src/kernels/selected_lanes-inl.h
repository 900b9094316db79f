// SPDX-License-Identifier: MIT

/// Stores of the lanes of a vector that a mask selects. Included once per CPU target.

#if defined(MNEME_KERNELS_SELECTED_LANES_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef MNEME_KERNELS_SELECTED_LANES_INL_H_
#undef MNEME_KERNELS_SELECTED_LANES_INL_H_
#else
#define MNEME_KERNELS_SELECTED_LANES_INL_H_
#endif

#include <cstdint>

#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace mneme::kernels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

/// Stores the lanes of `v` on which `mask` is true, in their order. May write a whole vector: the elements
/// behind them are overwritten.
///
/// hn::CompressStore does the same, but its instruction on AVX-512 takes more than 100 cycles on Zen 4.
/// hn::Compress copies a table of 1 or 2 kB to the stack at each call, except of 32-bit lanes on AVX-512;
/// lanes that are stored one by one take a third of its time on AVX2.
template <class D, class V, class M>
HWY_INLINE void StoreSelected(D d, V v, M mask, hn::TFromD<D>* HWY_RESTRICT to) {
  using T = hn::TFromD<D>;
#if HWY_ARCH_X86 && HWY_TARGET > HWY_AVX3
  if (hn::AllFalse(d, mask)) {
    return;
  }
  HWY_ALIGN T lanes[hn::MaxLanes(d)];
  uint8_t bits[8];
  hn::Store(v, d, lanes);
  hn::StoreMaskBits(d, mask, bits);
  for (size_t i = 0; i < hn::Lanes(d); ++i) {
    *to = lanes[i];
    to += (bits[i / 8] >> (i % 8)) & 1;
  }
#else
#if HWY_TARGET <= HWY_AVX3
  if constexpr (sizeof(T) == sizeof(uint64_t)) {
    const hn::Repartition<uint32_t, D> halves;
    const auto selected = hn::MaskFromVec(hn::BitCast(halves, hn::VecFromMask(d, mask)));
    hn::StoreU(hn::BitCast(d, hn::Compress(hn::BitCast(halves, v), selected)), d, to);
    return;
  }
#endif
  hn::StoreU(hn::Compress(v, mask), d, to);
#endif
}

} // namespace mneme::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif // per-target include guard
