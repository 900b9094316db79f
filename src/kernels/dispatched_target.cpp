// SPDX-License-Identifier: MIT

#include "kernels/dispatched_target.h"

#include "mneme/core/cpu.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/dispatched_target.cpp"
#include <hwy/foreach_target.h>

#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace mneme::kernels::HWY_NAMESPACE {
namespace {

const char* Target() {
  return hwy::TargetName(HWY_TARGET);
}

} // namespace
} // namespace mneme::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace mneme::kernels {

HWY_EXPORT(Target);

const char* dispatched_target() {
  return use_reference_kernels() ? "reference" : HWY_DYNAMIC_DISPATCH(Target)();
}

} // namespace mneme::kernels
#endif
