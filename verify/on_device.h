// SPDX-License-Identifier: MIT

/// Running cases on a device of LibTorch.
#pragma once

#include <functional>
#include <string>

#include <ATen/Context.h>
#include <ATen/core/Tensor.h>

#include "verify/checker.h"

namespace mneme::verify {

/// Disables TF32 for its lifetime, so that float32 products on a device are computed in full float32.
/// LibTorch may use TF32 on CUDA, and does so in LSTMs by default; it has only 10 of the 23 mantissa bits of
/// float32.
class FullFloat32 {
public:
  explicit FullFloat32(at::Device device);
  FullFloat32(const FullFloat32&) = delete;
  FullFloat32& operator=(const FullFloat32&) = delete;
  ~FullFloat32();

private:
  bool is_cpu_; ///< on the CPU nothing is changed
  at::Float32MatmulPrecision products_ = at::Float32MatmulPrecision::HIGHEST;
  bool cudnn_ = false, onednn_ = false;
};

/// First line of the message of a LibTorch error, without the backtrace.
std::string first_line(const c10::Error& error);

/// Calls `body`, which computes a layer. The case fails if LibTorch throws, for example because the device
/// has no float64, or if the layer throws UsageError or UnsupportedError on a device other than the CPU.
///
/// Errors  all other errors of `body`
void run_on_device(Checker& checker, const std::function<void()>& body);

} // namespace mneme::verify
