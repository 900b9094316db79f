// SPDX-License-Identifier: MIT

#include "benchmarks/device_measure.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <string_view>
#include <vector>

#include <ATen/record_function.h>
#include <c10/core/CachingDeviceAllocator.h>
#include <c10/core/Event.h>
#include <c10/core/impl/VirtualGuardImpl.h>

namespace mneme::benchmarks {
namespace {

double seconds_since(std::chrono::steady_clock::time_point begin) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

struct Times {
  std::vector<double> seconds; ///< per run
  double host = 0;             ///< mean per run
};

Times times_on_cpu(const std::function<void()>& call, int64_t runs) {
  Times times;
  for (int64_t run = 0; run < runs; ++run) {
    const auto begin = std::chrono::steady_clock::now();
    call();
    times.seconds.push_back(seconds_since(begin));
    times.host += times.seconds.back() / static_cast<double>(runs);
  }
  return times;
}

/// The time between two events is that of the call between them, including gaps in which the device waits for
/// the host.
Times times_by_events(const std::function<void()>& call, at::Device device, int64_t runs) {
  const c10::Stream stream = c10::impl::VirtualGuardImpl(device.type()).getStream(device);
  std::vector<c10::Event> events;
  for (int64_t run = 0; run <= runs; ++run) {
    events.emplace_back(device.type(), c10::EventFlag::BACKEND_DEFAULT);
  }
  Times times;
  const auto begin = std::chrono::steady_clock::now();
  events.front().record(stream);
  for (size_t run = 1; run < events.size(); ++run) {
    call();
    events[run].record(stream);
  }
  times.host = seconds_since(begin) / static_cast<double>(runs);
  events.back().synchronize();
  constexpr double kMilliseconds = 1e-3;
  for (size_t run = 1; run < events.size(); ++run) {
    times.seconds.push_back(kMilliseconds * events[run - 1].elapsedTime(events[run]));
  }
  return times;
}

int64_t peak_bytes(const std::function<void()>& call, at::Device device) {
  c10::DeviceAllocator* const allocator = c10::getDeviceAllocator(device.type());
  const auto allocated = [&] {
    return allocator->getDeviceStats(device.index())
        .allocated_bytes[static_cast<size_t>(c10::CachingAllocator::StatType::AGGREGATE)];
  };
  synchronize(device);
  allocator->resetPeakStats(device.index());
  const int64_t before = allocated().current;
  call();
  synchronize(device);
  return allocated().peak - before;
}

/// Current count of `host_reads` on this thread.
struct Count {
  at::Device device;
  std::map<std::string, int64_t> calls = {};
};
thread_local Count* count = nullptr;

std::unique_ptr<at::ObserverContext> observe(const at::RecordFunction& function) {
  const std::string_view name = function.name();
  const auto device_of = [&](size_t input) -> std::optional<at::Device> {
    const auto inputs = function.inputs();
    return input < inputs.size() && inputs[input].isTensor() && inputs[input].toTensor().defined()
               ? std::optional(inputs[input].toTensor().device())
               : std::nullopt;
  };
  if (name == "aten::_local_scalar_dense" || name == "aten::nonzero") {
    if (device_of(0) == count->device) {
      ++count->calls[std::string(name)];
    }
  } else if (name == "aten::copy_" && device_of(0) != device_of(1)) {
    ++count->calls["aten::copy_ between devices"];
  }
  return nullptr;
}

} // namespace

Measurement measure(const std::function<void()>& call, at::Device device, const Effort& effort) {
  const auto timed = [&] {
    const auto begin = std::chrono::steady_clock::now();
    call();
    synchronize(device);
    return seconds_since(begin);
  };
  constexpr double kSlow = 1, kVerySlow = 10;
  Measurement result;
  double seconds = timed(); // includes loading of kernels and libraries
  if (seconds < kVerySlow) {
    seconds = std::min(seconds, timed());
  }
  if (!device.is_cpu()) {
    result.peak_bytes = peak_bytes(call, device);
  }
  const double fitting =
      std::clamp(std::floor(effort.seconds / std::max(seconds, 1e-9)), static_cast<double>(effort.min_runs),
                 static_cast<double>(effort.max_runs));
  result.runs = seconds > kSlow ? 1 : static_cast<int64_t>(fitting);
  Times times =
      device.is_cpu() ? times_on_cpu(call, result.runs) : times_by_events(call, device, result.runs);
  std::sort(times.seconds.begin(), times.seconds.end());
  result.median = times.seconds[times.seconds.size() / 2];
  result.fastest = times.seconds.front();
  result.host = times.host;
  return result;
}

std::map<std::string, int64_t> host_reads(const std::function<void()>& call, at::Device device) {
  Count counted{.device = device};
  count = &counted;
  const at::CallbackHandle handle = at::addThreadLocalCallback(
      at::RecordFunctionCallback(observe).needsInputs(true).scopes({at::RecordScope::FUNCTION}));
  const auto stop = [&] {
    at::removeCallback(handle);
    count = nullptr;
  };
  try {
    call();
  } catch (...) {
    stop();
    throw;
  }
  stop();
  return counted.calls;
}

void synchronize(at::Device device) {
  if (!device.is_cpu()) {
    c10::impl::VirtualGuardImpl(device.type()).synchronizeDevice(device.index());
  }
}

void release_memory(at::Device device) {
  if (!device.is_cpu()) {
    c10::getDeviceAllocator(device.type())->emptyCache();
  }
}

} // namespace mneme::benchmarks
