// SPDX-License-Identifier: MIT

#include "kernels/gelu/gelu.h"

#include "kernels/export.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/gelu/gelu.cpp"
#include <hwy/foreach_target.h>

#include <hwy/highway.h>

#include "kernels/first_lanes-inl.h"
#include "kernels/gelu-inl.h"

HWY_BEFORE_NAMESPACE();
namespace mneme::kernels::HWY_NAMESPACE {
namespace { // other kernels define the same names

template <bool kTanhForm, class T> HWY_INLINE void Rows(const GeluArgs<T>& args) {
  const hn::ScalableTag<T> d;
  const auto n = static_cast<int64_t>(hn::Lanes(d));
  const auto gelu = [d](auto x) HWY_ATTR {
    if constexpr (kTanhForm) {
      return TanhGelu(d, x);
    } else {
      return ExactGelu(d, x);
    }
  };
  for (int64_t row = 0; row < args.rows; ++row) {
    const int64_t begin = row * args.row_stride, end = begin + args.columns;
    int64_t i = begin;
    for (; i + n <= end; i += n) {
      const auto result = gelu(hn::LoadU(d, args.x + i));
      hn::StoreU(result.output, d, args.outputs + i);
      if (args.derivatives != nullptr) {
        hn::StoreU(result.derivative, d, args.derivatives + i);
      }
    }
    if (i < end) {
      const auto result = gelu(LoadFirst(d, args.x + i, end - i));
      StoreFirst(result.output, d, args.outputs + i, end - i);
      if (args.derivatives != nullptr) {
        StoreFirst(result.derivative, d, args.derivatives + i, end - i);
      }
    }
  }
}

template <class T> void Gelu(const GeluArgs<T>& args) {
  args.tanh_form ? Rows<true>(args) : Rows<false>(args);
}

MNEME_KERNEL_TYPES(Gelu, GeluArgs)

} // namespace
} // namespace mneme::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace mneme::kernels {

MNEME_EXPORT_KERNEL(gelu, Gelu, GeluArgs)

} // namespace mneme::kernels
#endif
