// SPDX-License-Identifier: MIT

/// The devices on which LibTorch computes, declared without it (mneme/core/torch_function.h); a program without LibTorch
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
  std::string model;            ///< as its driver names it; empty if unknown
  std::optional<Memory> memory; ///< empty if LibTorch does not report it
};

struct Devices {
  std::string version;                ///< of LibTorch
  std::vector<Device> found;          ///< the CPU first
  std::vector<std::string> built_for; ///< accelerators, such as "CUDA", also where no such device is found
};

/// Queries the memory of each accelerator, which initialises its driver.
inline constinit TorchFunction<Devices()> libtorch_devices{"naming devices"};

/// checked_device in a program with LibTorch.
inline constinit TorchFunction<std::string(const std::string& device)> libtorch_device{"another device"};

/// The full name of a device, as c10::Device writes it: "cuda" is "cuda:0", "cpu:0" is "cpu".
///
/// Errors  UsageError (the device, and those that are there) for a device that LibTorch does not know, was built
///         without or does not find; UnsupportedError for all but "cpu" in a program without LibTorch
std::string checked_device(const std::string& device);

/// How much larger errors of float32 values may be than on the CPU, whose tolerances stand in the runners; those of
/// float64 values are the same on every device.
///
/// The largest float32 error on the CPU is 0.32 of its tolerance. A device adds up in an order of its own and
/// approximates exp and tanh in its own way, so its errors may be a few times as large. TF32 (5e-4 per product) is far
/// beyond this.
inline double float32_tolerance_factor(std::string_view device) {
  return device == "cpu" ? 1 : 4;
}

} // namespace mneme::verify
