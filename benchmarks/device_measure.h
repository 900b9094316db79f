// SPDX-License-Identifier: MIT

/// Time, device memory and host reads of a call, on any device of LibTorch.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>

#include <torch/torch.h>

namespace mneme::benchmarks {

struct Effort {
  double seconds = 0.1; ///< total time of the timed runs
  int64_t min_runs = 3, max_runs = 100;
};

struct Measurement {
  double median = 0, fastest = 0; ///< seconds of one call on the device
  /// Mean seconds until a call returns; close to the median if kernel launches on the host are the
  /// bottleneck.
  double host = 0;
  int64_t runs = 0;
  /// Peak device memory above that before the call; nullopt on the CPU.
  std::optional<int64_t> peak_bytes = {};
};

/// Times a call after warm-up calls, with device events, or with the steady clock on the CPU. A call that
/// takes more than a second is timed once; after more than ten seconds the second warm-up call is omitted.
Measurement measure(const std::function<void()>& call, at::Device device, const Effort& effort);

/// Number of calls of each operation that makes the host wait for the device: reading a value on the host
/// (aten::_local_scalar_dense, which is called by item() and by conversion to bool), aten::nonzero, whose
/// result size is only known on the device, and copies between devices.
std::map<std::string, int64_t> host_reads(const std::function<void()>& call, at::Device device);

/// Waits until the device has finished all work.
void synchronize(at::Device device);
/// Returns unused memory of the caching allocator to the device.
void release_memory(at::Device device);

} // namespace mneme::benchmarks
