// SPDX-License-Identifier: MIT

/// Time, device memory and host reads of a call on any device of LibTorch.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>

#include <torch/torch.h>

namespace mneme::benchmarks {

struct Effort {
  double seconds = 0.1; ///< of all timed runs together
  int64_t min_runs = 3, max_runs = 100;
};

struct Measurement {
  double median = 0, fastest = 0; ///< seconds of one call on the device
  /// Seconds until a call returns, on average: close to the median where the host cannot launch kernels fast enough.
  double host = 0;
  int64_t runs = 0;
  std::optional<int64_t> peak_bytes = {}; ///< peak device memory above that before the call; none on the CPU
};

/// Times a call after a few that warm up: by device events, on the CPU by the steady clock. A call of more than a second is
/// timed once, one of more than ten is not warmed up again.
Measurement measure(const std::function<void()>& call, at::Device device, const Effort& effort);

/// Operations of a call that make the host wait for the device, with how often each ran: a value read by the host
/// (aten::_local_scalar_dense, which item() and tests of a tensor's truth end in), aten::nonzero, whose result has a
/// size that only the device knows, and copies between devices.
std::map<std::string, int64_t> host_reads(const std::function<void()>& call, at::Device device);

/// Waits until the device has nothing left to do.
void synchronize(at::Device device);
/// Gives unused memory back to the device.
void release_memory(at::Device device);

} // namespace mneme::benchmarks
