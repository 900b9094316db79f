// SPDX-License-Identifier: MIT

/// Macros that define the entry points of a kernel. `function(args)` runs the code compiled for the current
/// CPU target, or the reference kernel if that is selected.
///
///     HWY_BEFORE_NAMESPACE();
///     namespace mneme::kernels::HWY_NAMESPACE {
///     template <class T> void Dot(const DotArgs<T>& args) { ... }
///     MNEME_KERNEL_TYPES(Dot, DotArgs)             // defines DotFloat and DotDouble
///     } // namespace mneme::kernels::HWY_NAMESPACE
///     HWY_AFTER_NAMESPACE();
///     #if HWY_ONCE
///     namespace mneme::kernels {
///     MNEME_EXPORT_KERNEL(dot, Dot, DotArgs)       // dot(const DotArgs<float>&), dot(const
///     DotArgs<double>&) } // namespace mneme::kernels
///     #endif
#pragma once

#include "mneme/core/cpu.h"

#define MNEME_KERNEL_TYPES(Implementation, Args)                                                             \
  void Implementation##Float(const Args<float>& args) {                                                      \
    Implementation(args);                                                                                    \
  }                                                                                                          \
  void Implementation##Double(const Args<double>& args) {                                                    \
    Implementation(args);                                                                                    \
  }

#define MNEME_EXPORT_KERNEL(function, Implementation, Args)                                                  \
  MNEME_EXPORT_WITH(function, Implementation, Args, reference::function(args))

/// For a step that has no reference; the call does nothing there.
#define MNEME_EXPORT_KERNEL_STEP(function, Implementation, Args)                                             \
  MNEME_EXPORT_WITH(function, Implementation, Args, static_cast<void>(args))

#define MNEME_EXPORT_WITH(function, Implementation, Args, reference_call)                                    \
  HWY_EXPORT(Implementation##Float);                                                                         \
  HWY_EXPORT(Implementation##Double);                                                                        \
  void function(const Args<float>& args) {                                                                   \
    use_reference_kernels() ? (reference_call) : HWY_DYNAMIC_DISPATCH(Implementation##Float)(args);          \
  }                                                                                                          \
  void function(const Args<double>& args) {                                                                  \
    use_reference_kernels() ? (reference_call) : HWY_DYNAMIC_DISPATCH(Implementation##Double)(args);         \
  }

/// For a kernel without a number type. `Result` is what it returns.
#define MNEME_EXPORT_UNTYPED_KERNEL(Result, function, Implementation, Args)                                  \
  HWY_EXPORT(Implementation);                                                                                \
  Result function(const Args& args) {                                                                        \
    return use_reference_kernels() ? reference::function(args) : HWY_DYNAMIC_DISPATCH(Implementation)(args); \
  }
