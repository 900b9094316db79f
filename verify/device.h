// SPDX-License-Identifier: MIT

/// Devices of LibTorch. Declared without LibTorch (mneme/core/torch_function.h); a program without it
/// computes on the CPU.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "mneme/core/torch_function.h"

namespace mneme::verify {

struct Memory {
  uint64_t total = 0, available = 0; ///< bytes
};

struct Device {
  std::string name;             ///< "cpu", "cuda:0"
  std::string model;            ///< name reported by its driver; empty if unknown
  std::optional<Memory> memory; ///< empty if LibTorch does not report it
};

struct Devices {
  std::string version;       ///< of LibTorch
  std::vector<Device> found; ///< the CPU first
  /// Accelerators that LibTorch supports, such as "CUDA", even if no such device is found.
  std::vector<std::string> built_for;
};

/// All devices. Queries the memory of each accelerator, which initialises its driver.
inline constinit TorchFunction<Devices()> libtorch_devices{"listing devices"};

/// Implementation of checked_device in a program with LibTorch.
inline constinit TorchFunction<std::string(const std::string& device)> libtorch_device{"another device"};

/// Checks that a device can be used, and returns its full name as c10::Device writes it: "cuda" is "cuda:0",
/// "cpu:0" is "cpu".
///
/// Errors  UsageError (the device, and the available ones) for a device that LibTorch does not know, was
///         built without or does not find; UnsupportedError for all but "cpu" in a program without LibTorch
std::string checked_device(const std::string& device);

/// Factor on the float32 tolerances of the runners, which are those of the CPU. float64 tolerances are the
/// same on every device.
///
/// The largest float32 error on the CPU is 0.32 of its tolerance. Other devices sum in a different order and
/// approximate exp and tanh differently, so their errors may be a few times larger. TF32 (5e-4 per product)
/// would exceed this by far.
inline double float32_tolerance_factor(std::string_view device) {
  return device == "cpu" ? 1 : 4;
}

} // namespace mneme::verify
