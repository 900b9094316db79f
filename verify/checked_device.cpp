// SPDX-License-Identifier: MIT

#include "mneme/core/error.h"
#include "verify/device.h"

namespace mneme::verify {

std::string checked_device(const std::string& device) {
  if (libtorch_device) {
    return libtorch_device(device);
  }
  if (device != "cpu") {
    throw_needs_torch(("device \"" + device + "\"").c_str());
  }
  return device;
}

} // namespace mneme::verify
