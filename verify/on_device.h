// SPDX-License-Identifier: MIT

/// How cases run on a device of LibTorch's.
#pragma once

#include <functional>
#include <string>

#include <ATen/Context.h>
#include <ATen/core/Tensor.h>

#include "verify/checker.h"

namespace mneme::verify {

/// While it lives, float32 products on a device are computed in full float32: TF32, which LibTorch may take on CUDA
/// (and takes in LSTMs by default), keeps 10 of the 23 bits that golden files are compared in.
class FullFloat32 {
public:
  explicit FullFloat32(at::Device device);
  FullFloat32(const FullFloat32&) = delete;
  FullFloat32& operator=(const FullFloat32&) = delete;
  ~FullFloat32();

private:
  bool is_cpu_; ///< where nothing is changed
  at::Float32MatmulPrecision products_ = at::Float32MatmulPrecision::HIGHEST;
  bool cudnn_ = false, onednn_ = false;
};

/// The message of an error of LibTorch's, without the lines on where it was raised.
std::string first_line(const c10::Error& error);

/// Calls `body`, which computes a layer. Where LibTorch refuses, for example since the device has no float64, the case
/// fails; so it does where the layer refuses on another device than the CPU.
///
/// Errors  those of `body` otherwise
void run_on_device(Checker& checker, const std::function<void()>& body);

} // namespace mneme::verify
