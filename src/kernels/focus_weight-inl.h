// SPDX-License-Identifier: MIT

/// Focus weights of a tile, computed from its logits (docs/theory/window_scan.md (2)). Included once per CPU
/// target.

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

/// ELU(logit) + 1, evaluated without cancellation where it is small.
template <class D, class V> HWY_INLINE V EluWeight(D d, V logit) {
  const auto one = hn::Set(d, hn::TFromD<D>(1));
  return hn::IfThenElse(hn::Gt(logit, hn::Zero(d)), hn::Add(logit, one), ExpOrZero(d, logit));
}

/// Whether any exponent of the plan exceeds kFarExponent.
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

/// Turns the logits of a plan made by PlanForward into weights. `middle` is the reference of the whole tiles,
/// `prefix` that of the prefix block, before and after.
template <class T>
void ComputeForwardWeights(FocusWeight focus_weight, int64_t count, T middle, T& prefix, TilePlan<T>& plan) {
  const TileTag<T> d;
  if (focus_weight == FocusWeight::elu) {
    PlanNoReferences(prefix, plan);
    MapWeights(plan, count, [&](auto logit) HWY_ATTR { return EluWeight(d, logit); });
    return;
  }
  if (middle != 0 || (plan.blocks[0].continues && prefix != 0) || HasFarExponent(plan, count)) {
    PlanReferences(T(0), middle, prefix, plan);
  } else {
    PlanNoReferences(prefix, plan);
  }
  MapWeights(plan, count, [&](auto exponent) HWY_ATTR { return ExpOrZero(d, exponent); });
}

} // namespace mneme::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif // per-target include guard
