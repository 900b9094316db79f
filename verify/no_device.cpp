// SPDX-License-Identifier: MIT

#include "mneme/core/error.h"
#include "verify/device.h"

namespace mneme::verify {

std::optional<Devices> libtorch_devices() {
  return std::nullopt;
}

std::string checked_device(const std::string& device) {
  if (device != "cpu") {
    throw UnsupportedError("device \"" + device +
                           "\" needs LibTorch, which this build lacks: it computes on \"cpu\".\n  Build "
                           "with -DMNEME_WITH_TORCH=ON and LibTorch in CMAKE_PREFIX_PATH.");
  }
  return device;
}

} // namespace mneme::verify
