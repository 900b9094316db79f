// SPDX-License-Identifier: MIT

#include "mneme/core/version.h"

namespace mneme {

const char* version() {
  return MNEME_VERSION;
}

} // namespace mneme
