// SPDX-License-Identifier: MIT

#include "cli/torch_info.h"

#include <torch/version.h>

namespace mneme::cli {

const char* torch_version() {
  return TORCH_VERSION;
}

} // namespace mneme::cli
