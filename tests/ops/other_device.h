// SPDX-License-Identifier: MIT

/// Simulated device for tests without a GPU. LibTorch keeps its tensors apart from CPU tensors, as those of a
/// GPU, but their memory is host memory and the CPU kernels compute.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>

namespace mneme::testing {

/// The simulated device; the first call registers it with LibTorch.
///
/// As on a GPU, operators with arguments on both the device and the CPU throw c10::Error, unless those on the
/// CPU have no dimensions.
c10::Device other_device();

/// Synchronisations and copies between host and device.
struct HostTraffic {
  int64_t waits = 0;  ///< reads of device values by the host, each of which would force a synchronisation
  int64_t copies = 0; ///< tensors copied between the CPU and the device
};

/// Counts of all threads since the start of the program.
HostTraffic host_traffic();

using Tensors = std::vector<at::Tensor>;

/// Calls function(inputs) on the CPU and on the simulated device. Expects equal results, equal gradients of a
/// random linear combination of them in all floating-point inputs, and no host traffic of `function` on the
/// device.
void expect_same_on_device(const std::function<Tensors(const Tensors&)>& function, const Tensors& inputs,
                           double tolerance = 1e-12);

} // namespace mneme::testing
