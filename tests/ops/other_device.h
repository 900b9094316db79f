// SPDX-License-Identifier: MIT

/// A device beside the CPU for tests, where no GPU is needed: LibTorch keeps its tensors apart from those of the CPU as it does
/// for a GPU, though their memory is the host's and the CPU's kernels compute.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>

namespace mneme::testing {

/// The device; the first call registers it with LibTorch.
///
/// As on a GPU, an operator that is given tensors of both the device and the CPU throws c10::Error, unless those of the CPU
/// have no dimensions.
c10::Device other_device();

/// What has passed between host and device.
struct HostTraffic {
  int64_t waits = 0;  ///< times the host looked at a number of the device, for which it would have to wait
  int64_t copies = 0; ///< tensors copied between the CPU and the device
};

/// Of all threads, since the start.
HostTraffic host_traffic();

using Tensors = std::vector<at::Tensor>;

/// Calls function(inputs) on the CPU and on the other device, and expects the same results and the same gradients of a random
/// sum of them in all inputs of floating point; and that on the device nothing passes between it and the host.
void expect_same_on_device(const std::function<Tensors(const Tensors&)>& function, const Tensors& inputs,
                           double tolerance = 1e-12);

} // namespace mneme::testing
