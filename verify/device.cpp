// SPDX-License-Identifier: MIT

#include "verify/device.h"

#include <array>
#include <memory>

#include <ATen/Context.h>
#include <c10/core/CachingDeviceAllocator.h>
#include <c10/core/impl/DeviceGuardImplInterface.h>
#include <dlfcn.h>
#include <fmt/format.h>
#include <torch/version.h>

#include "mneme/core/error.h"
#include "report/text.h"

namespace mneme::verify {
namespace {

/// Whether tensors on devices of this type have no numbers: only shapes, or deferred computations.
bool holds_no_numbers(c10::DeviceType type) {
  return type == c10::DeviceType::Meta || type == c10::DeviceType::Lazy;
}

/// Number of devices of a type; 0 if LibTorch was built without it or finds none.
int count_of(c10::DeviceType type) {
  return c10::impl::hasDeviceGuardImpl(type) ? c10::impl::getDeviceGuardImpl(type)->deviceCount() : 0;
}

std::string name_of(c10::DeviceType type, int index) {
  return type == c10::DeviceType::CPU ? "cpu" : c10::Device(type, static_cast<c10::DeviceIndex>(index)).str();
}

/// Calls body(type) for all device types with numbers that LibTorch was built for, the CPU first.
template <class Body> void for_each_type(Body body) {
  for (int i = 0; i < static_cast<int>(c10::DeviceType::COMPILE_TIME_MAX_DEVICE_TYPES); ++i) {
    if (const auto type = static_cast<c10::DeviceType>(i);
        c10::impl::hasDeviceGuardImpl(type) && !holds_no_numbers(type)) {
      body(type);
    }
  }
}

/// Name of a CUDA device, from the driver that LibTorch has loaded: LibTorch's own function needs the CUDA
/// headers.
std::string cuda_model(int index) {
  const std::unique_ptr<void, int (*)(void*)> driver(::dlopen("libcuda.so.1", RTLD_LAZY | RTLD_NOLOAD),
                                                     ::dlclose);
  if (!driver) {
    return "";
  }
  const auto get = reinterpret_cast<int (*)(int*, int)>(::dlsym(driver.get(), "cuDeviceGet"));
  const auto get_name = reinterpret_cast<int (*)(char*, int, int)>(::dlsym(driver.get(), "cuDeviceGetName"));
  std::array<char, 256> name{};
  int handle = 0;
  const bool named = get != nullptr && get_name != nullptr && get(&handle, index) == 0 &&
                     get_name(name.data(), static_cast<int>(name.size()) - 1, handle) == 0;
  return named ? name.data() : "";
}

std::optional<Memory> memory_of(c10::DeviceType type, int index) {
  try {
    at::globalContext().lazyInitDevice(type);
    const auto [available, total] =
        at::getDeviceAllocator(type)->getMemoryInfo(static_cast<c10::DeviceIndex>(index));
    return Memory{total, available};
  } catch (const c10::Error&) { // not reported by this backend, or another process has the device exclusively
    return std::nullopt;
  }
}

[[noreturn]] void throw_unavailable(const std::string& device, const std::string& reason,
                                    const std::string& advice = "") {
  std::string found;
  for_each_type([&](c10::DeviceType type) {
    for (int index = 0; index < count_of(type); ++index) {
      found += (found.empty() ? "" : ", ") + name_of(type, index);
    }
  });
  throw UsageError(fmt::format("device \"{}\": {}; available: {}.\n  Name one of those{}.", device, reason,
                               found, advice));
}

std::optional<c10::Device> parse(const std::string& text) {
  try {
    const c10::Device device(text);
    // An index beyond 127 wraps around in LibTorch, "cuda:256" to "cuda:0".
    const bool as_written = !device.has_index() || text.ends_with(fmt::format(":{}", device.index()));
    return as_written ? std::optional(device) : std::nullopt;
  } catch (const std::exception&) { // c10::Error, or std::out_of_range for a number with many digits
    return std::nullopt;
  }
}

Devices all_devices() {
  Devices devices{.version = TORCH_VERSION};
  for_each_type([&](c10::DeviceType type) {
    const bool is_cpu = type == c10::DeviceType::CPU;
    if (!is_cpu) {
      devices.built_for.push_back(c10::DeviceTypeName(type));
    }
    for (int index = 0; index < count_of(type); ++index) {
      devices.found.push_back({.name = name_of(type, index),
                               .model = type == c10::DeviceType::CUDA ? cuda_model(index) : "",
                               .memory = is_cpu ? std::nullopt : memory_of(type, index)});
    }
  });
  return devices;
}

std::string full_name(const std::string& device) {
  const std::optional<c10::Device> requested = parse(device);
  if (!requested) {
    throw_unavailable(device, "LibTorch knows no device of this name");
  }
  const c10::DeviceType type = requested->type();
  const std::string kind = c10::DeviceTypeName(type);
  if (holds_no_numbers(type)) {
    throw_unavailable(device, "its tensors hold no numbers");
  }
  if (!c10::impl::hasDeviceGuardImpl(type)) {
    throw_unavailable(device, fmt::format("this LibTorch was built without {}", kind),
                      fmt::format(", or build mneme with a LibTorch for {}", kind));
  }
  const int count = count_of(type), index = requested->has_index() ? requested->index() : 0;
  if (count == 0) {
    throw_unavailable(device, fmt::format("LibTorch finds no {} device", kind),
                      ", or check the driver, and variables that hide devices, such as CUDA_VISIBLE_DEVICES");
  }
  if (index >= count) {
    throw_unavailable(device, fmt::format("LibTorch finds {}, counted from 0",
                                          report::counted(count, fmt::format("{} device", kind))));
  }
  return name_of(type, index);
}

[[maybe_unused]] const bool implemented =
    libtorch_devices.implement(all_devices) && libtorch_device.implement(full_name);

} // namespace
} // namespace mneme::verify
