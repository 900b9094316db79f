// SPDX-License-Identifier: MIT

/// Focus weights of a tile, from its logits. Included once per CPU target.

#if defined(MNEME_KERNELS_FOCUS_WEIGHT_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef MNEME_KERNELS_FOCUS_WEIGHT_INL_H_
#undef MNEME_KERNELS_FOCUS_WEIGHT_INL_H_
#else
#define MNEME_KERNELS_FOCUS_WEIGHT_INL_H_
#endif

#include <hwy/highway.h>

#include "kernels/window_tile-inl.h"

HWY_BEFORE_NAMESPACE();
namespace mneme::kernels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

/// ELU(logit) + 1, written so that it keeps its digits where it is small.
template <class D, class V> HWY_INLINE V EluWeight(D d, V logit) {
  const auto one = hn::Set(d, hn::TFromD<D>(1));
  return hn::IfThenElse(hn::Gt(logit, hn::Zero(d)), hn::Add(logit, one), ExpOrZero(d, logit));
}

/// Whether an exponent of the plan is far above 0.
template <class T> bool HasFarExponent(const TilePlan<T>& plan, int64_t count) {
  bool far = false;
  for (int64_t i = 0; i < plan.num_far; ++i) {
    far |= plan.far_weights[i] > kFarExponent<T>;
  }
  const T* near = plan.weights_with_lead + plan.kMaxLead;
  for (int64_t row = -plan.lead(); row < count; ++row) {
    far |= near[row] > kFarExponent<T>;
  }
  return far;
}

/// From logits to weights of a plan of PlanForward. `common` is the reference of the whole tiles, `open` that of the open
/// block.
template <class T>
void WeighForward(FocusWeight focus_weight, int64_t count, T common, T& open, TilePlan<T>& plan) {
  const TileTag<T> d;
  if (focus_weight == FocusWeight::elu) {
    PlanNoReferences(open, plan);
    MapWeights(plan, count, [&](auto logit) HWY_ATTR { return EluWeight(d, logit); });
    return;
  }
  if (common != 0 || (plan.segments[0].goes_on && open != 0) || HasFarExponent(plan, count)) {
    PlanReferences(T(0), common, open, plan);
  } else {
    PlanNoReferences(open, plan);
  }
  MapWeights(plan, count, [&](auto exponent) HWY_ATTR { return ExpOrZero(d, exponent); });
}

} // namespace mneme::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif // per-target include guard
