// SPDX-License-Identifier: MIT

/// Loads and stores of the first lanes of a vector, for the tails of rows. Included once per CPU target.

#if defined(MNEME_KERNELS_FIRST_LANES_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef MNEME_KERNELS_FIRST_LANES_INL_H_
#undef MNEME_KERNELS_FIRST_LANES_INL_H_
#else
#define MNEME_KERNELS_FIRST_LANES_INL_H_
#endif

#include <cstdint>

#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace mneme::kernels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

/// Loads the first `count` < Lanes(d) elements and sets the other lanes to zero; reads no memory beyond
/// `count`.
template <class D, class T> HWY_INLINE hn::Vec<D> LoadFirst(D d, const T* from, int64_t count) {
#if HWY_MEM_OPS_MIGHT_FAULT
  HWY_ALIGN T lanes[hn::MaxLanes(D())] = {};
  for (int64_t i = 0; i < count; ++i) {
    lanes[i] = from[i];
  }
  return hn::Load(d, lanes);
#else
  return hn::MaskedLoad(hn::FirstN(d, static_cast<size_t>(count)), d, from);
#endif
}

/// Stores the first `count` < Lanes(d) lanes; writes no memory beyond `count`.
template <class D, class T> HWY_INLINE void StoreFirst(hn::Vec<D> v, D d, T* to, int64_t count) {
#if HWY_MEM_OPS_MIGHT_FAULT
  HWY_ALIGN T lanes[hn::MaxLanes(D())];
  hn::Store(v, d, lanes);
  for (int64_t i = 0; i < count; ++i) {
    to[i] = lanes[i];
  }
#else
  hn::BlendedStore(v, hn::FirstN(d, static_cast<size_t>(count)), d, to);
#endif
}

} // namespace mneme::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif // per-target include guard
